//! What a callback queued for the outside, carried out after it.

use super::{Match, empty_context};
use crate::bots;
use crate::ids::PlayerId;
use crate::logic::{Effect, ScriptFault};
use crate::matches::roster::Presence;

impl Match {
    pub(super) async fn carry_out_effects(&mut self, now: u64) {
        // A bot that is added joins, and its join may queue effects of its own: hence the
        // bound, which a script that adds a bot in every join would otherwise never meet.
        for _ in 0..bots::MAX_BOTS {
            let effects = self.logic.drain_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::AddBot(name) => self.add_bot(&name, now).await,
                    Effect::RemoveBot(name) => self.remove_bot(&name).await,
                    other => self.carry_out(other),
                }
            }
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Broadcast { event, payload } => {
                let kind = format!("match.{event}");
                if let Ok(payload) = std::str::from_utf8(&payload) {
                    let frame = asobi_wire::envelope::frame_raw(&kind, None, payload);
                    self.host.send_event(self.roster.connected(), frame);
                }
            }
            Effect::Send { to, message } => self.send_message(&to, &message),
            Effect::SetJoinable(joinable) => self.joinable = joinable,
            Effect::Chat {
                channel,
                sender,
                content,
            } => self.host.chat(channel, sender, content),
            Effect::Log {
                level,
                message,
                meta,
            } => {
                self.host
                    .script_log(&self.origin, level, &message, meta.as_deref());
            }
            Effect::Fault(fault) => self.report(fault),
            Effect::StartTimer(timer) => self.start_timer(timer),
            Effect::CancelTimer(key) => self.timers.cancel(&key),
            Effect::Phase(signal) => self.phase_signal(signal),
            // Only callbacks that may wait add and remove bots.
            Effect::AddBot(_) | Effect::RemoveBot(_) => {}
        }
    }

    pub(super) fn send_message(&self, to: &PlayerId, message: &[u8]) {
        let Ok(message) = std::str::from_utf8(message) else {
            return;
        };
        let payload = format!("{{\"module\":\"lua\",\"message\":{message}}}");
        let legacy = self.settings.legacy_game_frames;
        for frame in asobi_wire::envelope::module_frames("message", &payload, legacy) {
            self.host.send_event(std::slice::from_ref(to), frame);
        }
    }

    pub(super) async fn add_bot(&mut self, name: &str, now: u64) {
        let bots = self.bot_ids();
        let there_already = bots.iter().any(|bot| bots::is_called(bot, name));
        if there_already || bots.len() >= bots::MAX_BOTS || self.check_room().is_err() {
            tracing::info!(match_id = %self.id, bot = name, "bot not added: match full, bot there already, or too many bots");
            return;
        }
        let bot = bots::bot_id(name, &mut self.rng);
        if self.logic.join(&bot, &empty_context()).await.is_ok() {
            self.roster.add(bot, Presence::Bot, now);
        }
    }

    pub(super) async fn remove_bot(&mut self, name: &str) {
        let Some(bot) = self
            .bot_ids()
            .into_iter()
            .find(|bot| bots::is_called(bot, name))
        else {
            return;
        };
        self.roster.remove(&bot);
        self.voting.left(&bot);
        self.logic.leave(&bot).await;
    }

    pub(super) fn report(&self, fault: ScriptFault) {
        self.host
            .script_fault(&self.origin, &fault, self.roster.connected());
    }
}
