//! What a match shows after each tick, to people and to bots: each distinct view is encoded
//! once.

use bytes::Bytes;

use super::Match;
use crate::bots::{self, Reflex};
use crate::ids::PlayerId;
use crate::logic::{Input, View};
use crate::matches::roster::Presence;

impl Match {
    /// Sends everyone what they may see, encoding each distinct view once.
    pub(super) fn send_views(&mut self) {
        if self.logic.shared_view() {
            self.send_shared_view();
        } else {
            self.send_own_views();
        }
        // The views' faults and log lines; views cannot wait, so neither does this.
        for effect in self.logic.drain_effects() {
            self.carry_out(effect);
        }
    }

    pub(super) fn send_shared_view(&mut self) {
        let Some(anyone) = self
            .roster
            .members()
            .first()
            .map(|member| member.id.clone())
        else {
            return;
        };
        let Some(View::New(view)) = self.logic.view(&anyone) else {
            return;
        };
        if let Some(frame) = state_frame(&view) {
            self.host.send_state(self.roster.connected(), frame);
        }
        for bot in self.bot_ids() {
            self.bot_acts(bot, &view);
        }
    }

    pub(super) fn send_own_views(&mut self) {
        let viewers = self.roster.connected().to_vec();
        let mut pending: Option<(usize, String)> = None;
        for (at, viewer) in viewers.iter().enumerate() {
            let view = self.logic.view(viewer);
            if view == Some(View::Same) && pending.is_some() {
                continue;
            }
            if let Some((from, frame)) = pending.take() {
                self.host.send_state(&viewers[from..at], frame);
            }
            if let Some(View::New(view)) = view {
                pending = state_frame(&view).map(|frame| (at, frame));
            }
        }
        if let Some((from, frame)) = pending {
            self.host.send_state(&viewers[from..], frame);
        }
        self.bots_look();
    }

    pub(super) fn bots_look(&mut self) {
        let mut last = None;
        for bot in self.bot_ids() {
            match self.logic.view(&bot) {
                Some(View::New(view)) => last = Some(view),
                Some(View::Same) => {}
                None => continue,
            }
            if let Some(view) = last.clone() {
                self.bot_acts(bot, &view);
            }
        }
    }

    pub(super) fn bot_ids(&self) -> Vec<PlayerId> {
        let bots = self
            .roster
            .members()
            .iter()
            .filter(|m| m.presence == Presence::Bot);
        bots.map(|member| member.id.clone()).collect()
    }

    pub(super) fn bot_acts(&mut self, bot: PlayerId, view: &Bytes) {
        let input = match bots::reflex(view) {
            Reflex::Wait => return,
            Reflex::Pick(payload) => Input {
                player: bot,
                payload,
            },
            Reflex::Play => match self.logic.think(&bot, view) {
                Some(payload) => Input {
                    player: bot,
                    payload,
                },
                None => bots::default_ai(&bot, view, &mut self.rng),
            },
        };
        self.bot_inputs.push(input);
    }
}

fn state_frame(view: &[u8]) -> Option<String> {
    let view = std::str::from_utf8(view).ok()?;
    Some(asobi_wire::envelope::frame_raw("match.state", None, view))
}
