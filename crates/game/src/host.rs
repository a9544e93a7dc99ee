//! What a match needs from outside the simulation.
//!
//! The server implements [`MatchHost`] with sockets and a database behind it. Calls come from
//! simulation threads: they hand over and return, they never wait.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use crate::ids::{MatchId, PlayerId};
use crate::logic::{LogLevel, ScriptFault};
use crate::matches::{MatchHandle, SavedMatch};
use crate::votes::{VoteRequest, VoteResult};

/// The outside, as a match sees it.
pub trait MatchHost: Send + Sync {
    /// Delivers one frame to several players, in order with other events.
    fn send_event(&self, to: &[PlayerId], frame: String);

    /// Delivers a state to several players. A newer state replaces one not yet sent.
    fn send_state(&self, to: &[PlayerId], frame: String);

    /// The match can be spoken to from now on; nobody is in it yet.
    fn match_started(&self, handle: MatchHandle);

    /// A person is in the match from now on. Answers whether they have a connection now; if
    /// not, the match holds their place for the grace period.
    fn player_joined(&self, match_id: &MatchId, player: &PlayerId) -> bool;

    /// A person is out of the match.
    fn player_left(&self, match_id: &MatchId, player: &PlayerId);

    /// The match is over.
    fn match_finished(&self, record: MatchRecord);

    /// A vote is over.
    fn vote_resolved(&self, record: VoteRecord);

    /// The match as it can be taken up again after a restart; replaces the previous one.
    fn save_match(&self, saved: SavedMatch);

    /// The match is gone, and so is what was saved of it.
    fn match_stopped(&self, match_id: &MatchId);

    /// A game says something in a chat channel.
    fn chat(&self, channel: String, sender: String, content: String);

    /// A callback failed. `players` are the people in the match.
    fn script_fault(&self, origin: &Origin, fault: &ScriptFault, players: &[PlayerId]);

    /// A script logged a line. `meta` is JSON text.
    fn script_log(&self, origin: &Origin, level: LogLevel, message: &str, meta: Option<&str>);
}

/// Where something a script did comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The match.
    pub match_id: MatchId,
    /// Its mode.
    pub mode: String,
}

/// A finished match, as it is kept.
#[derive(Clone, Debug)]
pub struct MatchRecord {
    /// The match.
    pub id: MatchId,
    /// Its mode.
    pub mode: String,
    /// Everyone in it at the end.
    pub players: Vec<PlayerId>,
    /// The game's result, as JSON text.
    pub result: Bytes,
    /// Unix milliseconds of the first tick.
    pub started_at: Option<u64>,
    /// Unix milliseconds of the end.
    pub finished_at: u64,
}

/// A finished vote, as it is kept.
#[derive(Clone, Debug)]
pub struct VoteRecord {
    /// The match it was held in.
    pub match_id: MatchId,
    /// What the game asked for.
    pub request: VoteRequest,
    /// Who voted for what: an option's id, or a list of them.
    pub votes_cast: BTreeMap<String, Value>,
    /// How it came out.
    pub result: VoteResult,
    /// How many could have voted.
    pub eligible: usize,
    /// Unix milliseconds.
    pub opened_at: u64,
    /// Unix milliseconds.
    pub closed_at: u64,
}
