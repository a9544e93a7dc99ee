//! What a game does outside of its matches, on a thread of its own: a script never runs on an
//! I/O thread. Hooks look at things before they happen; methods are called by clients.

use std::rc::Rc;
use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_game::logic::Effect;
use asobi_game::services::Services;
use asobi_lua::{Called, Filtered, Hooks, LuaSettings, Rpc, ScriptSource};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::LocalSet;

use crate::chat::{MessageFilter, Verdict};

use super::effects::Effects;

/// Work that waits for the thread. More is refused.
const MOST_WAITING: usize = 1_000;
/// Calls of clients that are under way at a time. More are refused.
const MOST_CALLS: usize = 1_000;

/// The way to the thread, which ends when the last way to it is gone. Cheap to clone.
#[derive(Clone)]
pub struct Backstage {
    jobs: mpsc::Sender<Job>,
    calls: Arc<Semaphore>,
}

enum Job {
    Filter(Message, oneshot::Sender<Filtered>),
    Call(Call, oneshot::Sender<Called>),
}

struct Message {
    channel: String,
    sender: PlayerId,
    text: String,
}

struct Call {
    method: String,
    player: PlayerId,
    params: Bytes,
}

/// There is too much to do.
#[derive(Debug)]
pub struct Busy;

impl Backstage {
    pub(super) fn start(
        source: ScriptSource,
        budgets: LuaSettings,
        services: Arc<dyn Services>,
        effects: Effects,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(MOST_WAITING);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let thread = std::thread::Builder::new().name("backstage".into());
        thread.spawn(move || {
            let hooks = Hooks::new(source.clone(), budgets.clone());
            let rpc = Rc::new(Rpc::new(source, budgets, services));
            LocalSet::new().block_on(&runtime, work(hooks, rpc, waiting, effects));
        })?;
        let calls = Arc::new(Semaphore::new(MOST_CALLS));
        Ok(Self { jobs, calls })
    }

    /// Calls a method of the game for a player. `params` is the JSON text of an object.
    ///
    /// # Errors
    /// If too much is under way.
    pub async fn call(
        &self,
        method: &str,
        player: &PlayerId,
        params: Bytes,
    ) -> Result<Called, Busy> {
        let _place = self.calls.try_acquire().map_err(|_| Busy)?;
        let (answer, answered) = oneshot::channel();
        let call = Call {
            method: method.to_owned(),
            player: player.clone(),
            params,
        };
        let sent = self.jobs.try_send(Job::Call(call, answer));
        sent.map_err(|_| Busy)?;
        answered.await.map_err(|_| Busy)
    }
}

impl MessageFilter for Backstage {
    fn check(&self, channel: &str, sender: &PlayerId, text: &str) -> BoxFuture<'_, Verdict> {
        let (answer, judged) = oneshot::channel();
        let message = Message {
            channel: channel.to_owned(),
            sender: sender.clone(),
            text: text.to_owned(),
        };
        let sent = self.jobs.try_send(Job::Filter(message, answer));
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

async fn work(mut hooks: Hooks, rpc: Rc<Rpc>, mut jobs: mpsc::Receiver<Job>, effects: Effects) {
    let effects = Rc::new(effects);
    while let Some(job) = jobs.recv().await {
        // Whoever asked may have gone: an answer that reaches nobody is no failure.
        match job {
            Job::Filter(message, answer) => {
                let sender = &message.sender;
                let verdict = hooks.chat_filter(&message.channel, sender.as_str(), &message.text);
                effects.carry_out(only_logged(hooks.drain_effects()), sender);
                let _ = answer.send(verdict);
            }
            Job::Call(call, answer) => {
                let (rpc, effects) = (rpc.clone(), effects.clone());
                tokio::task::spawn_local(async move {
                    let player = call.player.as_str();
                    let (called, queued) = rpc.call(&call.method, player, &call.params).await;
                    effects.carry_out(queued, &call.player);
                    let _ = answer.send(called);
                });
            }
        }
    }
}

/// A hook says yes or no and does nothing: of what it queues, what it logs counts.
fn only_logged(effects: Vec<Effect>) -> Vec<Effect> {
    let is_log = |effect: &Effect| matches!(effect, Effect::Log { .. } | Effect::Fault(_));
    effects.into_iter().filter(is_log).collect()
}
