//! The game's hooks, on a thread of their own: a script never runs on an I/O thread.

use asobi_game::PlayerId;
use asobi_game::logic::{Effect, LogLevel};
use asobi_lua::{Filtered, Hooks, LuaSettings, ScriptSource};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::chat::{MessageFilter, Verdict};
use crate::cluster::Bus;
use crate::config::LuaConfig;

use super::faults;

/// Messages that wait for the filter. More are refused.
const MOST_WAITING: usize = 1_000;

/// The way to the hooks' thread. It ends when the last way to it is gone.
pub(super) struct HookThread {
    messages: mpsc::Sender<Message>,
}

struct Message {
    channel: String,
    sender: PlayerId,
    text: String,
    verdict: oneshot::Sender<Filtered>,
}

impl HookThread {
    pub(super) fn start(
        source: ScriptSource,
        budgets: LuaSettings,
        lua: LuaConfig,
        bus: Bus,
    ) -> std::io::Result<Self> {
        let (messages, waiting) = mpsc::channel(MOST_WAITING);
        std::thread::Builder::new()
            .name("hooks".into())
            .spawn(move || run(Hooks::new(source, budgets), waiting, &lua, &bus))?;
        Ok(Self { messages })
    }
}

impl MessageFilter for HookThread {
    fn check(&self, channel: &str, sender: &PlayerId, text: &str) -> BoxFuture<'_, Verdict> {
        let (verdict, judged) = oneshot::channel();
        let message = Message {
            channel: channel.to_owned(),
            sender: sender.clone(),
            text: text.to_owned(),
            verdict,
        };
        let sent = self.messages.try_send(message);
        async move {
            let judged = match sent {
                Ok(()) => judged.await.ok(),
                Err(_) => None,
            };
            match judged {
                Some(Filtered::Pass) => Verdict::Pass,
                Some(Filtered::Change(text)) => Verdict::Change(text),
                Some(Filtered::Refuse(reason)) => Verdict::Refuse(reason),
                // Nobody looked at it, so it does not go out.
                None => Verdict::Refuse(Some("filter_busy".into())),
            }
        }
        .boxed()
    }
}

fn run(mut hooks: Hooks, mut waiting: mpsc::Receiver<Message>, lua: &LuaConfig, bus: &Bus) {
    while let Some(message) = waiting.blocking_recv() {
        let sender = &message.sender;
        let verdict = hooks.chat_filter(&message.channel, sender.as_str(), &message.text);
        for effect in hooks.drain_effects() {
            report(effect, sender, lua, bus);
        }
        // Whoever asked may have gone.
        let _ = message.verdict.send(verdict);
    }
}

/// Hooks have no match to act on: of what they queue, what they log counts.
fn report(effect: Effect, sender: &PlayerId, lua: &LuaConfig, bus: &Bus) {
    match effect {
        Effect::Fault(fault) => {
            faults::log("hooks", None, &fault);
            if lua.dev_errors {
                for frame in faults::frames(&fault, lua.legacy_game_frames) {
                    bus.event(sender, frame);
                }
            }
        }
        Effect::Log {
            level,
            message,
            meta,
        } => {
            let meta = meta.unwrap_or_default();
            match level {
                LogLevel::Debug => tracing::debug!(target: "script", meta, "hooks: {message}"),
                LogLevel::Info => tracing::info!(target: "script", meta, "hooks: {message}"),
                LogLevel::Warn => tracing::warn!(target: "script", meta, "hooks: {message}"),
                LogLevel::Error => tracing::error!(target: "script", meta, "hooks: {message}"),
            }
        }
        _ => {}
    }
}
