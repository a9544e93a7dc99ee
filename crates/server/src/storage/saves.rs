//! Cloud saves: a player's own slots.

use asobi_game::PlayerId;
use asobi_wire::Code;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::entities::saves::Model;
use super::{Storage, conflict, encode, store};
use crate::accounts;
use crate::clock::{db_now, iso};
use crate::db::Document;
use crate::edge::error::{Outcome, database};
use crate::text::{is_key, new_id};

/// Most slots of one player. From the original.
const MAX_SLOTS: u64 = 10;

/// Longest name of a slot in bytes.
const MAX_SLOT_BYTES: usize = 64;

/// What a slot holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Save {
    id: String,
    player_id: String,
    slot: String,
    /// Any JSON.
    #[schema(value_type = Value)]
    data: Document,
    /// 1 at first, one more each time it is written.
    version: i32,
    updated_at: String,
}

/// A slot without what it holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct SaveSummary {
    slot: String,
    version: i32,
    updated_at: String,
}

impl Storage {
    /// A player's slots, by name.
    ///
    /// # Errors
    /// `save.not_found` if there is no storage, as all verbs here.
    pub async fn saves(&self, player: &PlayerId) -> Outcome<Vec<SaveSummary>> {
        self.saves_enabled()?;
        let rows = store::saves(self.db.read(), player.as_str()).await;
        let shown = |(slot, version, updated_at)| SaveSummary {
            slot,
            version,
            updated_at: iso(updated_at),
        };
        Ok(rows.map_err(database)?.into_iter().map(shown).collect())
    }

    /// What a slot holds.
    ///
    /// # Errors
    /// `save.not_found`, `save.invalid_slot`
    pub async fn save(&self, player: &PlayerId, slot: &str) -> Outcome<Save> {
        self.saves_enabled()?;
        check_slot(slot)?;
        let row = store::save(self.db.read(), player.as_str(), slot).await;
        row.map_err(database)?
            .map(shown)
            .ok_or_else(|| Code::SaveNotFound.into())
    }

    /// Writes a slot. `expected` is the version the writer knows; without one the last to write
    /// wins. 0 expects the slot to be empty. An empty slot takes every version, as in the
    /// original: a device that has more than the server does not get stuck.
    ///
    /// # Errors
    /// `save.invalid_slot`, `save.too_large`, `save.version_conflict` with `current_version`,
    /// `save.slot_limit_reached`, `player.not_found` if the player was erased meanwhile.
    pub async fn put_save(
        &self,
        player: &PlayerId,
        slot: &str,
        data: &Value,
        expected: Option<i64>,
    ) -> Outcome<Save> {
        self.saves_enabled()?;
        check_slot(slot)?;
        let data = encode(data, Code::SaveTooLarge)?;
        let tx = self.db.write().await.map_err(database)?;
        // Nobody but the player writes these: one lock decides both who is first and how many
        // slots there are.
        accounts::lock_player(&tx, player).await?;
        let before = store::save(&tx, player.as_str(), slot)
            .await
            .map_err(database)?;
        let save = match before {
            Some(before)
                if expected.is_some_and(|version| version != i64::from(before.version)) =>
            {
                return Err(conflict(Code::SaveVersionConflict, before.version));
            }
            Some(before) => Model {
                data,
                version: before.version + 1,
                updated_at: db_now(),
                ..before
            },
            None => {
                let taken = store::count_saves(&tx, player.as_str()).await;
                if taken.map_err(database)? >= MAX_SLOTS {
                    return Err(Code::SaveSlotLimitReached.into());
                }
                Model {
                    id: new_id(),
                    player_id: player.to_string(),
                    slot: slot.to_owned(),
                    data,
                    version: 1,
                    updated_at: db_now(),
                }
            }
        };
        store::write_save(&tx, &save).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok(shown(save))
    }

    /// Empties a slot.
    ///
    /// # Errors
    /// `save.not_found`, `save.invalid_slot`
    pub async fn delete_save(&self, player: &PlayerId, slot: &str) -> Outcome<()> {
        self.saves_enabled()?;
        check_slot(slot)?;
        let tx = self.db.write().await.map_err(database)?;
        let deleted = store::delete_save(&tx, player.as_str(), slot)
            .await
            .map_err(database)?;
        tx.commit().await.map_err(database)?;
        match deleted {
            true => Ok(()),
            false => Err(Code::SaveNotFound.into()),
        }
    }

    fn saves_enabled(&self) -> Outcome<()> {
        match self.is_enabled() {
            true => Ok(()),
            false => Err(Code::SaveNotFound.into()),
        }
    }
}

fn check_slot(slot: &str) -> Outcome<()> {
    match is_key(slot, MAX_SLOT_BYTES) {
        true => Ok(()),
        false => Err(Code::SaveInvalidSlot.into()),
    }
}

fn shown(row: Model) -> Save {
    Save {
        id: row.id,
        player_id: row.player_id,
        slot: row.slot,
        data: row.data,
        version: row.version,
        updated_at: iso(row.updated_at),
    }
}
