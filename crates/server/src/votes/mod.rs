//! Votes: casting ballots in a running match, and reading how earlier votes came out.
//!
//! Counting is `asobi_game::votes`; a vote runs inside its match.

pub mod frames;
pub mod routes;
mod shown;
mod store;

use asobi_game::PlayerId;
use asobi_game::host::VoteRecord;
use asobi_game::votes::request::MAX_ID_BYTES;
use asobi_wire::{ApiError, Code};
use sea_orm::{DatabaseTransaction, DbErr};

use crate::db::Db;
use crate::edge::error::{Outcome, database};
use crate::matches::Matches;
use crate::text;

pub use self::shown::ShownVote;

/// Votes shown of one match.
const SHOWN: usize = 50;

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

    /// Casts a ballot in the match the player is in, or, as a spectator, in the named one.
    pub async fn cast(
        &self,
        player: &PlayerId,
        match_id: Option<&str>,
        vote_id: String,
        ids: Vec<String>,
    ) -> Outcome<()> {
        let handle = self
            .matches
            .of(player)
            .or_else(|| self.matches.find(match_id?));
        let handle = handle.ok_or_else(|| ApiError::from_reason("not_in_match"))?;
        let cast = handle.cast_vote(player.clone(), vote_id, ids).await;
        cast.map_err(|error| ApiError::from_reason(error.to_string()))
    }

    /// Ends a vote in the match the player is in.
    pub async fn veto(&self, player: &PlayerId, vote_id: String) -> Outcome<()> {
        let handle = self
            .matches
            .of(player)
            .ok_or_else(|| ApiError::from_reason("not_in_match"))?;
        let veto = handle.veto(player.clone(), vote_id).await;
        veto.map_err(|error| ApiError::from_reason(error.to_string()))
    }

    /// The votes held in a match, newest first and those in progress before them, for those who
    /// are or were in it.
    pub async fn of_match(&self, player: &PlayerId, match_id: &str) -> Outcome<Vec<ShownVote>> {
        if !text::is_id(match_id) || !self.matches.took_part(player, match_id).await? {
            return Err(Code::Forbidden.into());
        }
        let mut votes = self.open_votes(match_id).await;
        votes.reverse();
        votes.extend(
            store::of_match(&self.db, match_id)
                .await
                .map_err(database)?,
        );
        votes.truncate(SHOWN);
        Ok(votes)
    }

    /// One vote: a finished one, or one in progress in the match the player is in.
    pub async fn find(&self, player: &PlayerId, id: &str) -> Outcome<ShownVote> {
        // A game may name its votes itself, so this need not be a UUID.
        if !text::is_key(id, MAX_ID_BYTES) {
            return Err(Code::VoteNotFound.into());
        }
        if let Some(handle) = self.matches.of(player) {
            let open = self.open_votes(handle.id().as_str()).await;
            if let Some(vote) = open.into_iter().find(|vote| vote.id == id) {
                return Ok(vote);
            }
        }
        let vote = store::find(&self.db, id).await.map_err(database)?;
        vote.ok_or_else(|| Code::VoteNotFound.into())
    }

    async fn open_votes(&self, match_id: &str) -> Vec<ShownVote> {
        let Some(handle) = self.matches.find(match_id) else {
            return Vec::new();
        };
        let votes = handle.votes().await;
        votes
            .iter()
            .map(|vote| ShownVote::open(match_id, vote))
            .collect()
    }
}
