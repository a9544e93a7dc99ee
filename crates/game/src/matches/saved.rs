//! A match as it survives a restart: the game's state as bytes, and beside it what the match
//! itself must know to go on.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Status;
use super::roster::Member;
use crate::ids::MatchId;
use crate::phases::Phases;
use crate::timers::SavedTimers;
use crate::votes::VoteBoard;

/// A saved match.
#[derive(Clone, Debug)]
pub struct SavedMatch {
    /// Which match.
    pub id: MatchId,
    /// Its mode's name. The mode itself is read from the game folder again.
    pub mode: String,
    /// What the match knows beside the game's state.
    pub meta: SavedMeta,
    /// The game's state, as the logic wrote it.
    pub state: Bytes,
}

/// What the match knows beside the game's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedMeta {
    /// Where it is in its life.
    pub status: Status,
    /// Seed of its random numbers.
    pub seed: u64,
    /// Everyone in it.
    pub members: Vec<Member>,
    /// Whether it takes new players.
    pub joinable: bool,
    /// Votes in progress, and what players carry from vote to vote.
    #[serde(default)]
    pub voting: VoteBoard,
    /// Phases in progress.
    #[serde(default)]
    pub phases: Option<Phases>,
    /// The game's timers.
    #[serde(default)]
    pub timers: SavedTimers,
    /// Unix milliseconds of the first tick.
    pub started_at: Option<u64>,
    /// Unix milliseconds of this snapshot.
    pub saved_at: u64,
}
