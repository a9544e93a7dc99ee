//! The contract between a match and the game that is played in it.
//!
//! [`MatchLogic`] is what a game does, whichever language it is written in: `asobi-lua`
//! implements it for a folder of scripts. The match owns the roster, the clock and the
//! votes; the logic owns the game state and never sees a socket.
//!
//! Two rules keep a match alive whatever the logic does:
//! * a callback that fails has no effect: the logic restores the state from before it,
//!   drops what the callback had queued, and reports a [`ScriptFault`];
//! * what a callback wants from outside (an event to the players, a log line) it queues
//!   as an [`Effect`]; the match carries the effects out after the callback.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::ids::{MatchId, PlayerId};
use crate::phases::{PhaseDef, PhaseSignal};
use crate::timers::{Timer, TimerKey};
use crate::votes::VoteAsk;

/// A future that stays on its simulation thread. A callback may wait (for the economy, for
/// storage) and holds up its own match only.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What a match tells its logic when it begins.
#[derive(Clone, Debug)]
pub struct MatchSetup {
    /// The match this logic belongs to.
    pub match_id: MatchId,
    /// The game mode's name.
    pub mode: String,
    /// Seed of the match's own random numbers.
    pub seed: u64,
}

/// One input of one player, drained at the next tick.
#[derive(Clone, Debug)]
pub struct Input {
    /// Who sent it.
    pub player: PlayerId,
    /// The input: the text of one JSON object.
    pub payload: Bytes,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum StepOutcome {
    /// The match goes on.
    Running,
    /// The game is over. The result is the text of one JSON value, shown to every player.
    Finished(Bytes),
}

/// What a player may see, ready for the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// The JSON text of the view's payload.
    New(Bytes),
    /// The very table the previous call in this tick returned: its bytes serve again.
    Same,
}

/// Why a player did not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinRefusal {
    /// The game turned the player away, with its own word for the reason if it gave one
    /// (at most 64 printable ASCII characters).
    Refused(Option<String>),
    /// The game's `join` failed; the fault is among the effects.
    Failed,
}

/// What a callback wants from outside the simulation.
#[derive(Clone, Debug)]
pub enum Effect {
    /// `game.broadcast`: an event to every player of the match. `payload` is JSON text.
    Broadcast {
        /// The bare, validated event name; the wire type is `match.<event>`.
        event: String,
        /// JSON text.
        payload: Bytes,
    },
    /// `game.send`: a message to one player. `message` is JSON text.
    Send {
        /// The addressee.
        to: PlayerId,
        /// JSON text of any value.
        message: Bytes,
    },
    /// `game.match.set_joinable`.
    SetJoinable(bool),
    /// `game.timer.after` and `every`: `due` is in how many milliseconds.
    StartTimer(Timer),
    /// `game.timer.cancel`.
    CancelTimer(TimerKey),
    /// `game.phase.event` and its like.
    Phase(PhaseSignal),
    /// `game.bots.add`: place a bot of this bare name.
    AddBot(String),
    /// `game.bots.remove`: a bot by bare name or full id.
    RemoveBot(String),
    /// `game.chat.send`: a message in a channel, in whatever name the game likes.
    Chat {
        /// The channel's id.
        channel: String,
        /// Who it is from.
        sender: String,
        /// The text.
        content: String,
    },
    /// `game.log`.
    Log {
        /// How loud.
        level: LogLevel,
        /// At most 500 characters.
        message: String,
        /// JSON text of the structured part, if there was one.
        meta: Option<String>,
    },
    /// A callback failed.
    Fault(ScriptFault),
}

/// Levels of `game.log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// Why a callback failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The script raised an error.
    RuntimeError,
    /// The file does not compile or its top level raised an error.
    LoadError,
    /// The callback used up its CPU budget.
    Timeout,
    /// The match used up its memory budget.
    OutOfMemory,
}

/// One failed callback, as the developer reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptFault {
    /// The callback that failed: `tick`, `handle_input`, `reload`, ...
    pub callback: String,
    /// The script's path inside the game folder.
    pub script: String,
    /// The line, when the runtime knows it.
    pub line: Option<u32>,
    /// What went wrong.
    pub kind: FaultKind,
    /// One line of prose, at most 500 characters, `file:line: text`.
    pub message: String,
    /// Whose input set it off, if one did.
    pub player: Option<PlayerId>,
}

/// A timer that fired.
#[derive(Clone, Debug)]
pub struct FiredTimer {
    /// Its id; 0 for a timer of a phase.
    pub id: u64,
    /// The name the game gave it.
    pub name: String,
    /// JSON of what the game gave it to keep.
    pub data: Option<Box<RawValue>>,
}

/// What callbacks may ask about the match without waiting.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Unix milliseconds.
    pub now: u64,
    /// How many timers run.
    pub timers: usize,
    /// Ids from here on are free for timers.
    pub next_timer: u64,
    /// The phase, in a match that has them.
    pub phase: Option<PhaseNow>,
}

/// The phase a match is in.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseNow {
    /// The phase that runs or is waited for; `None` after the last.
    pub name: Option<String>,
    /// `waiting`, `active` or `complete`.
    pub status: &'static str,
    /// When it is due to end, in Unix milliseconds.
    pub ends_at: Option<u64>,
}

/// A future for a callback that a game does without.
fn nothing<'a, T: 'a>(value: T) -> LocalFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

/// A game as a match drives it. One value per match, on one thread.
pub trait MatchLogic {
    /// Milliseconds between two ticks; asked again after a reload.
    fn tick_rate_ms(&self) -> u64;

    /// Whether every player sees the same view, so that one call and one encoding serve all.
    fn shared_view(&self) -> bool;

    /// A player wants in. `ctx` is the client's validated join context, `{}` without one.
    fn join<'a>(
        &'a mut self,
        player: &'a PlayerId,
        ctx: &'a RawValue,
    ) -> LocalFuture<'a, Result<(), JoinRefusal>>;

    /// A player has left, or the grace for coming back is over.
    fn leave<'a>(&'a mut self, player: &'a PlayerId) -> LocalFuture<'a, ()>;

    /// The phases of a new match, in order. They are asked for once; a match that is taken up
    /// again goes on with those it had.
    fn phases(&mut self) -> Vec<PhaseDef> {
        Vec::new()
    }

    /// The time and what else callbacks may ask about, before they run.
    fn inform(&mut self, _around: Around) {}

    /// A phase has begun.
    fn phase_started<'a>(&'a mut self, _name: &'a str) -> LocalFuture<'a, ()> {
        nothing(())
    }

    /// A phase has ended.
    fn phase_ended<'a>(&'a mut self, _name: &'a str) -> LocalFuture<'a, ()> {
        nothing(())
    }

    /// Whether the phase that runs, whose end is the game's to know, is over.
    fn phase_over(&mut self, _name: &str) -> bool {
        false
    }

    /// Timers fired, in this order. Answers how many of them were handled; the rest come again
    /// at the next tick.
    fn timers<'a>(&'a mut self, fired: &'a [FiredTimer]) -> LocalFuture<'a, usize> {
        nothing(fired.len())
    }

    /// A player's connection dropped; the place is held for the grace period.
    fn disconnected<'a>(&'a mut self, _player: &'a PlayerId) -> LocalFuture<'a, ()> {
        nothing(())
    }

    /// A player whose connection had dropped is back.
    fn reconnected<'a>(&'a mut self, _player: &'a PlayerId) -> LocalFuture<'a, ()> {
        nothing(())
    }

    /// Applies the inputs in order, each with its own budget, then advances one tick.
    fn step<'a>(&'a mut self, inputs: &'a [Input]) -> LocalFuture<'a, StepOutcome>;

    /// What `player` may see now; with a shared view the player is ignored. `None` when the
    /// callback failed: nothing is sent for this player in this tick.
    fn view(&mut self, player: &PlayerId) -> Option<View>;

    /// The vote the game asks for now, as the object of the voting guide
    /// ([`crate::votes::request`]).
    fn vote_requested(&mut self) -> Option<VoteAsk>;

    /// What is wrong with the vote the game asked for; the developer should learn it.
    fn vote_fault(&mut self, message: &str) {
        tracing::warn!("vote_requested: {message}");
    }

    /// A vote is over. `result` is the JSON text of its result object.
    fn vote_resolved<'a>(&'a mut self, template: &'a str, result: &'a str) -> LocalFuture<'a, ()>;

    /// What the bot does about `view` (the bytes a client in its place gets): the JSON text
    /// of an input, or `None` when the mode has no bot script or it failed (the built-in AI
    /// plays on).
    fn think(&mut self, bot: &PlayerId, view: &Bytes) -> Option<Bytes>;

    /// Names the mode's bots choose from, in order.
    fn bot_names(&self) -> Vec<String>;

    /// Writes the game state as bytes that [`MatchLogic`] implementations of the same kind
    /// read back after a restart.
    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), ScriptFault>;

    /// Takes what the callbacks since the last call have queued, in order.
    fn drain_effects(&mut self) -> Vec<Effect>;
}

/// Makes the logic of a mode's matches. Shared by all simulation threads.
pub trait LogicFactory: Send + Sync {
    /// A new match: loads the game and runs its `init`, which may wait.
    fn create<'a>(
        &'a self,
        setup: &'a MatchSetup,
    ) -> LocalFuture<'a, Result<Box<dyn MatchLogic>, ScriptFault>>;

    /// A match from its snapshot: loads the game and takes the state from `snapshot`.
    fn restore(
        &self,
        setup: &MatchSetup,
        snapshot: &[u8],
    ) -> Result<Box<dyn MatchLogic>, ScriptFault>;
}
