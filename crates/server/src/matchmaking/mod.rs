//! The queue: tickets in, matches out.
//!
//! [`queue`] holds the tickets; `asobi_game::strategy` decides which of them make a match;
//! this module looks at the queue at intervals, fills up with bots where a mode wants them, and
//! tells the players.

pub mod frames;
pub mod queue;
pub mod routes;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use asobi_game::PlayerId;
use asobi_game::bots;
use asobi_game::modes::{BotFill, Mode};
use asobi_game::strategy::{self, Ticket};
use asobi_wire::envelope::frame;
use asobi_wire::{ApiError, Code};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::clock;
use crate::cluster::Bus;
use crate::config::MatchmakerConfig;
use crate::edge::error::Outcome;
use crate::game::Game;
use crate::matches::Matches;

use self::queue::{Queue, Waiting};

/// How often a match is tried for the same tickets before their players are told it failed.
const MAX_ATTEMPTS: u32 = 3;

/// Largest `properties` of a ticket, in bytes of JSON.
const MAX_PROPERTIES_BYTES: usize = 4 * 1024;

/// The matchmaking domain. Cheap to clone.
#[derive(Clone)]
pub struct Matchmaking {
    shared: Arc<Shared>,
}

struct Shared {
    config: MatchmakerConfig,
    game: Game,
    bus: Bus,
    matches: Matches,
    queue: Mutex<Queue>,
    /// Whose tickets were waiting when a mode's players were last told.
    told: Mutex<HashMap<String, Vec<String>>>,
}

/// What a player learns who submits a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct Queued {
    ticket_id: String,
    status: &'static str,
    players_needed: u32,
    already_queued: bool,
}

#[derive(Serialize)]
struct QueueStatus<'a> {
    mode: &'a str,
    waiting: usize,
    players_needed: u32,
    bots_in_ms: Option<u64>,
}

impl Matchmaking {
    /// Starts looking at the queue.
    pub fn start(config: &MatchmakerConfig, game: Game, bus: Bus, matches: Matches) -> Self {
        let shared = Shared {
            config: config.clone(),
            game,
            bus,
            matches,
            queue: Mutex::default(),
            told: Mutex::default(),
        };
        let matchmaking = Self {
            shared: Arc::new(shared),
        };
        tokio::spawn(matchmaking.clone().run());
        matchmaking
    }

    /// Submits a ticket, or answers the one the player has for this mode.
    pub fn add(&self, player: &PlayerId, mode: &str, properties: Value) -> Outcome<Queued> {
        let mode = self
            .shared
            .game
            .mode(mode)
            .ok_or_else(|| ApiError::from_reason("unknown_mode"))?;
        if !properties.is_object() || properties.to_string().len() > MAX_PROPERTIES_BYTES {
            return Err(ApiError::from_reason("invalid_payload"));
        }
        let submitted = {
            let (mut queue, max) = (self.shared.queue.lock(), self.shared.config.max_queue);
            queue.submit(player, &mode.name, properties, max, clock::now_ms())
        };
        let submitted = submitted.map_err(|queue::Full| ApiError::from_reason("queue_full"))?;
        Ok(Queued {
            ticket_id: submitted.id,
            status: "pending",
            players_needed: mode.match_size,
            already_queued: submitted.already_queued,
        })
    }

    /// Cancels a ticket.
    pub fn remove(&self, player: &PlayerId, ticket: &str) -> Outcome<()> {
        let mut queue = self.shared.queue.lock();
        self.check_owner(&queue, player, ticket)?;
        queue.remove(ticket);
        Ok(())
    }

    /// Cancels every ticket of a player.
    pub fn leave(&self, player: &PlayerId) {
        self.shared.queue.lock().remove_player(player);
    }

    /// A ticket of the player.
    pub fn status(&self, player: &PlayerId, ticket: &str) -> Outcome<Value> {
        let queue = self.shared.queue.lock();
        self.check_owner(&queue, player, ticket)?;
        let waiting = queue.find(ticket).ok_or(Code::MatchmakerTicketNotFound)?;
        Ok(json!({
            "id": ticket, "mode": waiting.mode, "status": "pending",
            "properties": waiting.properties, "submitted_at": waiting.ticket.submitted_at,
        }))
    }

    fn check_owner(&self, queue: &Queue, player: &PlayerId, ticket: &str) -> Outcome<()> {
        match queue.owner(ticket) {
            Some(owner) if owner == player => Ok(()),
            Some(_) => Err(ApiError::from_reason("not_owner")),
            None => Err(Code::MatchmakerTicketNotFound.into()),
        }
    }

    async fn run(self) {
        let interval = Duration::from_millis(self.shared.config.tick_interval_ms.max(10));
        let mut beat = tokio::time::interval(interval);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            self.look(clock::now_ms());
        }
    }

    /// One look at the queue.
    fn look(&self, now: u64) {
        self.expire(now);
        for mode in self.shared.game.modes() {
            let waiting = self.present(&mode);
            let rest = self.group(&mode, &waiting);
            let rest = self.fill_with_bots(&mode, rest, now);
            self.tell_status(&mode, &rest, now);
        }
    }

    fn expire(&self, now: u64) {
        let deadline = now.saturating_sub(self.shared.config.max_wait_seconds * 1_000);
        let expired = self.shared.queue.lock().expire(deadline);
        for waiting in expired {
            let told = json!({ "ticket_id": waiting.ticket.id });
            self.tell(&waiting.ticket.player, "match.matchmaker_expired", &told);
        }
    }

    /// The waiting players who are connected. Somebody whose connection dropped keeps the
    /// ticket and is passed over until they are back.
    fn present(&self, mode: &Mode) -> Vec<Ticket> {
        let sessions = self.shared.bus.sessions();
        let mut tickets = self.shared.queue.lock().tickets(&mode.name);
        tickets.retain(|ticket| sessions.is_connected(&ticket.player));
        tickets
    }

    /// Starts the matches the strategy finds. Answers who waits on.
    fn group(&self, mode: &Mode, waiting: &[Ticket]) -> Vec<Ticket> {
        let groups = strategy::group(mode, waiting);
        let mut grouped = vec![false; waiting.len()];
        for group in groups {
            if !self.shared.matches.has_room() {
                break;
            }
            let tickets = group.iter().map(|at| &waiting[*at]);
            self.launch(mode, tickets, Vec::new());
            group.iter().for_each(|at| grouped[*at] = true);
        }
        let rest = waiting.iter().zip(grouped).filter(|(_, grouped)| !grouped);
        rest.map(|(ticket, _)| ticket.clone()).collect()
    }

    /// Starts a match with bots in the empty places when its first player has waited long
    /// enough. Answers who waits on.
    fn fill_with_bots(&self, mode: &Mode, waiting: Vec<Ticket>, now: u64) -> Vec<Ticket> {
        let Some((fill, ready_at)) = bot_fill(mode, &waiting) else {
            return waiting;
        };
        let places = fill.min_players.min(mode.max_players) as usize;
        let enough = places.max(waiting.len()) >= mode.match_size as usize;
        if now < ready_at || !enough || !self.shared.matches.has_room() {
            return waiting;
        }
        let bots = bot_ids(fill, places.saturating_sub(waiting.len()));
        self.launch(mode, waiting.iter(), bots);
        Vec::new()
    }

    fn launch<'a>(
        &self,
        mode: &Mode,
        tickets: impl Iterator<Item = &'a Ticket>,
        bots: Vec<PlayerId>,
    ) {
        let mut queue = self.shared.queue.lock();
        let taken: Vec<Waiting> = tickets
            .filter_map(|ticket| queue.remove(&ticket.id))
            .collect();
        for waiting in &taken {
            queue.remove_player(&waiting.ticket.player);
        }
        drop(queue);
        tokio::spawn(self.clone().start_match(mode.clone(), taken, bots));
    }

    async fn start_match(self, mode: Mode, tickets: Vec<Waiting>, bots: Vec<PlayerId>) {
        let people = tickets.iter().map(|waiting| waiting.ticket.player.clone());
        let players = people.chain(bots).collect();
        let name = mode.name.clone();
        if let Err(fault) = self.shared.matches.create(mode, players).await {
            crate::game::faults::log(&name, None, &fault);
            self.try_again(tickets);
        }
    }

    fn try_again(&self, mut tickets: Vec<Waiting>) {
        for waiting in &mut tickets {
            waiting.attempts += 1;
        }
        let (again, failed): (Vec<_>, Vec<_>) = tickets
            .into_iter()
            .partition(|waiting| waiting.attempts < MAX_ATTEMPTS);
        self.shared.queue.lock().put_back(again);
        for waiting in failed {
            let told = json!({ "reason": "match_start_failed" });
            self.tell(&waiting.ticket.player, "match.matchmaker_failed", &told);
        }
    }

    /// Tells a mode's waiting players how many they are, when they are not the same as before.
    fn tell_status(&self, mode: &Mode, waiting: &[Ticket], now: u64) {
        if !mode.queue_status {
            return;
        }
        let ids: Vec<String> = waiting.iter().map(|ticket| ticket.id.clone()).collect();
        let mut told = self.shared.told.lock();
        if told.get(&mode.name) == Some(&ids) {
            return;
        }
        told.insert(mode.name.clone(), ids);
        drop(told);
        if waiting.is_empty() {
            return;
        }
        let status = QueueStatus {
            mode: &mode.name,
            waiting: waiting.len(),
            players_needed: mode.match_size,
            bots_in_ms: bot_fill(mode, waiting).map(|(_, ready_at)| ready_at.saturating_sub(now)),
        };
        let players: Vec<PlayerId> = waiting.iter().map(|ticket| ticket.player.clone()).collect();
        self.shared
            .bus
            .event_to_all(&players, frame("matchmaker.update", None, &status));
    }

    fn tell(&self, player: &PlayerId, kind: &str, payload: &Value) {
        self.shared.bus.event(player, frame(kind, None, payload));
    }
}

/// The mode's bot fill and when it is due for those who wait, in Unix milliseconds.
fn bot_fill<'a>(mode: &'a Mode, waiting: &[Ticket]) -> Option<(&'a BotFill, u64)> {
    let fill = mode.bots.as_ref().filter(|fill| fill.enabled)?;
    let longest = waiting.iter().map(|ticket| ticket.submitted_at).min()?;
    Some((fill, longest + fill.fill_after_ms))
}

/// Ids for as many bots: the mode's names in order, then their numbers.
fn bot_ids(fill: &BotFill, count: usize) -> Vec<PlayerId> {
    let mut rng = rand::rng();
    let name = |at: usize| {
        let own = fill.names.get(at).cloned();
        own.unwrap_or_else(|| (at + 1).to_string())
    };
    (0..count.min(bots::MAX_BOTS))
        .map(|at| bots::bot_id(&name(at), &mut rng))
        .collect()
}
