//! What clients and games learn of a vote.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::request::{Visibility, VoteOption};
use crate::ids::PlayerId;

/// What an option has. A whole number stands on the wire as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Amount(pub f64);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0 as i64;
        if whole as f64 == self.0 {
            serializer.serialize_i64(whole)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// What clients learn when a vote starts.
#[derive(Debug, Serialize)]
pub struct VoteStart<'a> {
    pub(super) vote_id: &'a str,
    pub(super) template: &'a str,
    pub(super) options: Vec<ShownOption<'a>>,
    pub(super) window_ms: u64,
    pub(super) method: &'a str,
    pub(super) visibility: Visibility,
    pub(super) veto_enabled: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct ShownOption<'a> {
    id: &'a str,
    label: &'a str,
}

impl<'a> From<&'a VoteOption> for ShownOption<'a> {
    fn from(option: &'a VoteOption) -> Self {
        Self {
            id: &option.id,
            label: option.label.as_deref().unwrap_or(&option.id),
        }
    }
}

/// The running count.
#[derive(Debug, Serialize)]
pub struct VoteTally<'a> {
    pub(super) vote_id: &'a str,
    pub(super) tallies: BTreeMap<&'a str, Amount>,
    pub(super) time_remaining_ms: u64,
    pub(super) total_votes: usize,
}

/// A player ended a vote.
#[derive(Debug, Serialize)]
pub struct VoteVetoed<'a> {
    /// The vote.
    pub vote_id: &'a str,
    /// Who.
    pub vetoed_by: &'a PlayerId,
}

/// Why a vote has no winner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoWinner {
    /// Too few of the eligible took part.
    NoQuorum,
    /// Nobody had the supermajority that was required.
    NoConsensus,
    /// A player spent a veto token.
    Vetoed,
}

/// How a vote came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VoteResult {
    /// The vote.
    pub vote_id: String,
    /// The winning option's id.
    pub winner: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<NoWinner>,
    /// What each option has: ballots, weights, or with spectators the merged score. First
    /// choices with `ranked`.
    pub counts: BTreeMap<String, Amount>,
    /// Share per option, 0 to 1: of what was cast, with `approval` of the ballots.
    pub distribution: BTreeMap<String, f64>,
    /// Ballots counted, with those by default and delegation.
    pub total_votes: usize,
    /// Share of the eligible who voted themselves, 0 to 1.
    pub turnout: f64,
    /// With `ranked`: the options that went, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub eliminated: Vec<String>,
    /// What each option has from players, when spectators voted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub player_counts: Option<BTreeMap<String, Amount>>,
    /// What each option has from spectators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spectator_counts: Option<BTreeMap<String, Amount>>,
    /// Who vetoed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vetoed_by: Option<PlayerId>,
}
