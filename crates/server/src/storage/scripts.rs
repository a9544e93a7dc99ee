//! Objects as scripts reach them: a player's or the game's own (`owner` None), past all
//! permissions.
//!
//! Each change is one statement, so that any number of matches may write one key.

use asobi_game::PlayerId;
use asobi_wire::Code;
use serde_json::Value;
use serde_json::value::RawValue;

use super::objects::Perm;
use super::store::{self, Purpose};
use super::{Storage, check_key, conflict, encode};
use crate::clock::db_now;
use crate::db;
use crate::edge::error::{Outcome, database};
use crate::edge::params::Limit;
use crate::text::{is_id, new_id};

use super::entities::objects::Model;

/// A value a script reads.
#[derive(Debug)]
pub struct StoredValue {
    /// The value, as JSON.
    pub value: Box<RawValue>,
    /// How often it was written.
    pub version: i32,
}

/// What a script's write comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// How often the object was written by now.
    pub version: i32,
}

/// An object of a listing.
#[derive(Debug)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// Its value, as JSON.
    pub value: Box<RawValue>,
    /// How often it was written.
    pub version: i32,
}

impl Storage {
    /// A value.
    ///
    /// # Errors
    /// `storage.not_found` (also if there is no storage, as all verbs here),
    /// `storage.invalid_key`
    pub async fn lua_get(
        &self,
        owner: Option<&PlayerId>,
        collection: &str,
        key: &str,
    ) -> Outcome<StoredValue> {
        self.check_script(collection, Some(key))?;
        let owner = owner_column(owner).ok_or(Code::StorageNotFound)?;
        let row = store::object(self.db.read(), collection, key, owner, Purpose::Reading)
            .await
            .map_err(database)?
            .ok_or(Code::StorageNotFound)?;
        Ok(StoredValue {
            value: row.value.into_raw(),
            version: row.version,
        })
    }

    /// Writes a value. `expected_version` is the one the script knows, 0 if there must be none
    /// yet; without it the last to write wins. A new object is its owner's alone.
    ///
    /// # Errors
    /// `storage.invalid_key`, `storage.value_too_large`, `player.not_found`,
    /// `storage.version_conflict` with `current_version`
    pub async fn lua_set(
        &self,
        owner: Option<&PlayerId>,
        collection: &str,
        key: &str,
        value: Value,
        expected_version: Option<i32>,
    ) -> Outcome<StoredVersion> {
        self.check_script(collection, Some(key))?;
        let value = encode(&value, Code::StorageValueTooLarge)?;
        let row = Model {
            id: new_id(),
            collection: collection.to_owned(),
            key: key.to_owned(),
            player_id: owner.map(ToString::to_string),
            owner: owner_column(owner).ok_or(Code::PlayerNotFound)?.to_owned(),
            value,
            version: 1,
            read_perm: Perm::Owner.as_str().to_owned(),
            write_perm: Perm::Owner.as_str().to_owned(),
            updated_at: db_now(),
        };
        let tx = self.db.write().await.map_err(database)?;
        let written = match expected_version {
            None => store::upsert_object(&tx, row.clone()).await,
            Some(0) => store::insert_object(&tx, row.clone()).await,
            Some(version) => store::update_object(&tx, &row, version).await,
        };
        let written = written.map_err(|error| match db::is_orphan(&error) {
            true => Code::PlayerNotFound.into(),
            false => database(error),
        })?;
        let current = store::version(&tx, collection, key, &row.owner)
            .await
            .map_err(database)?;
        if !written {
            return Err(conflict(Code::StorageVersionConflict, current));
        }
        tx.commit().await.map_err(database)?;
        Ok(StoredVersion { version: current })
    }

    /// Deletes a value. False: there was none.
    ///
    /// # Errors
    /// `storage.invalid_key`, `storage.version_conflict` with `current_version`
    pub async fn lua_delete(
        &self,
        owner: Option<&PlayerId>,
        collection: &str,
        key: &str,
        expected_version: Option<i32>,
    ) -> Outcome<bool> {
        self.check_script(collection, Some(key))?;
        let Some(owner) = owner_column(owner) else {
            return Ok(false);
        };
        let tx = self.db.write().await.map_err(database)?;
        let deleted = store::delete_at(&tx, collection, key, owner, expected_version)
            .await
            .map_err(database)?;
        if !deleted {
            let current = store::version(&tx, collection, key, owner).await;
            return match current.map_err(database)? {
                0 => Ok(false),
                current => Err(conflict(Code::StorageVersionConflict, current)),
            };
        }
        tx.commit().await.map_err(database)?;
        Ok(true)
    }

    /// Values of a collection by key, from the one after `after_key` on. At most `limit` (1 to
    /// 200), and fewer if they are large: ask on after the last key until there are none.
    ///
    /// # Errors
    /// `storage.invalid_key`
    pub async fn lua_list(
        &self,
        owner: Option<&PlayerId>,
        collection: &str,
        limit: u64,
        after_key: Option<&str>,
    ) -> Outcome<Vec<ListedObject>> {
        self.check_script(collection, after_key)?;
        let Some(owner) = owner_column(owner) else {
            return Ok(Vec::new());
        };
        let limit = limit.clamp(1, Limit::MOST);
        let db = self.db.read();
        let ids = store::ids_by_key(db, owner, collection, after_key, limit)
            .await
            .map_err(database)?;
        let rows = store::load(db, &ids).await.map_err(database)?;
        let listed = |row: Model| ListedObject {
            key: row.key,
            value: row.value.into_raw(),
            version: row.version,
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    fn check_script(&self, collection: &str, key: Option<&str>) -> Outcome<()> {
        self.objects_enabled()?;
        check_key(collection)?;
        key.map_or(Ok(()), check_key)
    }
}

/// The owner as the table has it. None: nobody can have this id.
fn owner_column(owner: Option<&PlayerId>) -> Option<&str> {
    match owner {
        None => Some(""),
        Some(player) => Some(player.as_str()).filter(|id| is_id(id)),
    }
}
