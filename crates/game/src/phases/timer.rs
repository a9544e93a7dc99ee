//! Timers that run while a phase does: countdown, conditional, cycle and scheduled.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Condition, Room};
use crate::ids::PlayerId;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A timer as the game declares it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimerDef {
    /// What callbacks and clients call it; one of its kind in its phase.
    pub id: String,
    /// What it does.
    pub kind: TimerKind,
}

/// What a timer does. Durations are milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// Runs down from the start of the phase.
    Countdown {
        /// How long it runs.
        duration_ms: u64,
        /// Says so when this much is left, the longest first.
        warnings: Vec<u64>,
    },
    /// Runs down once its condition is met.
    Conditional {
        /// What it waits for.
        start: Condition,
        /// Starts after this long anyway.
        fallback_ms: Option<u64>,
        /// How long it runs.
        duration_ms: u64,
        /// Says so when this much is left, the longest first.
        warnings: Vec<u64>,
    },
    /// Goes through named steps.
    Cycle {
        /// Name and duration of each.
        steps: Vec<(String, u64)>,
        /// Whether the first follows the last.
        repeat: bool,
    },
    /// Is open at certain times of the day, in UTC.
    Scheduled {
        /// Monday to Friday: from and to, in minutes of the day.
        weekday: Option<(u32, u32)>,
        /// Saturday and Sunday.
        weekend: Option<(u32, u32)>,
    },
}

/// Something a timer has to say.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TimerEvent {
    /// Its condition was met.
    Started,
    /// This much is left, or less.
    Warning {
        /// The declared threshold, in milliseconds.
        remaining_ms: u64,
    },
    /// It has run down.
    Expired,
    /// A cycle's next step began.
    Changed {
        /// Its name.
        step: String,
    },
    /// A window opened.
    Opened,
    /// A window closed.
    Closed,
}

/// A timer in progress.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhaseTimer {
    /// What was declared.
    pub def: TimerDef,
    /// When it began to run, or to wait for its condition.
    since: u64,
    running: bool,
    expired: bool,
    named: bool,
    /// Warnings already given, or the step a cycle is at.
    at: usize,
}

impl PhaseTimer {
    pub(super) fn new(def: TimerDef, now: u64) -> Self {
        let running = matches!(
            def.kind,
            TimerKind::Countdown { .. } | TimerKind::Cycle { .. }
        );
        Self {
            def,
            since: now,
            running,
            expired: false,
            named: false,
            at: 0,
        }
    }

    pub(super) fn shift(&mut self, by: u64) {
        self.since += by;
    }

    pub(super) fn named(&mut self, condition: &Condition) {
        if let TimerKind::Conditional { start, .. } = &self.def.kind {
            self.named |= start == condition;
        }
    }

    pub(super) fn advance(
        &mut self,
        now: u64,
        room: &Room<'_>,
        ready: &BTreeSet<PlayerId>,
    ) -> Vec<TimerEvent> {
        if self.expired {
            return Vec::new();
        }
        match &self.def.kind {
            TimerKind::Countdown {
                duration_ms,
                warnings,
            } => {
                let (duration, warnings) = (*duration_ms, warnings.clone());
                self.run_down(now, duration, &warnings)
            }
            TimerKind::Conditional {
                start,
                fallback_ms,
                duration_ms,
                warnings,
            } => {
                let (duration, warnings) = (*duration_ms, warnings.clone());
                if self.running {
                    return self.run_down(now, duration, &warnings);
                }
                let waited = now.saturating_sub(self.since);
                let overdue = fallback_ms.is_some_and(|ms| waited >= ms);
                if !(self.named || overdue || start.is_met(self.since, now, room, ready)) {
                    return Vec::new();
                }
                self.running = true;
                self.since = now;
                vec![TimerEvent::Started]
            }
            TimerKind::Cycle { steps, repeat } => {
                let (steps, repeat) = (steps.clone(), *repeat);
                self.turn(now, &steps, repeat)
            }
            TimerKind::Scheduled { weekday, weekend } => {
                let open = is_open(*weekday, *weekend, now);
                if open == self.running {
                    return Vec::new();
                }
                self.running = open;
                vec![match open {
                    true => TimerEvent::Opened,
                    false => TimerEvent::Closed,
                }]
            }
        }
    }

    fn run_down(&mut self, now: u64, duration: u64, warnings: &[u64]) -> Vec<TimerEvent> {
        let left = self.since.saturating_add(duration).saturating_sub(now);
        if left == 0 {
            self.expired = true;
            return vec![TimerEvent::Expired];
        }
        // Of warnings passed over in a stall only the last is still of use.
        let passed = warnings.iter().filter(|w| left <= **w).count();
        if passed <= self.at {
            return Vec::new();
        }
        self.at = passed;
        let remaining_ms = warnings[passed - 1];
        vec![TimerEvent::Warning { remaining_ms }]
    }

    /// One step at a time: what a stall passed over is not made up.
    fn turn(&mut self, now: u64, steps: &[(String, u64)], repeat: bool) -> Vec<TimerEvent> {
        let due = self.since.saturating_add(steps[self.at].1);
        if now < due {
            return Vec::new();
        }
        if self.at + 1 == steps.len() && !repeat {
            self.expired = true;
            return vec![TimerEvent::Expired];
        }
        self.at = (self.at + 1) % steps.len();
        let late = now - due >= steps[self.at].1;
        self.since = if late { now } else { due };
        let step = steps[self.at].0.clone();
        vec![TimerEvent::Changed { step }]
    }

    /// As clients see it.
    pub(super) fn info(&self, now: u64) -> Value {
        let left = |duration: u64| self.since.saturating_add(duration).saturating_sub(now);
        let (id, expired) = (&self.def.id, self.expired);
        match &self.def.kind {
            TimerKind::Countdown { duration_ms, .. } => json!({
                "type": "countdown", "id": id, "expired": expired, "paused": false,
                "remaining_ms": left(*duration_ms),
            }),
            TimerKind::Conditional { duration_ms, .. } => json!({
                "type": "conditional", "id": id, "expired": expired, "paused": false,
                "started": self.running,
                "remaining_ms": self.running.then(|| left(*duration_ms)),
            }),
            TimerKind::Cycle { steps, .. } => json!({
                "type": "cycle", "id": id, "expired": expired, "paused": false,
                "current_phase": steps[self.at].0, "phase_index": self.at,
                "total_phases": steps.len(), "phase_remaining_ms": left(steps[self.at].1),
            }),
            TimerKind::Scheduled { .. } => json!({
                "type": "scheduled", "id": id, "expired": expired, "paused": false,
                "window_active": self.running,
            }),
        }
    }
}

fn is_open(weekday: Option<(u32, u32)>, weekend: Option<(u32, u32)>, now: u64) -> bool {
    // 1 January 1970 was a Thursday; Monday is 0.
    let day = (now / DAY_MS + 3) % 7;
    let minute = now % DAY_MS / 60_000;
    let window = if day >= 5 { weekend } else { weekday };
    window.is_some_and(|(from, to)| (u64::from(from)..u64::from(to)).contains(&minute))
}
