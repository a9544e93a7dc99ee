//! What the matchmaker does at intervals.

use std::sync::Arc;
use std::time::Duration;

use asobi_game::PlayerId;
use asobi_game::bots;
use asobi_game::modes::{BotFill, Mode};
use asobi_game::strategy::{self, DEFAULT_SKILL, Ticket, teams};
use asobi_wire::envelope::frame;
use serde::Serialize;
use serde_json::json;

use crate::clock;
use crate::game::{MOST_TICKETS, Question, faults};

use super::Matchmaking;
use super::queue::Waiting;

/// How often a match is tried for the same tickets before their players are told it failed.
const MAX_ATTEMPTS: u32 = 3;

#[derive(Serialize)]
struct QueueStatus<'a> {
    mode: &'a str,
    waiting: usize,
    players_needed: u32,
    bots_in_ms: Option<u64>,
}

impl Matchmaking {
    pub(super) async fn run(self) {
        let interval = Duration::from_millis(self.shared.config.tick_interval_ms.max(10));
        let mut beat = tokio::time::interval(interval);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            self.look(clock::now_ms()).await;
        }
    }

    /// One look at the queue.
    async fn look(&self, now: u64) {
        self.expire(now);
        let modes = self.shared.game.modes();
        self.drop_lost(&modes);
        for mode in modes {
            let waiting = self.present(&mode);
            let waiting = self.backfill(&mode, waiting, now).await;
            let rest = self.group(&mode, waiting, now);
            let rest = self.fill_with_bots(&mode, rest, now);
            self.tell_status(&mode, &rest, now);
        }
    }

    fn expire(&self, now: u64) {
        let deadline = now.saturating_sub(self.shared.config.max_wait_seconds * 1_000);
        let expired = self.shared.queue.lock().expire(deadline);
        for waiting in expired {
            let told = json!({ "ticket_id": waiting.ticket.id });
            self.tell(&waiting.ticket, "match.matchmaker_expired", &told);
        }
    }

    /// Gives up the tickets of modes that the game has no more.
    fn drop_lost(&self, modes: &[Mode]) {
        let mut lost = Vec::new();
        {
            let mut queue = self.shared.queue.lock();
            let known = |name: &str| modes.iter().any(|mode| mode.name == name);
            let gone: Vec<String> = queue
                .modes()
                .filter(|name| !known(name))
                .map(str::to_owned)
                .collect();
            for ticket in gone.iter().flat_map(|name| queue.tickets(name)) {
                lost.push(ticket);
            }
            for ticket in &lost {
                queue.remove(&ticket.id);
            }
        }
        for ticket in lost {
            let told = json!({ "reason": "no_game_module" });
            self.tell(&ticket, "match.matchmaker_failed", &told);
        }
    }

    /// The waiting tickets whose players are all connected. Somebody whose connection dropped
    /// keeps the ticket and is passed over until they are back.
    fn present(&self, mode: &Mode) -> Vec<Arc<Ticket>> {
        let sessions = self.shared.bus.sessions();
        let mut tickets = self.shared.queue.lock().tickets(&mode.name);
        let connected = |player: &PlayerId| sessions.is_connected(player);
        tickets.retain(|ticket| ticket.players.iter().all(connected));
        tickets
    }

    /// Starts the matches the strategy finds. Answers who waits on.
    fn group(&self, mode: &Mode, waiting: Vec<Arc<Ticket>>, now: u64) -> Vec<Arc<Ticket>> {
        if mode.matching.script.is_some() {
            self.ask_script(mode, &waiting, now);
            return waiting;
        }
        let groups = strategy::group(mode, &waiting, now);
        self.launch_groups(mode, waiting, &groups)
    }

    /// Asks a strategy that is a script; its matches start when it answers. It is not asked
    /// again before that.
    fn ask_script(&self, mode: &Mode, waiting: &[Arc<Ticket>], now: u64) {
        if waiting.is_empty() || !self.shared.asking.lock().insert(mode.name.clone()) {
            return;
        }
        let most = waiting.len().min(MOST_TICKETS);
        let mut tickets = waiting[..most].to_vec();
        let mut properties = Vec::with_capacity(most);
        {
            let queue = self.shared.queue.lock();
            tickets.retain(|ticket| {
                let waiting = queue.find(&ticket.id);
                properties.extend(waiting.map(|waiting| Arc::clone(&waiting.properties)));
                waiting.is_some()
            });
        }
        let (matchmaking, mode) = (self.clone(), mode.clone());
        tokio::spawn(async move {
            let question = Question {
                mode: mode.clone(),
                tickets: tickets.clone(),
                properties,
                now,
            };
            let groups = matchmaking.shared.game.group(question).await;
            matchmaking.launch_groups(&mode, tickets, &groups);
            matchmaking.shared.asking.lock().remove(&mode.name);
        });
    }

    /// Starts matches for groups of `waiting`. Answers who waits on.
    fn launch_groups(
        &self,
        mode: &Mode,
        waiting: Vec<Arc<Ticket>>,
        groups: &[Vec<usize>],
    ) -> Vec<Arc<Ticket>> {
        let mut grouped = vec![false; waiting.len()];
        for group in groups {
            if !self.shared.matches.has_room() {
                break;
            }
            let tickets: Vec<&Arc<Ticket>> = group.iter().map(|at| &waiting[*at]).collect();
            self.launch(mode, &tickets, Vec::new());
            group.iter().for_each(|at| grouped[*at] = true);
        }
        let rest = waiting.into_iter().zip(grouped);
        rest.filter(|(_, grouped)| !grouped)
            .map(|(ticket, _)| ticket)
            .collect()
    }

    /// Starts a match with bots in the empty places when its first player has waited long
    /// enough. Answers who waits on.
    fn fill_with_bots(&self, mode: &Mode, waiting: Vec<Arc<Ticket>>, now: u64) -> Vec<Arc<Ticket>> {
        let Some((fill, ready_at)) = bot_fill(mode, &waiting) else {
            return waiting;
        };
        if now < ready_at || !self.shared.matches.has_room() {
            return waiting;
        }
        let places = fill.min_players.min(mode.max_players) as usize;
        let most = places.max(mode.match_size as usize);
        let (with_bots, rest) = companions(mode, &waiting, most, now);
        let people: usize = with_bots.iter().map(|ticket| ticket.size()).sum();
        if with_bots.is_empty() || places.max(people) < mode.match_size as usize {
            return waiting;
        }
        let bots = bot_ids(fill, places.saturating_sub(people));
        self.launch(mode, &with_bots.iter().collect::<Vec<_>>(), bots);
        rest
    }

    /// Takes tickets out of the queue and starts a match for their players, unless one of them
    /// is no longer there.
    fn launch(&self, mode: &Mode, tickets: &[&Arc<Ticket>], bots: Vec<PlayerId>) {
        let Some(taken) = self.take(tickets) else {
            return;
        };
        tokio::spawn(self.clone().start_match(mode.clone(), taken, bots));
    }

    /// Takes tickets out of the queue, all or none, and with them whatever else their players
    /// wait for.
    pub(super) fn take(&self, tickets: &[&Arc<Ticket>]) -> Option<Vec<Waiting>> {
        let players: Vec<PlayerId> = tickets
            .iter()
            .flat_map(|ticket| ticket.players.iter().cloned())
            .collect();
        let (taken, others) = {
            let mut queue = self.shared.queue.lock();
            let taken = queue.remove_all(tickets.iter().map(|ticket| ticket.id.as_str()))?;
            let others = players
                .iter()
                .flat_map(|player| queue.remove_player(player));
            let others: Vec<Waiting> = others.collect();
            (taken, others)
        };
        self.tell_removed(others, &players);
        Some(taken)
    }

    async fn start_match(self, mode: Mode, tickets: Vec<Waiting>, bots: Vec<PlayerId>) {
        let teams = sides(&mode, &tickets, &bots);
        let people = tickets.iter().flat_map(|waiting| &waiting.ticket.players);
        let players = people.cloned().chain(bots).collect();
        match self
            .shared
            .matches
            .create(mode.clone(), players, teams)
            .await
        {
            Ok(handle) => self.note_formed(&mode, handle.id(), &tickets),
            Err(fault) => {
                faults::log(&mode.name, None, &fault);
                self.try_again(tickets);
            }
        }
    }

    pub(super) fn try_again(&self, mut tickets: Vec<Waiting>) {
        for waiting in &mut tickets {
            waiting.attempts += 1;
        }
        let (again, failed): (Vec<_>, Vec<_>) = tickets
            .into_iter()
            .partition(|waiting| waiting.attempts < MAX_ATTEMPTS);
        self.shared.queue.lock().put_back(again);
        for waiting in failed {
            let told = json!({ "reason": "match_start_failed" });
            self.tell(&waiting.ticket, "match.matchmaker_failed", &told);
        }
    }

    /// Tells a mode's waiting players how many they are, when they are not the same as before.
    fn tell_status(&self, mode: &Mode, waiting: &[Arc<Ticket>], now: u64) {
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
        let players: Vec<PlayerId> = waiting
            .iter()
            .flat_map(|ticket| ticket.players.iter().cloned())
            .collect();
        let status = QueueStatus {
            mode: &mode.name,
            waiting: players.len(),
            players_needed: mode.match_size,
            bots_in_ms: bot_fill(mode, waiting).map(|(_, ready_at)| ready_at.saturating_sub(now)),
        };
        self.shared
            .bus
            .event_to_all(&players, frame("matchmaker.update", None, &status));
    }
}

/// The oldest ticket and those that may play with it, for `most` players; and the others.
fn companions(
    mode: &Mode,
    waiting: &[Arc<Ticket>],
    most: usize,
    now: u64,
) -> (Vec<Arc<Ticket>>, Vec<Arc<Ticket>>) {
    let mut open = most;
    waiting.iter().cloned().partition(|ticket| {
        let fits = ticket.size() <= open && strategy::may_meet(mode, &waiting[0], ticket, now);
        if fits {
            open -= ticket.size();
        }
        fits
    })
}

/// The sides of a match, if the mode has sides.
fn sides(mode: &Mode, tickets: &[Waiting], bots: &[PlayerId]) -> Vec<Vec<PlayerId>> {
    if mode.matching.teams != 2 {
        return Vec::new();
    }
    let people = tickets.iter().map(|waiting| &waiting.ticket);
    let people = people.map(|ticket| (ticket.players.as_slice(), ticket.skill));
    let bots = bots
        .iter()
        .map(|bot| (std::slice::from_ref(bot), DEFAULT_SKILL));
    let all: Vec<(&[PlayerId], f64)> = people.chain(bots).collect();
    let sizes: Vec<(usize, f64)> = all.iter().map(|(who, skill)| (who.len(), *skill)).collect();
    teams::split(&sizes)
        .into_iter()
        .map(|side| side.into_iter().flat_map(|at| all[at].0.to_vec()).collect())
        .collect()
}

/// The mode's bot fill and when it is due for those who wait, in Unix milliseconds.
fn bot_fill<'a>(mode: &'a Mode, waiting: &[Arc<Ticket>]) -> Option<(&'a BotFill, u64)> {
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
