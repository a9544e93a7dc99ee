//! Friends and groups: who belongs to whom.
//!
//! Start here for what others ask; friends are in [`friends`], groups in [`groups`] (the group),
//! [`members`] (who is in it and as what) and [`invites`] (who may come in), and who may do what
//! in a group in [`roles`].
//!
//! Every change locks first what it counts or compares: the players in the order of their ids,
//! then the groups in the order of theirs. So two requests that cross come one after the other,
//! on PostgreSQL too, and never wait for each other.

mod entities;
pub mod friend_routes;
mod friends;
pub mod group_routes;
mod group_store;
mod groups;
mod invites;
mod members;
mod roles;
mod store;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use asobi_game::PlayerId;
use asobi_wire::Code;
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::people::{self, Person};
use crate::cluster::Bus;
use crate::config::SocialConfig;
use crate::db::Db;
use crate::edge::error::{Outcome, database};
use crate::edge::limits::{Limiter, Rate, rate_limited};
use crate::notifications::Notifications;
use crate::text::is_id;

pub use members::hand_over_groups;

/// Friends and groups. Cheap to clone.
#[derive(Clone)]
pub struct Social {
    db: Db,
    bus: Bus,
    notifications: Notifications,
    max_friends: u64,
    max_groups: u64,
    notices: Arc<Limiter<PlayerId>>,
}

/// What others see of a player, and whether they are there.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PlayerSeen)]
pub struct Seen {
    username: String,
    display_name: String,
    avatar_url: Option<String>,
    /// Whether the player has a connection.
    online: bool,
}

impl Social {
    /// The friends and groups of a database.
    pub fn new(config: &SocialConfig, db: Db, bus: Bus, notifications: Notifications) -> Self {
        let notices = Rate::new(config.notices_per_minute, Duration::from_secs(60));
        Self {
            db,
            bus,
            notifications,
            max_friends: config.max_friends,
            max_groups: config.max_groups,
            notices: Arc::new(Limiter::new(notices)),
        }
    }

    /// Counts what others are notified of. Done and taken back over and over it would keep them,
    /// and the database, busy.
    ///
    /// # Errors
    /// `rate_limited`
    fn spend_notice(&self, player: &PlayerId) -> Outcome<()> {
        self.notices.take(player.clone()).map_err(rate_limited)
    }

    /// Whether `by` has blocked `other`.
    ///
    /// # Errors
    /// `internal` if the database fails, as all verbs here.
    pub async fn is_blocked(&self, by: &PlayerId, other: &PlayerId) -> Outcome<bool> {
        self.db.check().map_err(database)?;
        store::is_blocked(self.db.read(), by.as_str(), other.as_str())
            .await
            .map_err(database)
    }

    /// Whether the player is a member of the group. An id that is none names no group.
    pub async fn is_member(&self, group: &str, player: &PlayerId) -> Outcome<bool> {
        if !is_id(group) {
            return Ok(false);
        }
        self.db.check().map_err(database)?;
        let member = group_store::member(self.db.read(), group, player.as_str()).await;
        Ok(member.map_err(database)?.is_some())
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

    fn seen(&self, person: Person) -> Seen {
        let online = self
            .bus
            .sessions()
            .is_connected(&PlayerId::from(person.id.as_str()));
        Seen {
            username: person.username,
            display_name: person.display_name,
            avatar_url: person.avatar_url,
            online,
        }
    }

    /// What others see of several players, by id.
    async fn seen_by_id<'a>(
        &self,
        db: &impl ConnectionTrait,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Outcome<HashMap<String, Seen>> {
        let people = people::people(db, ids).await.map_err(database)?;
        let seen = people.into_iter();
        Ok(seen.map(|(id, person)| (id, self.seen(person))).collect())
    }
}

/// The caller, nobody else's to change until the transaction ends. Whoever was erased may still
/// hold a token that counts.
async fn lock_caller(tx: &DatabaseTransaction, caller: &PlayerId) -> Outcome<Person> {
    let locked = people::lock(tx, [caller.as_str()])
        .await
        .map_err(database)?;
    let caller = locked.into_iter().next();
    caller.ok_or_else(|| Code::Unauthenticated.into())
}
