//! The waiting tickets: one for each player and mode, oldest first.

use std::collections::{BTreeMap, HashMap};

use asobi_game::PlayerId;
use asobi_game::strategy::Ticket;
use serde_json::Value;

use crate::text::new_id;

/// A ticket and what the matchmaker notes on it.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The ticket as a strategy sees it.
    pub ticket: Ticket,
    /// The mode it waits for.
    pub mode: String,
    /// What the player said about themselves.
    pub properties: Value,
    /// How often a match for it failed to start.
    pub attempts: u32,
}

/// A submitted ticket.
#[derive(Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub id: String,
    /// Whether the player had it already.
    pub already_queued: bool,
}

/// The queue has as many tickets as it may hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// The waiting tickets of all modes.
#[derive(Default)]
pub struct Queue {
    modes: BTreeMap<String, Vec<Waiting>>,
    owners: HashMap<String, (PlayerId, String)>,
}

impl Queue {
    /// Adds a ticket, or answers the one the player has for this mode.
    pub fn submit(
        &mut self,
        player: &PlayerId,
        mode: &str,
        properties: Value,
        max: usize,
        now: u64,
    ) -> Result<Submitted, Full> {
        let waiting = self.modes.get(mode).into_iter().flatten();
        if let Some(earlier) = waiting
            .into_iter()
            .find(|waiting| waiting.ticket.player == *player)
        {
            return Ok(Submitted {
                id: earlier.ticket.id.clone(),
                already_queued: true,
            });
        }
        if self.owners.len() >= max {
            return Err(Full);
        }
        let id = new_id();
        let ticket = Ticket {
            id: id.clone(),
            player: player.clone(),
            submitted_at: now,
        };
        self.insert(Waiting {
            ticket,
            mode: mode.to_owned(),
            properties,
            attempts: 0,
        });
        Ok(Submitted {
            id,
            already_queued: false,
        })
    }

    /// Puts tickets back whose match did not start, at the place their age gives them.
    pub fn put_back(&mut self, tickets: Vec<Waiting>) {
        for waiting in tickets {
            self.insert(waiting);
        }
    }

    fn insert(&mut self, waiting: Waiting) {
        let owner = (waiting.ticket.player.clone(), waiting.mode.clone());
        self.owners.insert(waiting.ticket.id.clone(), owner);
        let queue = self.modes.entry(waiting.mode.clone()).or_default();
        let at =
            queue.partition_point(|other| other.ticket.submitted_at <= waiting.ticket.submitted_at);
        queue.insert(at, waiting);
    }

    /// Who a ticket belongs to.
    pub fn owner(&self, id: &str) -> Option<&PlayerId> {
        self.owners.get(id).map(|(player, _)| player)
    }

    /// A ticket.
    pub fn find(&self, id: &str) -> Option<&Waiting> {
        let (_, mode) = self.owners.get(id)?;
        self.modes
            .get(mode)?
            .iter()
            .find(|waiting| waiting.ticket.id == id)
    }

    /// Takes a ticket out.
    pub fn remove(&mut self, id: &str) -> Option<Waiting> {
        let (_, mode) = self.owners.remove(id)?;
        let queue = self.modes.get_mut(&mode)?;
        let at = queue.iter().position(|waiting| waiting.ticket.id == id)?;
        Some(queue.remove(at))
    }

    /// Takes every ticket of a player out: they are in a match now.
    pub fn remove_player(&mut self, player: &PlayerId) {
        self.owners.retain(|_, (owner, _)| owner != player);
        for queue in self.modes.values_mut() {
            queue.retain(|waiting| waiting.ticket.player != *player);
        }
    }

    /// Takes out the tickets submitted before `deadline`.
    pub fn expire(&mut self, deadline: u64) -> Vec<Waiting> {
        let mut expired = Vec::new();
        for queue in self.modes.values_mut() {
            let young = queue.partition_point(|waiting| waiting.ticket.submitted_at < deadline);
            expired.extend(queue.drain(..young));
        }
        for waiting in &expired {
            self.owners.remove(&waiting.ticket.id);
        }
        expired
    }

    /// The tickets of a mode, oldest first.
    pub fn tickets(&self, mode: &str) -> Vec<Ticket> {
        let waiting = self.modes.get(mode).into_iter().flatten();
        waiting.map(|waiting| waiting.ticket.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submit(queue: &mut Queue, player: &str, now: u64) -> Submitted {
        queue
            .submit(&player.into(), "arena", Value::Null, 100, now)
            .expect("room")
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
    fn tickets_expire_by_age_and_come_back_at_their_place() {
        let mut queue = Queue::default();
        submit(&mut queue, "ada", 10);
        submit(&mut queue, "bob", 20);
        let expired = queue.expire(15);
        assert_eq!(expired.len(), 1);
        assert_eq!(queue.owner(&expired[0].ticket.id), None);
        queue.put_back(expired);
        let order: Vec<String> = queue
            .tickets("arena")
            .iter()
            .map(|t| t.player.to_string())
            .collect();
        assert_eq!(order, ["ada", "bob"]);
    }

    #[test]
    fn a_full_queue_takes_nobody() {
        let mut queue = Queue::default();
        let submitted = queue.submit(&"ada".into(), "arena", Value::Null, 0, 1);
        assert_eq!(submitted, Err(Full));
    }
}
