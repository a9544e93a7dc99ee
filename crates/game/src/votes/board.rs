//! The votes of one session, a match or a world: those that are open, and what players carry
//! from one vote to the next.
//!
//! The session asks here, sends the frames and tells the game; a board knows neither. It is
//! plain data and part of the session's snapshot.

use std::collections::BTreeMap;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::request::{Templates, VoteAsk, VoteRequest, VoteRequestError};
use super::{CastError, Vote, VoteResult};
use crate::ids::PlayerId;

/// Votes that can be open in one session at once.
pub const MAX_OPEN_VOTES: usize = 16;

/// What a mode says about votes in its sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VoteRules {
    /// Vetoes each player has in one session.
    pub veto_tokens_per_player: u32,
    /// What each vote lost in a row adds to a player's weight in the next `weighted` one.
    pub frustration_bonus: f64,
}

impl Default for VoteRules {
    fn default() -> Self {
        Self {
            veto_tokens_per_player: 0,
            frustration_bonus: 0.5,
        }
    }
}

/// Why a veto does not count. The texts are the reasons the socket answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum VetoError {
    #[error("vote_not_found")]
    VoteNotFound,
    #[error("veto_disabled")]
    Disabled,
    #[error("not_eligible")]
    NotEligible,
    #[error("vote_closed")]
    Closed,
    #[error("no_veto_tokens")]
    NoTokens,
}

/// The votes of one session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VoteBoard {
    open: Vec<Vote>,
    /// Vetoes spent. Kept by player, so that leaving and coming back gives no new ones.
    vetoes: BTreeMap<PlayerId, u32>,
    /// Votes lost in a row.
    frustration: BTreeMap<PlayerId, u32>,
}

impl VoteBoard {
    /// Opens a vote for the session's `members`. Answers what was wrong with the request beside
    /// the vote.
    pub fn open(
        &mut self,
        ask: &VoteAsk,
        templates: &Templates,
        members: &[PlayerId],
        rules: &VoteRules,
        now: u64,
    ) -> Result<(&Vote, Vec<String>), VoteRequestError> {
        if self.open.len() >= MAX_OPEN_VOTES {
            return Err(VoteRequestError::TooManyVotes(MAX_OPEN_VOTES));
        }
        let (mut request, complaints) = VoteRequest::read(ask, templates)?;
        if let Some(id) = &request.vote_id
            && self.find(id).is_some()
        {
            return Err(VoteRequestError::DuplicateVote(id.clone()));
        }
        self.add_frustration(&mut request, rules);
        let at = self.open.len();
        self.open.push(Vote::open(request, members, now));
        Ok((&self.open[at], complaints))
    }

    /// Gives those who lost before a weight, unless the game gave them one.
    fn add_frustration(&self, request: &mut VoteRequest, rules: &VoteRules) {
        for (player, lost) in &self.frustration {
            let weight = 1.0 + f64::from(*lost) * rules.frustration_bonus;
            let weights = &mut request.weights;
            weights.entry(player.clone()).or_insert(weight);
        }
    }

    /// The open votes, oldest first.
    pub fn votes(&self) -> &[Vote] {
        &self.open
    }

    fn find(&self, id: &str) -> Option<usize> {
        self.open.iter().position(|vote| vote.id == id)
    }

    /// Casts or changes a ballot: ids of options.
    pub fn cast(
        &mut self,
        voter: &PlayerId,
        vote_id: &str,
        ids: &[impl AsRef<str>],
        now: u64,
    ) -> Result<&Vote, CastError> {
        let at = self.find(vote_id).ok_or(CastError::VoteNotFound)?;
        self.open[at].cast(voter, ids, now)?;
        Ok(&self.open[at])
    }

    /// Spends one of `player`'s tokens and ends the vote.
    pub fn veto(
        &mut self,
        player: &PlayerId,
        vote_id: &str,
        rules: &VoteRules,
        now: u64,
    ) -> Result<&Vote, VetoError> {
        let at = self.find(vote_id).ok_or(VetoError::VoteNotFound)?;
        let vote = &mut self.open[at];
        if !vote.request.veto_enabled {
            return Err(VetoError::Disabled);
        }
        if !vote.eligible.contains(player) {
            return Err(VetoError::NotEligible);
        }
        if vote.is_closed(now) {
            return Err(VetoError::Closed);
        }
        let spent = self.vetoes.get(player).copied().unwrap_or_default();
        if spent >= rules.veto_tokens_per_player {
            return Err(VetoError::NoTokens);
        }
        self.vetoes.insert(player.clone(), spent + 1);
        vote.veto(player);
        Ok(&self.open[at])
    }

    /// Takes the oldest vote that is over.
    pub fn take_over(&mut self, now: u64) -> Option<Vote> {
        let at = self.open.iter().position(|vote| vote.is_over(now))?;
        Some(self.open.remove(at))
    }

    /// The result of a vote that was taken; remembers who lost.
    pub fn resolve(&mut self, vote: &Vote, rng: &mut impl Rng) -> VoteResult {
        let result = vote.result(rng);
        if let Some(winner) = &result.winner {
            for (player, content) in vote.contentment(winner) {
                if content {
                    self.frustration.remove(player);
                } else {
                    *self.frustration.entry(player.clone()).or_default() += 1;
                }
            }
        }
        result
    }

    /// A player has left the session.
    pub fn left(&mut self, player: &PlayerId) {
        for vote in &mut self.open {
            vote.left(player);
        }
    }

    /// A player is in the session, perhaps again.
    pub fn joined(&mut self, player: &PlayerId) {
        for vote in &mut self.open {
            vote.returned(player);
        }
    }

    /// Moves the open votes in time after a pause.
    pub fn shift(&mut self, pause_ms: u64) {
        for vote in &mut self.open {
            vote.shift(pause_ms);
        }
    }
}
