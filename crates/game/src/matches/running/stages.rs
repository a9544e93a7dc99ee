//! What a match does by the clock besides ticking: its phases, and the timers of its game.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Match, frame};
use crate::ids::PlayerId;
use crate::logic::{Around, FiredTimer, PhaseNow};
use crate::matches::Status;
use crate::matches::roster::Presence;
use crate::phases::{PhaseEvent, PhaseSignal, Room};
use crate::timers::Timer;

/// How often clients are told the phase without a transition, in milliseconds.
const PHASE_RESEND_MS: u64 = 3_000;

impl Match {
    /// Moves the phases on to `now`, tells the game and the players. The last one's end is the
    /// match's.
    pub(super) async fn run_phases(&mut self, now: u64) {
        if self.phases.is_none() || self.status == Status::Finished {
            return;
        }
        let events = self.advance_phases(now);
        let moved = events
            .iter()
            .any(|event| !matches!(event, PhaseEvent::Timer(..)));
        if moved || now >= self.next_phase_resend {
            self.next_phase_resend = now + PHASE_RESEND_MS;
            self.show_phase(self.roster.connected(), now);
        }
        if moved {
            // A transition is not to happen again after a crash.
            self.next_snapshot_at = now;
        }
        self.inform(now);
        for event in events {
            self.phase_event(event, now).await;
        }
        let complete = self.phases.as_ref().is_some_and(|p| p.is_complete());
        if complete && self.status != Status::Finished {
            self.finish(Bytes::from_static(b"{\"status\":\"phases_complete\"}"), now);
        }
    }

    fn advance_phases(&mut self, now: u64) -> Vec<PhaseEvent> {
        let Some(phases) = &mut self.phases else {
            return Vec::new();
        };
        if let Some(asks) = phases.asks().map(|def| def.name.clone())
            && self.logic.phase_over(&asks)
        {
            phases.asked();
        }
        let members = self.roster.members().iter();
        let people: Vec<PlayerId> = members
            .filter(|member| member.presence != Presence::Bot)
            .map(|member| member.id.clone())
            .collect();
        let room = Room {
            players: self.roster.len(),
            max_players: self.mode.max_players,
            people: &people,
        };
        phases.advance(now, &room)
    }

    async fn phase_event(&mut self, event: PhaseEvent, now: u64) {
        let name = |index| {
            let phases = self.phases.as_ref();
            phases.map_or(String::new(), |phases| phases.def(index).name.clone())
        };
        match event {
            PhaseEvent::Started(index) => self.logic.phase_started(&name(index)).await,
            PhaseEvent::Ended(index) => self.logic.phase_ended(&name(index)).await,
            PhaseEvent::Timer(id, said) => {
                let fired = FiredTimer {
                    id: 0,
                    name: id,
                    data: serde_json::value::to_raw_value(&said).ok(),
                };
                self.logic.timers(&[fired]).await;
            }
            PhaseEvent::Waiting(_) | PhaseEvent::Complete => {}
        }
        self.carry_out_effects(now).await;
    }

    /// Fires what is due of the game's timers.
    pub(super) async fn run_timers(&mut self, now: u64) {
        let due = self.timers.take_due(now);
        if due.is_empty() {
            return;
        }
        let fired: Vec<FiredTimer> = due.iter().map(fired).collect();
        let handled = self.logic.timers(&fired).await;
        // Before the effects: among those may be a cancellation.
        self.timers.put_back(due.into_iter().skip(handled));
        self.carry_out_effects(now).await;
    }

    /// Tells the logic the time and what else its callbacks may ask about.
    pub(super) fn inform(&mut self, now: u64) {
        self.now = now;
        let phase = self.phases.as_ref().map(|phases| PhaseNow {
            name: phases.current().map(str::to_owned),
            status: phases.status(),
            ends_at: phases.ends_at(),
        });
        self.logic.inform(Around {
            now,
            timers: self.timers.len(),
            next_timer: self.timers.next_id(),
            phase,
        });
    }

    pub(super) fn start_timer(&mut self, timer: Timer) {
        let name = timer.name.clone();
        if !self.timers.start(timer, self.now) {
            tracing::info!(match_id = %self.id, timer = name, "timer not started: too many");
        }
    }

    pub(super) fn phase_signal(&mut self, signal: PhaseSignal) {
        if let Some(phases) = &mut self.phases {
            phases.signal(signal);
        }
    }

    /// Sends the phase as it is to these players.
    pub(super) fn show_phase(&self, to: &[PlayerId], now: u64) {
        if let Some(phases) = &self.phases {
            let mut payload = phases.info(now);
            payload.insert("match_id".into(), json!(self.id.as_str()));
            self.host
                .send_event(to, frame("phase_changed", &Value::Object(payload)));
        }
    }

    /// The phase as listings and join replies show it.
    pub(super) fn phase_brief(&self) -> Option<Map<String, Value>> {
        let phases = self.phases.as_ref()?;
        Some(phases.brief(self.now))
    }
}

fn fired(timer: &Timer) -> FiredTimer {
    FiredTimer {
        id: timer.id,
        name: timer.name.clone(),
        data: timer.data.clone(),
    }
}
