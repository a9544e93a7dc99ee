//! The queue: tickets in, matches out.
//!
//! A ticket is one player or a whole party. [`queue`] holds the tickets and [`properties`] says
//! what may stand on one; `asobi_game::strategy` decides which of them make a match; [`look`] is
//! what happens at intervals (a strategy that is a script is asked and answers
//! later): tickets expire, [`backfill`] sends players to matches that have
//! room, groups become matches, and bots fill up where a mode wants them.
//!
//! The queue lives in memory: a restart drops it, as in the original. Clients queue again.

mod backfill;
pub mod frames;
mod look;
pub mod properties;
pub mod queue;
pub mod routes;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use asobi_game::modes::Mode;
use asobi_game::strategy::Ticket;
use asobi_game::{MatchId, PlayerId};
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

use self::backfill::Formed;
use self::properties::Properties;
use self::queue::{NewTicket, Queue, Submitted, Waiting};

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
    /// How matches that take more players were put together.
    formed: Mutex<HashMap<MatchId, Formed>>,
    /// Matches that players are on their way to.
    filling: Mutex<HashSet<MatchId>>,
    /// Modes whose script has not answered yet.
    asking: Mutex<HashSet<String>>,
}

/// What a player learns who submits a ticket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Queued {
    /// The ticket.
    pub ticket_id: String,
    /// `pending`.
    pub status: &'static str,
    /// How many players a match of the mode needs.
    pub players_needed: u32,
    /// Whether the ticket is one the player had before; its wait goes on.
    pub already_queued: bool,
}

/// How the whole queue stands.
#[derive(Serialize, ToSchema)]
#[schema(as = MatchmakerStats)]
pub struct Stats {
    /// Players who wait, of all modes.
    waiting: usize,
    /// Every mode, by name.
    modes: Vec<ModeStats>,
}

/// How one mode's queue stands.
#[derive(Serialize, ToSchema)]
#[schema(as = MatchmakerModeStats)]
struct ModeStats {
    mode: String,
    /// Players who wait.
    waiting: usize,
    /// Tickets that wait; a party is one.
    tickets: usize,
    /// How long the oldest ticket has waited.
    oldest_wait_ms: u64,
    /// How long the tickets have waited on average.
    average_wait_ms: u64,
    /// How many players a match needs.
    players_needed: u32,
}

/// A party's ticket, as the party shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartyTicket {
    /// Its id.
    pub ticket_id: String,
    /// The mode it waits for.
    pub mode: String,
    /// Unix milliseconds.
    pub submitted_at: u64,
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
            formed: Mutex::default(),
            filling: Mutex::default(),
            asking: Mutex::default(),
        };
        let matchmaking = Self {
            shared: Arc::new(shared),
        };
        tokio::spawn(matchmaking.clone().run());
        matchmaking
    }

    /// Submits a ticket, or answers the one the player has for this mode: their own, or that of
    /// their party.
    ///
    /// # Errors
    /// `matchmaker.unknown_mode`, `matchmaker.queue_full`, and those of [`Properties::check`].
    pub fn add(&self, player: &PlayerId, mode: &str, properties: Value) -> Outcome<Queued> {
        let mode = self.mode(mode)?;
        let new = NewTicket {
            players: vec![player.clone()],
            mode: mode.name.clone(),
            properties: Properties::check(properties)?,
            party: None,
        };
        self.submit(&mode, new)
    }

    /// Submits a party's ticket, its leader first among `players`, or answers the one it has for
    /// this mode. Tickets its players had for the mode on their own are taken back.
    ///
    /// # Errors
    /// As [`Self::add`]; `party.too_large` if a match of the mode has no place for all of them.
    pub fn add_party(
        &self,
        party: &str,
        players: Vec<PlayerId>,
        mode: &str,
        properties: Value,
    ) -> Outcome<Queued> {
        let mode = self.mode(mode)?;
        let properties = Properties::check(properties)?;
        let largest = asobi_game::strategy::largest_party(&mode);
        if players.len() > largest {
            return Err(ApiError::from(Code::PartyTooLarge).with("largest", largest));
        }
        let new = NewTicket {
            players,
            mode: mode.name.clone(),
            properties,
            party: Some(party.to_owned()),
        };
        self.submit(&mode, new)
    }

    fn mode(&self, name: &str) -> Outcome<Mode> {
        let mode = self.shared.game.mode(name);
        mode.ok_or_else(|| ApiError::from_reason("unknown_mode"))
    }

    fn submit(&self, mode: &Mode, new: NewTicket) -> Outcome<Queued> {
        let submitted = {
            let (mut queue, max) = (self.shared.queue.lock(), self.shared.config.max_queue);
            queue.submit(new, max, clock::now_ms())
        };
        let Submitted { id, already_queued } =
            submitted.map_err(|queue::Full| ApiError::from_reason("queue_full"))?;
        Ok(Queued {
            ticket_id: id,
            status: "pending",
            players_needed: mode.match_size,
            already_queued,
        })
    }

    /// Cancels a ticket. Any player of a party cancels it for all; the others are told.
    ///
    /// # Errors
    /// `matchmaker.ticket_not_found`, `forbidden` for a ticket of others.
    pub fn remove(&self, player: &PlayerId, ticket: &str) -> Outcome<()> {
        let removed = {
            let mut queue = self.shared.queue.lock();
            Self::owned(&queue, player, ticket)?;
            queue.remove(ticket)
        };
        self.tell_removed(removed, std::slice::from_ref(player));
        Ok(())
    }

    /// Cancels every ticket of a player.
    pub fn leave(&self, player: &PlayerId) {
        let removed = self.shared.queue.lock().remove_player(player);
        self.tell_removed(removed, std::slice::from_ref(player));
    }

    /// Takes a ticket out of the queue, if it is in there. Nobody is told.
    pub fn withdraw(&self, ticket: &str) -> bool {
        self.shared.queue.lock().remove(ticket).is_some()
    }

    /// A party's ticket, while it waits.
    pub fn party_ticket(&self, ticket: &str) -> Option<PartyTicket> {
        let queue = self.shared.queue.lock();
        let waiting = queue.find(ticket)?;
        Some(PartyTicket {
            ticket_id: ticket.to_owned(),
            mode: waiting.mode.clone(),
            submitted_at: waiting.ticket.submitted_at,
        })
    }

    /// A ticket of the player.
    ///
    /// # Errors
    /// As [`Self::remove`].
    pub fn status(&self, player: &PlayerId, ticket: &str) -> Outcome<Value> {
        let queue = self.shared.queue.lock();
        let waiting = Self::owned(&queue, player, ticket)?;
        let mut status = json!({
            "id": ticket, "mode": waiting.mode, "status": "pending",
            "properties": waiting.properties, "submitted_at": waiting.ticket.submitted_at,
        });
        if let Some(party) = &waiting.party {
            status["party_id"] = json!(party);
            status["players"] = json!(waiting.ticket.players);
        }
        Ok(status)
    }

    /// How the queue stands.
    pub fn stats(&self) -> Stats {
        let (now, queue) = (clock::now_ms(), self.shared.queue.lock());
        let modes: Vec<ModeStats> = self
            .shared
            .game
            .modes()
            .into_iter()
            .map(|mode| {
                let depth = queue.depth(&mode.name, now);
                ModeStats {
                    waiting: depth.players,
                    tickets: depth.tickets,
                    oldest_wait_ms: depth.oldest_ms,
                    average_wait_ms: depth.average_ms,
                    players_needed: mode.match_size,
                    mode: mode.name,
                }
            })
            .collect();
        Stats {
            waiting: modes.iter().map(|mode| mode.waiting).sum(),
            modes,
        }
    }

    fn owned<'a>(queue: &'a Queue, player: &PlayerId, ticket: &str) -> Outcome<&'a Waiting> {
        let waiting = queue.find(ticket).ok_or(Code::MatchmakerTicketNotFound)?;
        match waiting.ticket.players.contains(player) {
            true => Ok(waiting),
            false => Err(ApiError::from_reason("not_owner")),
        }
    }

    /// Tells the players of tickets that were taken out, but those who know.
    fn tell_removed(&self, removed: impl IntoIterator<Item = Waiting>, know: &[PlayerId]) {
        for waiting in removed {
            let mut players = waiting.ticket.players.clone();
            players.retain(|player| !know.contains(player));
            let told = json!({ "ticket_id": waiting.ticket.id, "success": true });
            let told = frame("matchmaker.removed", None, &told);
            self.shared.bus.event_to_all(&players, told);
        }
    }

    /// Tells every player of a ticket.
    fn tell(&self, ticket: &Ticket, kind: &str, payload: &Value) {
        let told = frame(kind, None, payload);
        self.shared.bus.event_to_all(&ticket.players, told);
    }
}
