//! A match: a roster, a clock, and a game that is played.
//!
//! * [`handle`]: how everybody else speaks to a match.
//! * [`actor`]: the match's own task: waits for commands and the next tick.
//! * [`running`]: what a match does with them; told the time, so a test can run an hour in
//!   milliseconds.
//! * [`roster`]: who is in, and who is expected back.
//! * [`saved`]: a match as it survives a restart.

use std::sync::Arc;

use serde::Serialize;

use crate::ids::{MatchId, PlayerId};
use crate::modes::Mode;
use crate::votes::Templates;

pub mod actor;
pub mod handle;
pub mod roster;
pub mod running;
pub mod saved;

pub use handle::{InputError, JoinError, MatchHandle};
pub use running::Match;
pub use saved::SavedMatch;

/// Where a match is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Status {
    Waiting,
    Running,
    Finished,
}

/// How matches are run, from the server's settings.
#[derive(Clone, Debug)]
pub struct MatchSettings {
    /// How long a dropped player's place is held when the mode does not say, in milliseconds.
    pub reconnect_grace_ms: u64,
    /// Time between two snapshots of a running match, in milliseconds.
    pub snapshot_interval_ms: u64,
    /// How long a match waits for its players before it gives up, in milliseconds.
    pub waiting_timeout_ms: u64,
    /// Also send `game.message`, the name before `module.message`.
    pub legacy_game_frames: bool,
    /// How long a finished match can still be asked about, in milliseconds.
    pub linger_ms: u64,
    /// The operator's templates of votes.
    pub vote_templates: Arc<Templates>,
}

impl Default for MatchSettings {
    fn default() -> Self {
        Self {
            reconnect_grace_ms: 30_000,
            snapshot_interval_ms: 750,
            waiting_timeout_ms: 60_000,
            legacy_game_frames: true,
            linger_ms: 5_000,
            vote_templates: Arc::default(),
        }
    }
}

/// What a match tells about itself.
#[derive(Clone, Debug, Serialize)]
pub struct MatchInfo {
    /// Its id.
    pub match_id: MatchId,
    /// Its mode.
    pub mode: String,
    /// Where it is in its life.
    pub status: Status,
    /// How many are in it.
    pub player_count: usize,
    /// How many it holds.
    pub max_players: u32,
    /// Everyone in it.
    pub players: Vec<PlayerId>,
    /// Whether discovery shows it.
    pub listed: bool,
    /// Whether it takes new players.
    pub joinable: bool,
    /// Status, name and time left of its phase, when the mode has phases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A match about to begin.
pub struct NewMatch {
    /// Its id.
    pub id: MatchId,
    /// Its mode.
    pub mode: Mode,
    /// Seed of its random numbers.
    pub seed: u64,
    /// The people and bots the matchmaker put together; they are joined before the first tick.
    pub players: Vec<PlayerId>,
    /// The sides of the match, if it has any; each of its players stands on one.
    pub teams: Vec<Vec<PlayerId>>,
}
