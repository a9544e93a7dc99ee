//! Objects as players reach them: by collection and key, with permissions.
//!
//! A key means the caller's own object if there is one. Otherwise it means another player's,
//! whose permissions then decide: the oldest the caller may use, should several players have one
//! there (a script can give each of them theirs). Who names an owner (`?player_id=`) means that
//! player's object and no other.

use asobi_game::PlayerId;
use asobi_wire::Code;
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::entities::objects::Model;
use super::store::{self, Purpose};
use super::{Storage, check_key, conflict, encode};
use crate::accounts;
use crate::clock::{db_now, iso};
use crate::db::{self, Document};
use crate::edge::error::{Outcome, database};
use crate::edge::params::Page;
use crate::text::{is_id, new_id};

/// Where an object is.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// The collection.
    pub collection: &'a str,
    /// The key in it.
    pub key: &'a str,
    /// Whose object is meant. None: the caller's own, or whose they may use.
    pub owner: Option<&'a str>,
}

/// An object.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoredObject {
    id: String,
    collection: String,
    key: String,
    /// Whose it is.
    player_id: Option<String>,
    /// Any JSON.
    #[schema(value_type = Value)]
    value: Document,
    /// 1 at first, one more each time it is written.
    version: i32,
    read_perm: String,
    write_perm: String,
    updated_at: String,
}

/// Objects of a collection, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Objects {
    pub(super) objects: Vec<StoredObject>,
    /// `before` for the next page; null when this was the last. A page of large objects is
    /// shorter than its limit.
    pub(super) next_before: Option<String>,
}

/// Who may do something with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Perm {
    /// Every player.
    Public,
    /// Its owner.
    Owner,
}

impl Perm {
    /// As it stands in the table and on the wire.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Owner => "owner",
        }
    }
}

/// What an object becomes.
#[derive(Clone, Debug)]
pub struct ObjectChange {
    /// The value.
    pub value: Value,
    /// Who may read it. None: see [`Storage::put_object`].
    pub read_perm: Option<Perm>,
    /// Who may write it.
    pub write_perm: Option<Perm>,
    /// The version the writer knows; 0: there is none yet.
    pub expected: Option<i64>,
}

impl Storage {
    /// An object the caller may read.
    ///
    /// # Errors
    /// `storage.not_found` (also if there is no storage, as all verbs here),
    /// `storage.invalid_key`, `storage.forbidden`
    pub async fn object(&self, caller: &PlayerId, at: Address<'_>) -> Outcome<StoredObject> {
        self.check(at)?;
        let row = meant(self.db.read(), caller, at, Purpose::Reading).await?;
        row.map(shown).ok_or_else(|| Code::StorageNotFound.into())
    }

    /// Writes an object: the one the key means, or a new one of the caller's.
    ///
    /// Another player's object keeps its permissions. One's own gets those given; of those not
    /// given it keeps what it had while everybody may write it, and is its owner's alone
    /// otherwise. That is the original's way, but that there the owner could never take public
    /// writing back.
    ///
    /// # Errors
    /// Those of [`Self::object`], `storage.value_too_large`, `storage.version_conflict` with
    /// `current_version`, `storage.limit_reached`, `player.not_found` if the caller was erased
    /// meanwhile.
    pub async fn put_object(
        &self,
        caller: &PlayerId,
        at: Address<'_>,
        change: ObjectChange,
    ) -> Outcome<StoredObject> {
        self.check(at)?;
        let value = encode(&change.value, Code::StorageValueTooLarge)?;
        let tx = self.db.write().await.map_err(database)?;
        // Of two who find nothing at a key, one is first.
        let key = format!("storage/{}/{}", at.collection, at.key);
        db::hold(&tx, &key).await.map_err(database)?;
        loop {
            let found = meant(&tx, caller, at, Purpose::Writing).await?;
            check_version(found.as_ref(), change.expected)?;
            let row = if let Some(found) = found {
                let row = changed(found, caller, value, &change);
                store::rewrite_object(&tx, &row).await.map_err(database)?;
                row
            } else {
                if at.owner.is_some_and(|owner| owner != caller.as_str()) {
                    return Err(Code::StorageNotFound.into());
                }
                self.check_room(&tx, caller).await?;
                let row = created(caller, at, value.clone(), &change);
                let added = store::insert_object(&tx, row.clone()).await;
                if !added.map_err(database)? {
                    // A script was faster: scripts do not hold the key.
                    continue;
                }
                row
            };
            tx.commit().await.map_err(database)?;
            return Ok(shown(row));
        }
    }

    /// Deletes an object the caller may write.
    ///
    /// # Errors
    /// Those of [`Self::object`].
    pub async fn delete_object(&self, caller: &PlayerId, at: Address<'_>) -> Outcome<()> {
        self.check(at)?;
        let tx = self.db.write().await.map_err(database)?;
        let row = meant(&tx, caller, at, Purpose::Writing)
            .await?
            .ok_or(Code::StorageNotFound)?;
        store::delete_object(&tx, &row.id).await.map_err(database)?;
        tx.commit().await.map_err(database)
    }

    /// The objects of a collection the caller may read: their own, and those public to read.
    ///
    /// # Errors
    /// `storage.not_found` if there is no storage, `storage.invalid_key`.
    pub async fn objects(
        &self,
        caller: &PlayerId,
        collection: &str,
        page: &Page,
    ) -> Outcome<Objects> {
        self.objects_enabled()?;
        check_key(collection)?;
        let limit = page.limit.0;
        let before = page.before.as_deref();
        let ids = store::readable_ids(self.db.read(), caller.as_str(), collection, before, limit)
            .await
            .map_err(database)?;
        let rows = store::load(self.db.read(), &ids).await.map_err(database)?;
        let last = rows.last().map(|row| row.id.clone());
        let is_all = (ids.len() as u64) < limit && last.as_ref() == ids.last();
        Ok(Objects {
            next_before: last.filter(|_| !is_all),
            objects: rows.into_iter().map(shown).collect(),
        })
    }

    fn check(&self, at: Address<'_>) -> Outcome<()> {
        self.objects_enabled()?;
        check_key(at.collection)?;
        check_key(at.key)?;
        match at.owner {
            Some(owner) if !is_id(owner) => Err(Code::StorageNotFound.into()),
            _ => Ok(()),
        }
    }

    /// Whether the player may own one more. Locks them, so that the count stands.
    async fn check_room(&self, tx: &DatabaseTransaction, player: &PlayerId) -> Outcome<()> {
        accounts::lock_player(tx, player).await?;
        if self.max_objects == 0 {
            return Ok(());
        }
        let owned = store::count_objects(tx, player.as_str()).await;
        match owned.map_err(database)? < self.max_objects {
            true => Ok(()),
            false => Err(Code::StorageLimitReached.into()),
        }
    }
}

/// The object an address means to the caller. None: there is none.
///
/// # Errors
/// `storage.forbidden`: there is one, but not for them.
async fn meant(
    db: &impl ConnectionTrait,
    caller: &PlayerId,
    at: Address<'_>,
    purpose: Purpose,
) -> Outcome<Option<Model>> {
    let owner = at.owner.unwrap_or(caller.as_str());
    let of_owner = store::object(db, at.collection, at.key, owner, purpose)
        .await
        .map_err(database)?;
    if let Some(row) = of_owner {
        let may = row.owner == caller.as_str() || purpose.perm_of(&row) == Perm::Public.as_str();
        return if may {
            Ok(Some(row))
        } else {
            Err(Code::StorageForbidden.into())
        };
    }
    if at.owner.is_some() {
        return Ok(None);
    }
    let public = store::oldest_public(db, at.collection, at.key, purpose)
        .await
        .map_err(database)?;
    if public.is_some() {
        return Ok(public);
    }
    match store::is_owned(db, at.collection, at.key)
        .await
        .map_err(database)?
    {
        true => Err(Code::StorageForbidden.into()),
        false => Ok(None),
    }
}

/// Nothing has version 0.
fn check_version(row: Option<&Model>, expected: Option<i64>) -> Outcome<()> {
    let current = row.map_or(0, |row| row.version);
    match expected {
        Some(expected) if expected != i64::from(current) => {
            Err(conflict(Code::StorageVersionConflict, current))
        }
        _ => Ok(()),
    }
}

fn changed(row: Model, caller: &PlayerId, value: Document, change: &ObjectChange) -> Model {
    let (read_perm, write_perm) = match row.owner == caller.as_str() {
        true => own_perms(&row, change),
        false => (row.read_perm, row.write_perm),
    };
    Model {
        value,
        version: row.version + 1,
        read_perm,
        write_perm,
        updated_at: db_now(),
        ..row
    }
}

fn own_perms(row: &Model, change: &ObjectChange) -> (String, String) {
    let keeps = row.write_perm == Perm::Public.as_str();
    let perm = |given: Option<Perm>, before: &str| match given {
        Some(given) => given.as_str().to_owned(),
        None if keeps => before.to_owned(),
        None => Perm::Owner.as_str().to_owned(),
    };
    (
        perm(change.read_perm, &row.read_perm),
        perm(change.write_perm, &row.write_perm),
    )
}

fn created(caller: &PlayerId, at: Address<'_>, value: Document, change: &ObjectChange) -> Model {
    let perm = |given: Option<Perm>| given.unwrap_or(Perm::Owner).as_str().to_owned();
    Model {
        id: new_id(),
        collection: at.collection.to_owned(),
        key: at.key.to_owned(),
        player_id: Some(caller.to_string()),
        owner: caller.to_string(),
        value,
        version: 1,
        read_perm: perm(change.read_perm),
        write_perm: perm(change.write_perm),
        updated_at: db_now(),
    }
}

fn shown(row: Model) -> StoredObject {
    StoredObject {
        id: row.id,
        collection: row.collection,
        key: row.key,
        player_id: row.player_id,
        value: row.value,
        version: row.version,
        read_perm: row.read_perm,
        write_perm: row.write_perm,
        updated_at: iso(row.updated_at),
    }
}
