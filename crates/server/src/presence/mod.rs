//! Presence: who is online, what they say they are doing, and when they were last seen.
//!
//! A status lives as long as the connection ([`crate::session`]). Whatever changes is gathered
//! for a moment by one task ([`worker`]), which tells the online friends: a connection that
//! flaps makes one push, or none. The original has no such push and says so in its protocol
//! guide.

mod entities;
pub mod frames;
pub mod routes;
mod store;
#[cfg(test)]
mod tests;
mod worker;

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};

use crate::cluster::Bus;
use crate::db::Db;
use crate::edge::error::{Outcome, database};
use crate::session::{SessionId, Status};
use crate::social::Social;
use crate::text::{is_id, is_key};

use self::worker::Changes;

/// Longest status in bytes.
const MAX_STATUS_BYTES: usize = 64;

/// Most players one request asks about.
const MAX_ASKED: usize = 100;

/// What friends see of a player who has no connection.
const OFFLINE: &str = "offline";

/// The presence domain. Cheap to clone.
#[derive(Clone)]
pub struct Presence {
    db: Db,
    bus: Bus,
    social: Social,
    changes: Changes,
}

/// One player as their friends see them.
struct Seen {
    player: String,
    status: Option<Status>,
    /// Unix milliseconds.
    last_seen_at: Option<i64>,
}

impl Presence {
    /// Starts the task that tells friends.
    pub fn start(db: Db, bus: Bus, social: Social) -> Self {
        let changes = Changes::default();
        let worker = changes.clone();
        tokio::spawn(worker.tell(db.clone(), bus.clone(), social.clone()));
        Self {
            db,
            bus,
            social,
            changes,
        }
    }

    /// A player has a connection; `displaced` is the status of the one it takes over from.
    pub fn connected(&self, player: &PlayerId, displaced: Option<Status>) {
        self.changes.connected(player, displaced);
    }

    /// A player's connection is gone; `last` was its status.
    pub fn disconnected(&self, player: &PlayerId, last: Status) {
        self.changes.disconnected(player, last);
    }

    /// Changes a player's status.
    ///
    /// # Errors
    /// `presence.invalid_status`.
    pub fn update(&self, player: &PlayerId, session: SessionId, status: &str) -> Outcome<()> {
        if !is_key(status, MAX_STATUS_BYTES) {
            return Err(invalid_status());
        }
        let sessions = self.bus.sessions();
        if let Some(before) = sessions.set_status(player, session, Status::new(status)) {
            self.changes.updated(player, before);
        }
        Ok(())
    }

    /// Waits until what has changed so far is told and written.
    pub async fn flush(&self) {
        self.changes.flush().await;
    }

    /// Those of `ids` that are the player or their friends.
    ///
    /// # Errors
    /// `invalid_payload` if there are more than a hundred.
    async fn of(&self, player: &PlayerId, ids: &str) -> Outcome<Vec<Seen>> {
        let asked: Vec<&str> = ids.split(',').collect();
        if asked.len() > MAX_ASKED {
            return Err(Code::InvalidPayload.into());
        }
        let friends = self.social.friends_of(std::slice::from_ref(player)).await?;
        let is_known = |id: &str| {
            id == player.as_str() || friends.iter().any(|(_, friend)| friend.as_str() == id)
        };
        let mut known: Vec<&str> = asked
            .into_iter()
            .filter(|id| is_id(id) && is_known(id))
            .collect();
        known.sort_unstable();
        known.dedup();
        let last_seen = store::last_seen(self.db.read(), &known);
        let last_seen = last_seen.await.map_err(database)?;
        let seen = last_seen.into_iter().map(|(player, last_seen_at)| Seen {
            status: self.bus.sessions().status(&PlayerId::from(player.as_str())),
            player,
            last_seen_at,
        });
        let mut seen: Vec<Seen> = seen.collect();
        seen.sort_unstable_by(|a, b| a.player.cmp(&b.player));
        Ok(seen)
    }
}

fn invalid_status() -> ApiError {
    ApiError::from_reason("invalid_status")
}

/// A status as friends read it.
fn shown(status: Option<&Status>) -> &str {
    status.map_or(OFFLINE, Status::as_str)
}
