//! The game's own matchmaking strategies, on a thread of their own: a script never runs on an
//! I/O thread, and one that takes long holds up no queue but those of scripts.

use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_game::logic::{Effect, LogLevel};
use asobi_game::modes::Mode;
use asobi_game::strategy::Ticket;
use asobi_game::strategy::{Groups, answer};
use asobi_lua::{LuaSettings, ScriptSource, Strategist};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::cluster::Bus;
use crate::config::LuaConfig;

use super::faults;

/// Questions that wait for the thread; there is at most one of each mode.
const MOST_WAITING: usize = 256;

/// Tickets a strategy is shown at a time, the oldest.
pub const MOST_TICKETS: usize = 2_000;

/// What a strategy is asked.
pub struct Question {
    /// The mode, whose strategy is a script.
    pub mode: Mode,
    /// Who waits, oldest first.
    pub tickets: Vec<Arc<Ticket>>,
    /// What stands on the tickets, in the same order.
    pub properties: Vec<Arc<Value>>,
    /// Unix milliseconds.
    pub now: u64,
}

/// The way to the strategies' thread. It ends when the last way to it is gone.
pub(super) struct StrategyThread {
    questions: mpsc::Sender<(Question, oneshot::Sender<Groups>)>,
}

/// A ticket as a strategy sees it.
#[derive(Serialize)]
struct Seen<'a> {
    id: &'a str,
    players: &'a [PlayerId],
    size: usize,
    skill: f64,
    region: Option<&'a str>,
    properties: &'a Value,
    submitted_at: u64,
    waited_ms: u64,
}

#[derive(Serialize)]
struct SeenConfig<'a> {
    mode: &'a str,
    match_size: u32,
    max_players: u32,
    group_up_to: u32,
    skill_window: u32,
    skill_expand_rate: u32,
    match_regions: bool,
    teams: u32,
    now: u64,
}

impl StrategyThread {
    pub(super) fn start(
        source: ScriptSource,
        budgets: LuaSettings,
        lua: LuaConfig,
        bus: Bus,
    ) -> std::io::Result<Self> {
        let (questions, mut waiting) = mpsc::channel(MOST_WAITING);
        std::thread::Builder::new()
            .name("strategies".into())
            .spawn(move || {
                let mut strategist = Strategist::new(source, budgets);
                while let Some((question, groups)) = waiting.blocking_recv() {
                    // Whoever asked may have gone.
                    let _ = oneshot::Sender::send(groups, ask(&mut strategist, &question));
                    for effect in strategist.drain_effects() {
                        report(effect, &question, &lua, &bus);
                    }
                }
            })?;
        Ok(Self { questions })
    }

    /// Asks for groups of the question's tickets. No groups if the thread has too much to do.
    pub(super) async fn group(&self, question: Question) -> Groups {
        let (groups, answered) = oneshot::channel();
        match self.questions.try_send((question, groups)) {
            Ok(()) => answered.await.unwrap_or_default(),
            Err(_) => Groups::new(),
        }
    }
}

fn ask(strategist: &mut Strategist, question: &Question) -> Groups {
    let mode = &question.mode;
    let Some(script) = &mode.matching.script else {
        return Groups::new();
    };
    let tickets = question.tickets.iter().zip(&question.properties);
    let tickets: Vec<Seen<'_>> = tickets
        .map(|(ticket, properties)| Seen {
            id: &ticket.id,
            players: &ticket.players,
            size: ticket.size(),
            skill: ticket.skill,
            region: ticket.region.as_deref(),
            properties,
            submitted_at: ticket.submitted_at,
            waited_ms: question.now.saturating_sub(ticket.submitted_at),
        })
        .collect();
    let config = SeenConfig {
        mode: &mode.name,
        match_size: mode.match_size,
        max_players: mode.max_players,
        group_up_to: mode.group_up_to,
        skill_window: mode.matching.skill_window,
        skill_expand_rate: mode.matching.skill_expand_rate,
        match_regions: mode.matching.match_regions,
        teams: mode.matching.teams,
        now: question.now,
    };
    let json = |value: serde_json::Result<Vec<u8>>| value.expect("plain data");
    let tickets = json(serde_json::to_vec(&tickets));
    let config = json(serde_json::to_vec(&config));
    let answer = strategist.group(script, &tickets, &config);
    let (groups, wrong) = answer::check(mode, &question.tickets, &answer);
    if let Some((number, why)) = wrong.first() {
        let more = match wrong.len() {
            1 => String::new(),
            others => format!(" (and {} more groups)", others - 1),
        };
        strategist.complain(script, format!("group {number}: {why}{more}"));
    }
    groups
}

/// Strategies have no match to act on: of what they queue, what they log counts. In dev those
/// who wait see what fails.
fn report(effect: Effect, question: &Question, lua: &LuaConfig, bus: &Bus) {
    let mode = question.mode.name.as_str();
    match effect {
        Effect::Fault(fault) => {
            faults::log(mode, None, &fault);
            if lua.dev_errors {
                let players = question.tickets.iter().flat_map(|ticket| &ticket.players);
                let players: Vec<PlayerId> = players.cloned().collect();
                for frame in faults::frames(&fault, lua.legacy_game_frames) {
                    bus.event_to_all(&players, frame);
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
                LogLevel::Debug => tracing::debug!(target: "script", mode, meta, "{message}"),
                LogLevel::Info => tracing::info!(target: "script", mode, meta, "{message}"),
                LogLevel::Warn => tracing::warn!(target: "script", mode, meta, "{message}"),
                LogLevel::Error => tracing::error!(target: "script", mode, meta, "{message}"),
            }
        }
        _ => {}
    }
}
