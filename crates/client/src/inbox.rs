//! What has arrived: events in their order, and answers for whoever waits for them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::{Close, Error, Event, Result};

/// Shared between the driver, which fills it, and the client, which empties it.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    dropped: u64,
    /// Waiting requests by the JSON text of their `cid`.
    pending: HashMap<String, oneshot::Sender<Event>>,
    closed: Option<Close>,
}

impl Inbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            capacity: capacity.max(1),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Takes what the socket gave: an answer goes to the request that waits for it, everything
    /// else into the queue.
    pub(crate) fn deliver(&self, event: Event) {
        let mut state = self.state();
        if let Some(waiting) = event.cid().and_then(|cid| state.pending.remove(cid)) {
            // A request that has given up meanwhile does not want it either.
            let _ = waiting.send(event);
            return;
        }
        if state.events.len() >= self.capacity {
            state.make_room();
        }
        state.events.push_back(event);
        drop(state);
        self.changed.notify_waiters();
    }

    /// The socket has ended: waiting requests fail, and waits for events that are not here.
    pub(crate) fn end(&self, close: Close) {
        let mut state = self.state();
        state.closed.get_or_insert(close);
        state.pending.clear();
        drop(state);
        self.changed.notify_waiters();
    }

    /// A new socket takes over. Events from the old one stay.
    pub(crate) fn reopen(&self) {
        self.state().closed = None;
    }

    /// Registers a request. Its answer comes through the receiver, which fails when the socket
    /// ends before.
    pub(crate) fn expect(&self, cid: &str) -> Result<oneshot::Receiver<Event>> {
        let mut state = self.state();
        if let Some(close) = &state.closed {
            return Err(Error::Closed(close.clone()));
        }
        let (sender, receiver) = oneshot::channel();
        state.pending.insert(cid.to_owned(), sender);
        Ok(receiver)
    }

    /// The request no longer waits.
    pub(crate) fn forget(&self, cid: &str) {
        self.state().pending.remove(cid);
    }

    pub(crate) fn closed(&self) -> Option<Close> {
        self.state().closed.clone()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Everything in the queue.
    pub(crate) fn take_all(&self) -> Vec<Event> {
        self.state().events.drain(..).collect()
    }

    /// The newest queued event that `wanted` accepts; older such events are dropped.
    pub(crate) fn take_newest(&self, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let mut state = self.state();
        let at = state.events.iter().rposition(&wanted)?;
        let newest = state.events.remove(at);
        state.events.retain(|event| !wanted(event));
        newest
    }

    /// The first event that `wanted` accepts, from the queue or as it arrives. Others stay.
    pub(crate) async fn take_first(
        &self,
        within: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event> {
        let taking = self.wait(|state| {
            let at = state.events.iter().position(&mut wanted);
            match (at, &state.closed) {
                (Some(at), _) => state.events.remove(at).map(Ok),
                (None, Some(close)) => Some(Err(Error::Closed(close.clone()))),
                (None, None) => None,
            }
        });
        let taken = tokio::time::timeout(within, taking).await;
        taken.map_err(|_| Error::Timeout(within))?
    }

    /// Waits for the end of the socket.
    pub(crate) async fn ended(&self) -> Close {
        self.wait(|state| state.closed.clone()).await
    }

    /// Asks `check` now and whenever something has changed, until it answers.
    async fn wait<T>(&self, mut check: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Before the check, so that no change between the two is missed.
            changed.as_mut().enable();
            if let Some(answer) = check(&mut self.state()) {
                return answer;
            }
            changed.await;
        }
    }
}

impl State {
    /// Drops the oldest state frame, or else the oldest event.
    fn make_room(&mut self) {
        let at = self.events.iter().position(Event::is_state).unwrap_or(0);
        self.events.remove(at);
        self.dropped += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::Frame;

    const SOON: Duration = Duration::from_secs(5);

    fn event(kind: &str) -> Event {
        let text = format!("{{\"type\":\"{kind}\",\"payload\":{{}}}}");
        Event::new(Frame::Text(text.into()), Instant::now())
    }

    #[tokio::test]
    async fn waiting_for_one_kind_leaves_the_others() {
        let inbox = Inbox::new(8);
        inbox.deliver(event("match.state"));
        inbox.deliver(event("match.matched"));
        let first = inbox.take_first(SOON, |e| e.kind == "match.matched").await;
        assert_eq!(first.expect("queued").kind, "match.matched");
        assert_eq!(inbox.take_all().len(), 1);
    }

    #[tokio::test]
    async fn an_event_that_comes_later_ends_the_wait() {
        let inbox = Inbox::new(8);
        let (got, ()) = tokio::join!(inbox.take_first(SOON, |_| true), async {
            inbox.deliver(event("late"));
        });
        assert_eq!(got.expect("delivered").kind, "late");
    }

    #[test]
    fn a_full_queue_gives_up_old_states_first() {
        let inbox = Inbox::new(2);
        for kind in ["match.vote_start", "match.state", "match.finished"] {
            inbox.deliver(event(kind));
        }
        let kinds: Vec<_> = inbox.take_all().into_iter().map(|e| e.kind).collect();
        assert_eq!(kinds, ["match.vote_start", "match.finished"]);
        assert_eq!(inbox.dropped(), 1);
    }

    #[test]
    fn the_newest_state_makes_the_older_ones_go() {
        let inbox = Inbox::new(8);
        for kind in ["match.state", "other", "match.state"] {
            inbox.deliver(event(kind));
        }
        assert!(inbox.take_newest(|e| e.kind == "match.state").is_some());
        assert_eq!(inbox.take_all().len(), 1);
    }

    #[tokio::test]
    async fn the_end_of_the_socket_ends_every_wait() {
        let inbox = Inbox::new(8);
        let answer = inbox.expect("\"c-1\"").expect("open");
        inbox.deliver(event("last"));
        inbox.end(Close::broken("gone"));
        assert!(answer.await.is_err());
        assert!(inbox.expect("\"c-2\"").is_err());
        assert!(inbox.take_first(SOON, |_| true).await.is_ok());
        assert!(inbox.take_first(SOON, |_| true).await.is_err());
    }
}
