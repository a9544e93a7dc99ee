//! Players as others see them, and their end.
//!
//! Profiles are below. [`erasure`] deletes a player and everything of theirs: a new domain with
//! rows of its own adds itself to the list there. [`reaping`] does the same to guests who stay
//! away.

mod change;
mod entities;
mod erasure;
pub mod reaping;
pub mod routes;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use asobi_game::PlayerId;
use asobi_wire::Code;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use self::change::Change;
use crate::accounts::Accounts;
use crate::clock::iso;
use crate::cluster::Bus;
use crate::config::LimitsConfig;
use crate::db::{Db, Document};
use crate::edge::error::{Outcome, database};
use crate::edge::limits::{Limiter, Rate};
use crate::matches::{Matches, Stats};
use crate::matchmaking::Matchmaking;
use crate::parties::Parties;
use crate::text::is_id;

/// The players. Cheap to clone.
#[derive(Clone)]
pub struct Players {
    db: Db,
    bus: Bus,
    accounts: Accounts,
    matches: Matches,
    matchmaking: Matchmaking,
    parties: Parties,
    erasures: Arc<Limiter<PlayerId>>,
}

/// A player, as everybody who is signed in may see them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profile {
    id: String,
    username: String,
    display_name: String,
    avatar_url: Option<String>,
    /// Whatever the game keeps there, an object.
    #[schema(value_type = Object)]
    metadata: Document,
    /// ISO 8601, as all times.
    inserted_at: String,
    updated_at: String,
    /// When the player last came or went, if that is known.
    last_seen_at: Option<String>,
    /// Whether the player is connected now.
    online: bool,
    /// What the player's matches add up to.
    stats: Option<Stats>,
}

impl Players {
    /// The players of a database.
    pub fn new(
        db: Db,
        bus: Bus,
        accounts: Accounts,
        matches: Matches,
        matchmaking: Matchmaking,
        parties: Parties,
        limits: &LimitsConfig,
    ) -> Self {
        let erasures = Rate::new(limits.erase_per_minute, Duration::from_secs(60));
        Self {
            db,
            bus,
            accounts,
            matches,
            matchmaking,
            parties,
            erasures: Arc::new(Limiter::new(erasures)),
        }
    }

    /// A player's profile.
    ///
    /// # Errors
    /// `player.not_found`
    pub async fn profile(&self, id: &str) -> Outcome<Profile> {
        if !is_id(id) {
            return Err(Code::PlayerNotFound.into());
        }
        let row = store::find(self.db.read(), id).await.map_err(database)?;
        self.shown(row.ok_or(Code::PlayerNotFound)?).await
    }

    /// Changes the fields of a profile that are there: `display_name`, `avatar_url`, `metadata`.
    /// What is not there stays, whoever else changes it at the same time.
    ///
    /// # Errors
    /// `validation_failed` by field, `player.not_found` if the player was erased meanwhile.
    pub async fn update(&self, player: &PlayerId, fields: &Map<String, Value>) -> Outcome<Profile> {
        let change = Change::read(fields)?;
        let tx = self.db.write().await.map_err(database)?;
        store::update(&tx, player.as_str(), change)
            .await
            .map_err(database)?;
        let row = store::find(&tx, player.as_str()).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        self.shown(row.ok_or(Code::PlayerNotFound)?).await
    }

    async fn shown(&self, row: entities::Model) -> Outcome<Profile> {
        let player = PlayerId::from(row.id.as_str());
        Ok(Profile {
            online: self.bus.sessions().is_connected(&player),
            stats: self.matches.stats(&player).await?,
            id: row.id,
            username: row.username,
            display_name: row.display_name,
            avatar_url: row.avatar_url,
            metadata: row.metadata,
            inserted_at: iso(row.inserted_at),
            updated_at: iso(row.updated_at),
            last_seen_at: row.last_seen_at.map(iso),
        })
    }
}
