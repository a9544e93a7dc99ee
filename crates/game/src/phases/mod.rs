//! Phases: the stages of one session's life, walked in order.
//!
//! [`Phases`] is plain data that is told the time. Whoever owns the session (a match, later a
//! world) calls [`Phases::advance`] at each tick, runs the game's callbacks for the events it
//! answers, and shows [`Phases::info`] to clients.
//!
//! A phase waits for its start condition, runs until its duration or its end condition is met,
//! and gives way to the next one. One call of `advance` ends at most one phase and begins at
//! most one, however long the session stood still: there are no bursts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::ids::PlayerId;

pub mod timer;

pub use timer::{PhaseTimer, TimerDef, TimerEvent};

/// Most phases of one list.
pub const MAX_PHASES: usize = 256;

/// Longest duration of a phase, in milliseconds (30 days).
pub const MAX_DURATION_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A phase that ends late by no more than this hands its exact end to the next one, so that
/// durations add up. After a longer stall the next phase begins now, and whole.
const EXACT_WITHIN_MS: u64 = 1_000;

/// One phase as the game declares it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseDef {
    /// What callbacks and clients call it.
    pub name: String,
    /// When it begins.
    pub start: Condition,
    /// What ends it besides its duration.
    pub end: Option<End>,
    /// How long it lasts, in milliseconds. `None`: until its end condition, or for ever.
    pub duration_ms: Option<u64>,
    /// The phase's own settings, shown to clients while it runs: an object.
    pub config: Value,
    /// Timers that run while it does.
    pub timers: Vec<TimerDef>,
}

/// When a phase, or a conditional timer, begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// When the previous phase ends; the first one at once.
    PrevEnded,
    /// When this many are in, bots included.
    Players(u32),
    /// When this share of the places (0 to 1) is taken.
    PlayersRatio(f64),
    /// When every person is ready, or the game says so.
    AllReady,
    /// When the game names this event.
    Event(String),
    /// After waiting this many milliseconds.
    Timer(u64),
}

/// What ends a phase besides its duration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The same conditions that can start one.
    When(Condition),
    /// When fewer than this many are in.
    PlayersBelow(u32),
    /// The game is asked at each tick.
    Asked,
}

/// Who is in the session, as far as phases care.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    /// How many are in, bots included.
    pub players: usize,
    /// How many it holds.
    pub max_players: u32,
    /// The people among them: those who can be ready.
    pub people: &'a [PlayerId],
}

/// What the game says to its phases.
#[derive(Clone, Debug, PartialEq)]
pub enum PhaseSignal {
    /// Something happened that a phase or a timer may wait for.
    Event(String),
    /// A player is ready, or no longer. Forgotten at each transition.
    Ready(PlayerId, bool),
    /// Everybody counts as ready.
    AllReady,
    /// A waiting phase begins, a running one ends.
    Skip,
}

/// What came of an [`Phases::advance`], in order.
#[derive(Clone, Debug, PartialEq)]
pub enum PhaseEvent {
    /// The phase of this index began.
    Started(usize),
    /// The phase of this index ended.
    Ended(usize),
    /// The next phase, of this index, waits for its start condition.
    Waiting(usize),
    /// The last phase ended.
    Complete,
    /// Something about a timer of the phase that runs.
    Timer(String, TimerEvent),
}

/// A session's phases in progress. Times are Unix milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Phases {
    list: Vec<PhaseDef>,
    at: usize,
    stage: Stage,
    /// The condition the current stage waits for was named.
    signalled: bool,
    ready: BTreeSet<PlayerId>,
    timers: Vec<PhaseTimer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    NotBegun,
    Waiting { since: u64 },
    Active { ends_at: Option<u64> },
    Complete,
}

impl Phases {
    /// The phases of a session that has not begun; `None` when it has none.
    pub fn new(list: Vec<PhaseDef>) -> Option<Self> {
        (!list.is_empty()).then_some(Self {
            list,
            at: 0,
            stage: Stage::NotBegun,
            signalled: false,
            ready: BTreeSet::new(),
            timers: Vec::new(),
        })
    }

    /// The declared phase of this index.
    pub fn def(&self, index: usize) -> &PhaseDef {
        &self.list[index]
    }

    /// Whether the last phase has ended.
    pub fn is_complete(&self) -> bool {
        self.stage == Stage::Complete
    }

    /// The phase that runs and is to be ended by asking the game.
    pub fn asks(&self) -> Option<&PhaseDef> {
        let current = &self.list[self.at];
        let asks = matches!(self.stage, Stage::Active { .. }) && current.end == Some(End::Asked);
        asks.then_some(current)
    }

    /// When the phase that runs is due to end.
    pub fn ends_at(&self) -> Option<u64> {
        match self.stage {
            Stage::Active { ends_at } => ends_at,
            _ => None,
        }
    }

    /// The name of the phase that runs or is waited for.
    pub fn current(&self) -> Option<&str> {
        let current = &self.list[self.at].name;
        (!self.is_complete()).then_some(current)
    }

    /// `waiting`, `active` or `complete`.
    pub fn status(&self) -> &'static str {
        match self.stage {
            Stage::NotBegun | Stage::Waiting { .. } => "waiting",
            Stage::Active { .. } => "active",
            Stage::Complete => "complete",
        }
    }

    /// Takes in what the game said; the next [`Phases::advance`] acts on it. What nothing waits
    /// for is forgotten.
    pub fn signal(&mut self, signal: PhaseSignal) {
        match signal {
            PhaseSignal::Ready(player, true) => {
                self.ready.insert(player);
            }
            PhaseSignal::Ready(player, false) => {
                self.ready.remove(&player);
            }
            PhaseSignal::Skip => self.signalled |= !self.is_complete(),
            PhaseSignal::AllReady => self.named(&Condition::AllReady),
            PhaseSignal::Event(name) => self.named(&Condition::Event(name)),
        }
    }

    fn named(&mut self, condition: &Condition) {
        let current = &self.list[self.at];
        self.signalled |= match self.stage {
            Stage::NotBegun | Stage::Waiting { .. } => current.start == *condition,
            Stage::Active { .. } => {
                matches!(&current.end, Some(End::When(awaited)) if awaited == condition)
            }
            Stage::Complete => false,
        };
        for timer in &mut self.timers {
            timer.named(condition);
        }
    }

    /// A player has left: they are not ready any more.
    pub fn left(&mut self, player: &PlayerId) {
        self.ready.remove(player);
    }

    /// The game was asked whether the phase that [`Phases::asks`] is over, and it is.
    pub fn asked(&mut self) {
        self.signalled |= self.asks().is_some();
    }

    /// Moves on to `now`: at most one transition, and what its timers have to say.
    pub fn advance(&mut self, now: u64, room: &Room<'_>) -> Vec<PhaseEvent> {
        match self.stage {
            Stage::Complete => Vec::new(),
            Stage::NotBegun => self.enter(0, now),
            Stage::Waiting { since } => {
                let start = &self.list[self.at].start;
                if self.signalled || self.is_met(start, since, now, room) {
                    self.begin(now)
                } else {
                    Vec::new()
                }
            }
            Stage::Active { ends_at } => {
                let mut events = self.run_timers(now, room);
                if let Some(from) = self.over(ends_at, now, room) {
                    events.push(PhaseEvent::Ended(self.at));
                    events.append(&mut self.next(from));
                }
                events
            }
        }
    }

    fn is_met(&self, condition: &Condition, since: u64, now: u64, room: &Room<'_>) -> bool {
        condition.is_met(since, now, room, &self.ready)
    }

    /// When the phase that runs was over, if it is: the start of the next one.
    fn over(&self, ends_at: Option<u64>, now: u64, room: &Room<'_>) -> Option<u64> {
        if let Some(due) = ends_at.filter(|due| *due <= now) {
            let exact = now - due <= EXACT_WITHIN_MS;
            return Some(if exact { due } else { now });
        }
        let over = self.signalled
            || match &self.list[self.at].end {
                Some(End::When(condition)) => self.is_met(condition, u64::MAX, now, room),
                Some(End::PlayersBelow(least)) => room.players < *least as usize,
                Some(End::Asked) | None => false,
            };
        over.then_some(now)
    }

    fn run_timers(&mut self, now: u64, room: &Room<'_>) -> Vec<PhaseEvent> {
        let mut events = Vec::new();
        for timer in &mut self.timers {
            let id = timer.def.id.clone();
            let said = timer.advance(now, room, &self.ready);
            events.extend(said.into_iter().map(|e| PhaseEvent::Timer(id.clone(), e)));
        }
        events
    }

    fn next(&mut self, from: u64) -> Vec<PhaseEvent> {
        if self.at + 1 == self.list.len() {
            self.stage = Stage::Complete;
            self.reset();
            return vec![PhaseEvent::Complete];
        }
        self.enter(self.at + 1, from)
    }

    fn enter(&mut self, at: usize, now: u64) -> Vec<PhaseEvent> {
        self.at = at;
        self.stage = Stage::Waiting { since: now };
        self.reset();
        match self.list[at].start {
            Condition::PrevEnded => self.begin(now),
            _ => vec![PhaseEvent::Waiting(at)],
        }
    }

    fn begin(&mut self, now: u64) -> Vec<PhaseEvent> {
        let current = &self.list[self.at];
        self.stage = Stage::Active {
            ends_at: current.duration_ms.map(|ms| now.saturating_add(ms)),
        };
        let timers = current.timers.iter();
        let timers = timers
            .map(|def| PhaseTimer::new(def.clone(), now))
            .collect();
        self.reset();
        self.timers = timers;
        vec![PhaseEvent::Started(self.at)]
    }

    fn reset(&mut self) {
        self.signalled = false;
        self.ready.clear();
        self.timers.clear();
    }

    /// What the server was down for does not count.
    pub fn shift(&mut self, by: u64) {
        match &mut self.stage {
            Stage::Waiting { since } => *since += by,
            Stage::Active { ends_at: Some(at) } => *at += by,
            Stage::NotBegun | Stage::Active { ends_at: None } | Stage::Complete => {}
        }
        for timer in &mut self.timers {
            timer.shift(by);
        }
    }

    /// What clients are shown at `now`: the payload of `phase_changed`.
    pub fn info(&self, now: u64) -> Map<String, Value> {
        let mut info = self.brief(now);
        if matches!(self.stage, Stage::Active { .. }) {
            let timers = self.timers.iter();
            let timers = timers.map(|timer| (timer.def.id.clone(), timer.info(now)));
            info.insert("config".into(), self.list[self.at].config.clone());
            info.insert("timers".into(), Value::Object(timers.collect()));
        }
        info
    }

    /// The part of [`Phases::info`] that listings show.
    pub fn brief(&self, now: u64) -> Map<String, Value> {
        let mut info = Map::new();
        info.insert("status".into(), self.status().into());
        info.insert("phase".into(), self.current().into());
        match self.stage {
            Stage::NotBegun | Stage::Waiting { .. } => {
                let start = self.list[self.at].start.shown();
                info.insert("start_condition".into(), start);
            }
            Stage::Active { ends_at } => {
                let remaining = ends_at.map(|at| at.saturating_sub(now));
                info.insert("remaining_ms".into(), remaining.into());
            }
            Stage::Complete => {}
        }
        info
    }
}

impl Condition {
    fn is_met(&self, since: u64, now: u64, room: &Room<'_>, ready: &BTreeSet<PlayerId>) -> bool {
        match self {
            Self::PrevEnded => false,
            Self::Event(_) => false,
            Self::Players(least) => room.players >= *least as usize,
            Self::PlayersRatio(share) => {
                room.players > 0 && room.players as f64 >= share * f64::from(room.max_players)
            }
            Self::AllReady => {
                !room.people.is_empty() && room.people.iter().all(|id| ready.contains(id))
            }
            Self::Timer(ms) => now >= since.saturating_add(*ms),
        }
    }

    /// As clients see it.
    fn shown(&self) -> Value {
        match self {
            Self::PrevEnded => json!("prev_ended"),
            Self::AllReady => json!("all_ready"),
            Self::Players(n) => json!({"type": "players", "value": n}),
            Self::PlayersRatio(share) => json!({"type": "players_ratio", "value": share}),
            Self::Event(name) => json!({"type": "event", "value": name}),
            Self::Timer(ms) => json!({"type": "timer", "value": ms}),
        }
    }
}

#[cfg(test)]
mod tests;
