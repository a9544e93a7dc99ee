//! Votes: casting ballots in a running match, and reading how earlier votes came out.
//!
//! Counting is `asobi_game::votes`; a vote runs inside its match.

pub mod frames;
pub mod routes;
mod store;

use asobi_game::PlayerId;
use asobi_game::host::VoteRecord;
use asobi_wire::{ApiError, Code};
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;

use crate::db::Db;
use crate::edge::error::{Outcome, database};
use crate::matches::Matches;
use crate::text::is_storable;

/// The votes domain. Cheap to clone.
#[derive(Clone)]
pub struct Votes {
    db: Db,
    matches: Matches,
}

/// Keeps finished votes, as part of what their match writes.
pub async fn keep(transaction: &DatabaseTransaction, votes: &[VoteRecord]) -> Result<(), DbErr> {
    store::insert(transaction, votes).await
}

impl Votes {
    /// The domain on top of running matches.
    pub fn new(db: Db, matches: Matches) -> Self {
        Self { db, matches }
    }

    /// Casts a ballot in the match the player is in.
    pub async fn cast(&self, player: &PlayerId, vote_id: String, option: String) -> Outcome<()> {
        let handle = self
            .matches
            .of(player)
            .ok_or_else(|| ApiError::from_reason("not_in_match"))?;
        let cast = handle.cast_vote(player.clone(), vote_id, option).await;
        cast.map_err(|error| ApiError::from_reason(error.to_string()))
    }

    /// The votes held in a match, newest first, for those who are or were in it.
    pub async fn of_match(&self, player: &PlayerId, match_id: &str) -> Outcome<Vec<Value>> {
        if !self.matches.took_part(player, match_id).await? {
            return Err(Code::Forbidden.into());
        }
        store::of_match(&self.db, match_id).await.map_err(database)
    }

    /// One finished vote.
    pub async fn find(&self, id: &str) -> Outcome<Value> {
        // A game may choose the id, so it need not be a UUID.
        let vote = match is_storable(id) {
            true => store::find(&self.db, id).await.map_err(database)?,
            false => None,
        };
        vote.ok_or_else(|| Code::VoteNotFound.into())
    }
}
