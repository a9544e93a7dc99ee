//! The waiting tickets: one for each player and mode, oldest first.
//!
//! Every change takes a time that grows with the logarithm of the queue: a tick may start
//! thousands of matches.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_game::strategy::Ticket;
use serde_json::Value;

use super::properties::Properties;
use crate::text::new_id;

/// A ticket and what the matchmaker notes on it.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The ticket as a strategy sees it.
    pub ticket: Arc<Ticket>,
    /// The mode it waits for.
    pub mode: String,
    /// What the players said about themselves.
    pub properties: Arc<Value>,
    /// The party it is for.
    pub party: Option<String>,
    /// How often a match for it failed to start.
    pub attempts: u32,
}

/// A ticket about to be submitted.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// One player, or a party's players with the leader first.
    pub players: Vec<PlayerId>,
    /// The mode's own name.
    pub mode: String,
    /// Checked.
    pub properties: Properties,
    /// The party.
    pub party: Option<String>,
}

/// A submitted ticket.
#[derive(Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub id: String,
    /// Whether its players had it already.
    pub already_queued: bool,
}

/// The queue has as many tickets as it may hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// How a mode's queue stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Tickets that wait.
    pub tickets: usize,
    /// Players that wait.
    pub players: usize,
    /// How long the oldest ticket has waited, in milliseconds.
    pub oldest_ms: u64,
    /// How long the tickets have waited on average, in milliseconds.
    pub average_ms: u64,
}

/// A ticket's place: by age, then in the order of submission.
type Place = (u64, u64);

/// The waiting tickets of all modes.
#[derive(Default)]
pub struct Queue {
    modes: BTreeMap<String, BTreeMap<Place, Waiting>>,
    /// The mode and place of a ticket.
    places: HashMap<String, (String, Place)>,
    /// The tickets of a player.
    players: HashMap<PlayerId, Vec<String>>,
    count: u64,
}

impl Queue {
    /// Adds a ticket, or answers the one its first player has for this mode. A party's ticket
    /// takes the place of those its players had for this mode on their own.
    pub fn submit(&mut self, new: NewTicket, max: usize, now: u64) -> Result<Submitted, Full> {
        let earlier = self.of(&new.players[0], &new.mode);
        // A party does not wait on a ticket its leader has alone.
        if let Some(earlier) = earlier.filter(|t| new.party.is_none() || t.party == new.party) {
            return Ok(Submitted {
                id: earlier.ticket.id.clone(),
                already_queued: true,
            });
        }
        if self.places.len() >= max {
            return Err(Full);
        }
        for player in &new.players {
            if let Some(own) = self.of(player, &new.mode) {
                let id = own.ticket.id.clone();
                self.remove(&id);
            }
        }
        let id = new_id();
        let ticket = Ticket {
            id: id.clone(),
            players: new.players,
            submitted_at: now,
            skill: new.properties.skill,
            region: new.properties.region,
        };
        self.insert(Waiting {
            ticket: Arc::new(ticket),
            mode: new.mode,
            properties: Arc::new(new.properties.all),
            party: new.party,
            attempts: 0,
        });
        Ok(Submitted {
            id,
            already_queued: false,
        })
    }

    /// Puts tickets back whose match did not start, at the place their age gives them. Whoever
    /// has another one by now keeps that.
    pub fn put_back(&mut self, tickets: Vec<Waiting>) {
        for waiting in tickets {
            let mut players = waiting.ticket.players.iter();
            if players.all(|player| self.of(player, &waiting.mode).is_none()) {
                self.insert(waiting);
            }
        }
    }

    fn insert(&mut self, waiting: Waiting) {
        self.count += 1;
        let (id, place) = (
            waiting.ticket.id.clone(),
            (waiting.ticket.submitted_at, self.count),
        );
        for player in &waiting.ticket.players {
            let tickets = self.players.entry(player.clone()).or_default();
            tickets.push(id.clone());
        }
        self.places.insert(id, (waiting.mode.clone(), place));
        let mode = self.modes.entry(waiting.mode.clone()).or_default();
        mode.insert(place, waiting);
    }

    /// A ticket.
    pub fn find(&self, id: &str) -> Option<&Waiting> {
        let (mode, place) = self.places.get(id)?;
        self.modes.get(mode)?.get(place)
    }

    /// The ticket of a player for a mode.
    pub fn of(&self, player: &PlayerId, mode: &str) -> Option<&Waiting> {
        let tickets = self.players.get(player)?.iter();
        tickets
            .filter_map(|id| self.find(id))
            .find(|waiting| waiting.mode == mode)
    }

    /// Takes a ticket out.
    pub fn remove(&mut self, id: &str) -> Option<Waiting> {
        let (mode, place) = self.places.remove(id)?;
        let waiting = self.modes.get_mut(&mode)?.remove(&place)?;
        for player in &waiting.ticket.players {
            if let Some(tickets) = self.players.get_mut(player) {
                tickets.retain(|ticket| ticket != id);
                if tickets.is_empty() {
                    self.players.remove(player);
                }
            }
        }
        Some(waiting)
    }

    /// Takes all of these tickets out, or, if one of them is there no more, none.
    pub fn remove_all<'a>(
        &mut self,
        ids: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<Vec<Waiting>> {
        if ids.clone().any(|id| self.find(id).is_none()) {
            return None;
        }
        Some(ids.filter_map(|id| self.remove(id)).collect())
    }

    /// Takes every ticket of a player out: they are in a match now, or gone.
    pub fn remove_player(&mut self, player: &PlayerId) -> Vec<Waiting> {
        let tickets = self.players.get(player).cloned().unwrap_or_default();
        tickets.iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Takes out the tickets submitted before `deadline`.
    pub fn expire(&mut self, deadline: u64) -> Vec<Waiting> {
        let overdue = |mode: &BTreeMap<Place, Waiting>| {
            let old = mode.range(..(deadline, 0));
            old.map(|(_, waiting)| waiting.ticket.id.clone())
                .collect::<Vec<_>>()
        };
        let ids: Vec<String> = self.modes.values().flat_map(overdue).collect();
        ids.iter().filter_map(|id| self.remove(id)).collect()
    }

    /// The tickets of a mode, oldest first.
    pub fn tickets(&self, mode: &str) -> Vec<Arc<Ticket>> {
        let waiting = self.waiting(mode);
        waiting.map(|waiting| Arc::clone(&waiting.ticket)).collect()
    }

    /// What waits for a mode, oldest first.
    pub fn waiting(&self, mode: &str) -> impl Iterator<Item = &Waiting> {
        self.modes.get(mode).into_iter().flat_map(BTreeMap::values)
    }

    /// The modes somebody waits for.
    pub fn modes(&self) -> impl Iterator<Item = &str> {
        let some = self.modes.iter().filter(|(_, waiting)| !waiting.is_empty());
        some.map(|(mode, _)| mode.as_str())
    }

    /// How a mode's queue stands.
    pub fn depth(&self, mode: &str, now: u64) -> Depth {
        let mut depth = Depth::default();
        let mut sum = 0;
        for waiting in self.waiting(mode) {
            let waited = now.saturating_sub(waiting.ticket.submitted_at);
            depth.tickets += 1;
            depth.players += waiting.ticket.size();
            depth.oldest_ms = depth.oldest_ms.max(waited);
            sum += waited;
        }
        depth.average_ms = sum / depth.tickets.max(1) as u64;
        depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(players: &[&str], party: Option<&str>) -> NewTicket {
        NewTicket {
            players: players.iter().map(|id| PlayerId::from(*id)).collect(),
            mode: "arena".into(),
            properties: Properties::check(serde_json::json!({})).expect("nothing"),
            party: party.map(str::to_owned),
        }
    }

    fn submit(queue: &mut Queue, player: &str, now: u64) -> Submitted {
        queue.submit(new(&[player], None), 100, now).expect("room")
    }

    fn order(queue: &Queue) -> Vec<String> {
        let tickets = queue.tickets("arena");
        tickets.iter().map(|t| t.players[0].to_string()).collect()
    }

    #[test]
    fn a_player_has_one_ticket_for_a_mode() {
        let mut queue = Queue::default();
        let first = submit(&mut queue, "ada", 1);
        let again = submit(&mut queue, "ada", 2);
        assert_eq!(
            again,
            Submitted {
                id: first.id.clone(),
                already_queued: true
            }
        );
        assert!(queue.remove(&first.id).is_some());
        assert!(queue.remove(&first.id).is_none());
        assert!(!submit(&mut queue, "ada", 3).already_queued);
    }

    #[test]
    fn a_party_takes_the_place_of_its_players() {
        let mut queue = Queue::default();
        submit(&mut queue, "ada", 1);
        let party = queue.submit(new(&["bob", "ada"], Some("p")), 100, 2);
        let party = party.expect("room");
        assert!(!party.already_queued);
        assert_eq!(order(&queue), ["bob"]);
        let again = submit(&mut queue, "ada", 3);
        assert_eq!((again.id, again.already_queued), (party.id.clone(), true));
        let again = queue.submit(new(&["bob", "ada"], Some("p")), 100, 4);
        assert!(again.expect("there").already_queued);
        assert_eq!(queue.remove_player(&"ada".into()).len(), 1);
        assert!(queue.of(&"bob".into(), "arena").is_none());
    }

    #[test]
    fn tickets_expire_by_age_and_come_back_at_their_place() {
        let mut queue = Queue::default();
        submit(&mut queue, "ada", 10);
        submit(&mut queue, "bob", 20);
        assert_eq!(queue.depth("arena", 30).oldest_ms, 20);
        assert_eq!(queue.depth("arena", 30).average_ms, 15);
        let expired = queue.expire(15);
        assert_eq!(expired.len(), 1);
        assert!(queue.find(&expired[0].ticket.id).is_none());
        queue.put_back(expired.clone());
        assert_eq!(order(&queue), ["ada", "bob"]);
        // Not a second one beside that which the player has meanwhile.
        queue.put_back(expired);
        assert_eq!(order(&queue), ["ada", "bob"]);
    }

    #[test]
    fn all_or_none_are_taken_out() {
        let mut queue = Queue::default();
        let (a, b) = (submit(&mut queue, "ada", 1), submit(&mut queue, "bob", 2));
        assert!(
            queue
                .remove_all([a.id.as_str(), "gone"].into_iter())
                .is_none()
        );
        assert_eq!(order(&queue), ["ada", "bob"]);
        let both = queue.remove_all([a.id.as_str(), b.id.as_str()].into_iter());
        assert_eq!(both.map(|all| all.len()), Some(2));
    }

    #[test]
    fn a_full_queue_takes_nobody() {
        let submitted = Queue::default().submit(new(&["ada"], None), 0, 1);
        assert_eq!(submitted, Err(Full));
    }
}
