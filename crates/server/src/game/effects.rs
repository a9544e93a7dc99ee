//! What scripts outside of matches want done.

use asobi_game::PlayerId;
use asobi_game::logic::{Effect, LogLevel};
use asobi_wire::envelope::module_frames;

use crate::chat::Chat;
use crate::cluster::Bus;
use crate::config::LuaConfig;

use super::faults;

/// Carries effects out.
pub(super) struct Effects {
    pub(super) bus: Bus,
    pub(super) chat: Chat,
    pub(super) lua: LuaConfig,
}

impl Effects {
    /// Does what a script queued; `player` set it off. What only a match can do is not done.
    pub(super) fn carry_out(&self, effects: Vec<Effect>, player: &PlayerId) {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(&to, &message),
                Effect::Chat {
                    channel,
                    sender,
                    content,
                } => {
                    if let Err(error) = self.chat.say(&channel, &sender, &content) {
                        tracing::debug!(target: "script", %error, "game.chat.send");
                    }
                }
                Effect::Fault(fault) => {
                    faults::log("", None, &fault);
                    if self.lua.dev_errors {
                        for frame in faults::frames(&fault, self.lua.legacy_game_frames) {
                            self.bus.event(player, frame);
                        }
                    }
                }
                Effect::Log {
                    level,
                    message,
                    meta,
                } => log(level, &message, &meta.unwrap_or_default()),
                _ => {}
            }
        }
    }

    fn send(&self, to: &PlayerId, message: &[u8]) {
        let Ok(message) = std::str::from_utf8(message) else {
            return;
        };
        let payload = format!("{{\"module\":\"lua\",\"message\":{message}}}");
        for frame in module_frames("message", &payload, self.lua.legacy_game_frames) {
            self.bus.event(to, frame);
        }
    }
}

fn log(level: LogLevel, message: &str, meta: &str) {
    match level {
        LogLevel::Debug => tracing::debug!(target: "script", meta, "{message}"),
        LogLevel::Info => tracing::info!(target: "script", meta, "{message}"),
        LogLevel::Warn => tracing::warn!(target: "script", meta, "{message}"),
        LogLevel::Error => tracing::error!(target: "script", meta, "{message}"),
    }
}
