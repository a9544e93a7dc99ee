//! Friends and groups: who belongs to whom.

mod entities;
pub mod erase;
mod store;

use std::collections::HashSet;

use asobi_game::PlayerId;

use crate::db::Db;
use crate::edge::error::{Outcome, database};
use crate::text::is_id;

/// Friends and groups. Cheap to clone.
#[derive(Clone)]
pub struct Social {
    db: Db,
}

impl Social {
    /// The friends and groups of a database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Whether `by` has blocked `other`.
    ///
    /// # Errors
    /// `internal` if the database fails, as all verbs here.
    pub async fn is_blocked(&self, by: &PlayerId, other: &PlayerId) -> Outcome<bool> {
        store::is_blocked(self.db.read(), by.as_str(), other.as_str())
            .await
            .map_err(database)
    }

    /// Whether the player is a member of the group. An id that is none names no group.
    pub async fn is_member(&self, group: &str, player: &PlayerId) -> Outcome<bool> {
        if !is_id(group) {
            return Ok(false);
        }
        store::is_member(self.db.read(), group, player.as_str())
            .await
            .map_err(database)
    }

    /// The friends of several players, as pairs of one of `players` and a friend. Two of
    /// `players` who are friends of each other make two pairs.
    pub async fn friends_of(&self, players: &[PlayerId]) -> Outcome<Vec<(PlayerId, PlayerId)>> {
        let rows = store::accepted(self.db.read(), players)
            .await
            .map_err(database)?;
        let asked: HashSet<&str> = players.iter().map(PlayerId::as_str).collect();
        let both_ways = rows.into_iter().flat_map(|row| {
            [
                (row.player_id.clone(), row.friend_id.clone()),
                (row.friend_id, row.player_id),
            ]
        });
        Ok(both_ways
            .filter(|(player, _)| asked.contains(player.as_str()))
            .map(|(player, friend)| (PlayerId::from(player), PlayerId::from(friend)))
            .collect())
    }
}
