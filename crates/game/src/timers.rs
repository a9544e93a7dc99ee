//! Timers a game sets: thousands of them, at the cost of those that are due.
//!
//! A timer is a name, some data and a time. What it does is the game's to know, so that a timer
//! survives a reload and a restart. [`Timers`] is told the time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Most timers of one match.
pub const MAX_TIMERS: usize = 10_000;
/// Longest time until a timer fires, in milliseconds (30 days).
pub const MAX_AFTER_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Shortest time between two firings of one timer, in milliseconds: the fastest tick.
pub const MIN_EVERY_MS: u64 = 10;
/// Longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Largest data of one timer, in bytes of its JSON text.
pub const MAX_DATA_BYTES: usize = 512;

/// A timer a game set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timer {
    /// What the game cancels it by.
    pub id: u64,
    /// What the game knows it by.
    pub name: String,
    /// When it is due, in Unix milliseconds; in a request, in how many milliseconds.
    pub due: u64,
    /// Milliseconds between two firings, if it fires more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// What the game gets back: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// Which timers to cancel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TimerKey {
    /// The one of this id.
    Id(u64),
    /// All of this name.
    Name(String),
}

/// The timers of one match.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    live: HashMap<u64, Timer>,
    /// When which timer is due. An entry whose timer is gone or due at another time is stale.
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    next_id: u64,
}

/// Timers as they are saved.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SavedTimers {
    live: Vec<Timer>,
    next_id: u64,
}

impl Timers {
    /// How many there are.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// An id above all that were ever given.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Starts a timer that is due `timer.due` milliseconds after `now`. `false`: too many.
    pub fn start(&mut self, mut timer: Timer, now: u64) -> bool {
        self.next_id = self.next_id.max(timer.id + 1);
        if self.live.len() >= MAX_TIMERS {
            return false;
        }
        timer.due = now.saturating_add(timer.due);
        self.put(timer);
        true
    }

    fn put(&mut self, timer: Timer) {
        self.queue.push(Reverse((timer.due, timer.id)));
        self.live.insert(timer.id, timer);
    }

    /// Cancels; a timer that is gone already is no error.
    pub fn cancel(&mut self, key: &TimerKey) {
        match key {
            TimerKey::Id(id) => {
                self.live.remove(id);
            }
            TimerKey::Name(name) => self.live.retain(|_, timer| timer.name != *name),
        }
        // Stale entries go when they are due; a game that keeps cancelling would pile them up.
        if self.queue.len() > 2 * self.live.len() + 64 {
            let live = self.live.values();
            self.queue = live.map(|timer| Reverse((timer.due, timer.id))).collect();
        }
    }

    /// Takes what is due at `now`, the longest due first. A repeating timer is due again one
    /// period later, or one period from now if it is late by more than that.
    pub fn take_due(&mut self, now: u64) -> Vec<Timer> {
        let mut taken = Vec::new();
        while let Some(Reverse((due, id))) = self.queue.peek().copied() {
            if due > now {
                break;
            }
            self.queue.pop();
            let Some(timer) = self.live.get(&id).filter(|timer| timer.due == due) else {
                continue;
            };
            taken.push(timer.clone());
            if let Some(timer) = self.live.remove(&id)
                && let Some(every) = timer.every
            {
                let next = due.saturating_add(every);
                let due = if next > now { next } else { now + every };
                self.put(Timer { due, ..timer });
            }
        }
        taken
    }

    /// Puts back what was taken and not handled: it is due still.
    pub fn put_back(&mut self, timers: impl IntoIterator<Item = Timer>) {
        for timer in timers {
            // A repeating one may have been cancelled meanwhile.
            if timer.every.is_none() || self.live.contains_key(&timer.id) {
                self.put(timer);
            }
        }
    }

    /// As they are saved.
    pub fn saved(&self) -> SavedTimers {
        let mut live: Vec<Timer> = self.live.values().cloned().collect();
        live.sort_by_key(|timer| (timer.due, timer.id));
        SavedTimers {
            live,
            next_id: self.next_id,
        }
    }

    /// As they were saved, with the time left that they had then, `by` milliseconds ago.
    pub fn restored(saved: SavedTimers, by: u64) -> Self {
        let mut timers = Self {
            next_id: saved.next_id,
            ..Self::default()
        };
        for mut timer in saved.live {
            timer.due = timer.due.saturating_add(by);
            timers.put(timer);
        }
        timers
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn timer(id: u64, due: u64, every: Option<u64>) -> Timer {
        let name = format!("t{}", id % 2);
        Timer {
            id,
            name,
            due,
            every,
            data: None,
        }
    }

    fn due(timers: &mut Timers, now: u64) -> Vec<u64> {
        timers.take_due(now).iter().map(|timer| timer.id).collect()
    }

    #[test]
    fn what_is_due_fires_once_and_in_order() {
        let mut timers = Timers::default();
        for (id, after) in [(0, 30), (1, 10), (2, 20), (3, 10)] {
            assert!(timers.start(timer(id, after, None), 100));
        }
        assert_eq!(due(&mut timers, 109), [0; 0]);
        assert_eq!(due(&mut timers, 120), [1, 3, 2]);
        assert_eq!(due(&mut timers, 1_000), [0]);
        assert_eq!((due(&mut timers, 2_000), timers.len()), (vec![], 0));
    }

    #[test]
    fn a_repeating_timer_keeps_its_beat_and_makes_nothing_up() {
        let mut timers = Timers::default();
        timers.start(timer(0, 100, Some(100)), 0);
        let fired = (0..1_000).filter(|now| due(&mut timers, *now) == [0]);
        assert_eq!(fired.count(), 9);
        // A stall of a minute is one firing, not six hundred.
        assert_eq!(due(&mut timers, 60_000), [0]);
        assert_eq!(due(&mut timers, 60_099), [0; 0]);
        assert_eq!(due(&mut timers, 60_100), [0]);
        timers.cancel(&TimerKey::Id(0));
        assert_eq!(due(&mut timers, 99_000), [0; 0]);
    }

    #[test]
    fn cancelling_by_name_and_putting_back() {
        let mut timers = Timers::default();
        for id in 0..6 {
            timers.start(timer(id, 10, None), 0);
        }
        timers.cancel(&TimerKey::Name("t1".into()));
        let taken = timers.take_due(10);
        assert_eq!(taken.len(), 3);
        timers.put_back(taken.into_iter().skip(1));
        assert_eq!(due(&mut timers, 10), [2, 4]);
    }

    #[test]
    fn timers_survive_with_the_time_left_that_they_had() {
        let mut timers = Timers::default();
        let data = RawValue::from_string(r#"{"gate":7}"#.into()).unwrap();
        timers.start(
            Timer {
                data: Some(data),
                ..timer(4, 500, None)
            },
            0,
        );
        let saved = serde_json::to_string(&timers.saved()).unwrap();
        let mut back = Timers::restored(serde_json::from_str(&saved).unwrap(), 60_000);
        assert_eq!(back.next_id(), 5);
        assert_eq!(due(&mut back, 60_499), [0; 0]);
        let fired = back.take_due(60_500);
        assert_eq!(fired[0].data.as_ref().unwrap().get(), r#"{"gate":7}"#);
    }

    /// Ten thousand timers and a million ticks in which nothing is due.
    #[test]
    fn waiting_costs_nothing_and_cancelling_leaves_nothing() {
        let mut timers = Timers::default();
        for id in 0..MAX_TIMERS as u64 {
            assert!(timers.start(timer(id, 10_000_000 + id, None), 0));
        }
        assert!(!timers.start(timer(99_999, 1, None), 0));
        let since = std::time::Instant::now();
        for now in 0..1_000_000 {
            assert!(timers.take_due(now).is_empty());
        }
        assert!(since.elapsed() < std::time::Duration::from_secs(5));
        for round in 0..100_000u64 {
            timers.cancel(&TimerKey::Id(round % MAX_TIMERS as u64));
            timers.start(timer(round % MAX_TIMERS as u64, 10_000_000, None), round);
        }
        assert!(
            timers.queue.len() <= 2 * timers.len() + 65,
            "{}",
            timers.queue.len()
        );
    }
}
