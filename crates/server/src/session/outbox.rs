//! What waits to be written to one connection, in two lanes.
//!
//! Events are delivered in order, or the connection is closed as too slow. Of states only the
//! newest waits: a slow phone sees the newest state and never a backlog. A state keeps its
//! place among the events, so nobody sees a state from before an event after it.
//!
//! Whoever sends only pushes here and never waits for the socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use axum::extract::ws::Utf8Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// Why and how a connection is closed by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// WebSocket close code.
    pub code: u16,
    /// WebSocket close reason.
    pub reason: &'static str,
}

impl Closing {
    /// No `session.connect` in time.
    pub const AUTH_TIMEOUT: Self = Self {
        code: 1008,
        reason: "idle_auth_timeout",
    };
    /// Too many connections from one address.
    pub const RATE_LIMITED: Self = Self {
        code: 1008,
        reason: "rate_limited",
    };
    /// A browser origin that is not allowed.
    pub const ORIGIN_REJECTED: Self = Self {
        code: 1008,
        reason: "origin_rejected",
    };
    /// The player signed in elsewhere.
    pub const DISPLACED: Self = Self {
        code: 1008,
        reason: "session_displaced",
    };
    /// The player is no more.
    pub const ERASED: Self = Self {
        code: 1008,
        reason: "account_erased",
    };
    /// The token was revoked while the connection signed in with it.
    pub const REVOKED: Self = Self {
        code: 1008,
        reason: "session_revoked",
    };
    /// The client does not read what it is sent.
    pub const SLOW_CONSUMER: Self = Self {
        code: 1013,
        reason: "slow_consumer",
    };
    /// No sign of life.
    pub const IDLE: Self = Self {
        code: 1001,
        reason: "idle_timeout",
    };
    /// The server stops; reconnect.
    pub const GOING_AWAY: Self = Self {
        code: 1012,
        reason: "server_restart",
    };
}

/// What waits for one connection.
pub struct Outbox {
    lanes: Mutex<Lanes>,
    /// Whether something was pushed since the last look. With the waker it is a `Notify` for
    /// one waiter: cheaper where it counts, at each frame of each connection.
    pushed: AtomicBool,
    connection: AtomicWaker,
    /// Most events that wait.
    capacity: usize,
}

#[derive(Default)]
struct Lanes {
    events: VecDeque<Utf8Bytes>,
    state: Option<WaitingState>,
    closing: Option<Closing>,
    /// How many of the waiting events came in a burst: they do not count.
    burst: usize,
}

struct WaitingState {
    frame: Utf8Bytes,
    /// How many of the waiting events come before it.
    after: usize,
}

/// What there is to write, and whether the connection ends after it.
#[derive(Default)]
pub struct Batch {
    /// In order.
    pub frames: VecDeque<Utf8Bytes>,
    /// Set when the connection is to be closed after the frames.
    pub closing: Option<Closing>,
}

impl Outbox {
    /// An empty outbox that holds `capacity` events.
    pub fn new(capacity: usize) -> Self {
        Self {
            lanes: Mutex::default(),
            pushed: AtomicBool::new(false),
            connection: AtomicWaker::new(),
            capacity: capacity.max(1),
        }
    }

    /// Queues an event. One too many closes the connection: it does not read. Answers whether
    /// the event will be written.
    pub fn event(&self, frame: Utf8Bytes) -> bool {
        let mut lanes = self.lanes.lock();
        if lanes.closing.is_some() {
            return false;
        }
        if lanes.events.len() >= self.capacity.saturating_add(lanes.burst) {
            *lanes = Lanes {
                closing: Some(Closing::SLOW_CONSUMER),
                ..Lanes::default()
            };
        } else {
            lanes.events.push_back(frame);
        }
        let is_queued = lanes.closing.is_none();
        drop(lanes);
        self.wake();
        is_queued
    }

    /// Queues events that the connection is owed all at once, such as what came while it was
    /// away. They do not count towards the capacity: the sender bounds them. Answers whether
    /// they will be written.
    pub fn burst(&self, frames: Vec<Utf8Bytes>) -> bool {
        let mut lanes = self.lanes.lock();
        if lanes.closing.is_some() {
            return false;
        }
        lanes.burst += frames.len();
        lanes.events.extend(frames);
        drop(lanes);
        self.wake();
        true
    }

    /// Replaces the waiting state.
    pub fn state(&self, frame: Utf8Bytes) {
        let mut lanes = self.lanes.lock();
        if lanes.closing.is_some() {
            return;
        }
        let after = lanes.events.len();
        lanes.state = Some(WaitingState { frame, after });
        drop(lanes);
        self.wake();
    }

    /// Closes the connection after what waits now.
    pub fn close(&self, closing: Closing) {
        self.lanes.lock().closing.get_or_insert(closing);
        self.wake();
    }

    /// Waits until there is something to take. Only the connection itself may wait.
    pub async fn changed(&self) {
        poll_fn(|context| {
            self.connection.register(context.waker());
            match self.pushed.swap(false, Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn wake(&self) {
        self.pushed.store(true, Ordering::Release);
        self.connection.wake();
    }

    /// Takes everything that waits.
    pub fn take(&self) -> Batch {
        let mut lanes = self.lanes.lock();
        lanes.burst = 0;
        let mut frames = std::mem::take(&mut lanes.events);
        if let Some(state) = lanes.state.take() {
            frames.insert(state.after.min(frames.len()), state.frame);
        }
        Batch {
            frames,
            closing: lanes.closing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(frame: &str) -> Utf8Bytes {
        Utf8Bytes::from(frame.to_owned())
    }

    fn taken(outbox: &Outbox) -> Vec<String> {
        outbox
            .take()
            .frames
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn of_states_only_the_newest_waits_and_it_keeps_its_place() {
        let outbox = Outbox::new(8);
        outbox.event(text("a"));
        outbox.state(text("s1"));
        outbox.event(text("b"));
        outbox.state(text("s2"));
        outbox.event(text("c"));
        assert_eq!(taken(&outbox), ["a", "b", "s2", "c"]);
        assert!(taken(&outbox).is_empty());
    }

    #[test]
    fn who_does_not_read_events_is_closed() {
        let outbox = Outbox::new(2);
        for _ in 0..3 {
            outbox.event(text("e"));
        }
        let batch = outbox.take();
        assert!(batch.frames.is_empty());
        assert_eq!(batch.closing, Some(Closing::SLOW_CONSUMER));
    }

    #[test]
    fn a_burst_is_let_through_and_takes_nobodys_room() {
        let outbox = Outbox::new(2);
        outbox.event(text("a"));
        outbox.burst((0..5).map(|n| text(&n.to_string())).collect());
        outbox.event(text("b"));
        assert_eq!(taken(&outbox), ["a", "0", "1", "2", "3", "4", "b"]);
        for _ in 0..3 {
            outbox.event(text("e"));
        }
        assert_eq!(outbox.take().closing, Some(Closing::SLOW_CONSUMER));
    }

    #[test]
    fn a_thousand_states_are_one() {
        let outbox = Outbox::new(2);
        for n in 0..1_000 {
            outbox.state(text(&n.to_string()));
        }
        assert_eq!(taken(&outbox), ["999"]);
    }

    #[test]
    fn what_waits_is_written_before_the_close() {
        let outbox = Outbox::new(2);
        assert!(outbox.event(text("last words")));
        outbox.close(Closing::DISPLACED);
        assert!(!outbox.event(text("too late")));
        assert!(!outbox.burst(vec![text("much too late")]));
        let batch = outbox.take();
        assert_eq!(batch.frames.len(), 1);
        assert_eq!(batch.closing, Some(Closing::DISPLACED));
    }
}
