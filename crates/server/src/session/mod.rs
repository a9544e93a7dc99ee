//! Who is connected.
//!
//! A player has one session at a time: a second sign-in takes over and the first connection is
//! told so and closed. [`Sessions`] finds the connection of a player; [`outbox`] is the
//! connection's side of it.

pub mod outbox;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asobi_game::PlayerId;
use asobi_wire::envelope::frame;
use parking_lot::RwLock;
use serde_json::json;

use self::outbox::{Closing, Outbox};

/// Every connected player of this node.
#[derive(Default)]
pub struct Sessions {
    connected: RwLock<HashMap<PlayerId, Session>>,
    count: AtomicU64,
}

struct Session {
    id: SessionId,
    outbox: Arc<Outbox>,
    status: Status,
}

/// Tells one connection of a player from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(u64);

/// What a connected player shows their friends; `online` until they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status(Option<Arc<str>>);

impl Status {
    const ONLINE: &str = "online";

    /// A status of the player's own words.
    pub fn new(text: &str) -> Self {
        Self((text != Self::ONLINE).then(|| text.into()))
    }

    /// The status as friends see it.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(Self::ONLINE)
    }
}

/// Tells a connection that its session is over, and closes it. The original's SDKs stop
/// reconnecting when they see the frame.
pub fn revoke(outbox: &Outbox, closing: Closing) {
    let told = json!({ "reason": closing.reason });
    outbox.event(frame("session.revoked", None, &told).into());
    outbox.close(closing);
}

impl Sessions {
    /// Makes `outbox` the player's connection. An earlier one is told and closed; its status is
    /// answered.
    pub fn begin(&self, player: PlayerId, outbox: Arc<Outbox>) -> (SessionId, Option<Status>) {
        let id = SessionId(self.count.fetch_add(1, Ordering::Relaxed));
        let session = Session {
            id,
            outbox,
            status: Status::default(),
        };
        let displaced = self.connected.write().insert(player, session);
        if let Some(earlier) = &displaced {
            revoke(&earlier.outbox, Closing::DISPLACED);
        }
        (id, displaced.map(|earlier| earlier.status))
    }

    /// Ends a session and answers its status; `None` when a later one has taken its place.
    pub fn end(&self, player: &PlayerId, id: SessionId) -> Option<Status> {
        let mut connected = self.connected.write();
        connected.get(player).filter(|session| session.id == id)?;
        connected.remove(player).map(|session| session.status)
    }

    /// Changes a session's status and answers the one before; `None` when a later session has
    /// taken its place.
    pub fn set_status(&self, player: &PlayerId, id: SessionId, status: Status) -> Option<Status> {
        let mut connected = self.connected.write();
        let session = connected
            .get_mut(player)
            .filter(|session| session.id == id)?;
        Some(std::mem::replace(&mut session.status, status))
    }

    /// The status of a player who is connected.
    pub fn status(&self, player: &PlayerId) -> Option<Status> {
        self.connected
            .read()
            .get(player)
            .map(|session| session.status.clone())
    }

    /// The connection of a session, unless a later one has taken its place.
    pub fn connection(&self, player: &PlayerId, id: SessionId) -> Option<Arc<Outbox>> {
        let connected = self.connected.read();
        let session = connected.get(player).filter(|session| session.id == id)?;
        Some(Arc::clone(&session.outbox))
    }

    /// The player's connection.
    pub fn find(&self, player: &PlayerId) -> Option<Arc<Outbox>> {
        self.connected
            .read()
            .get(player)
            .map(|session| Arc::clone(&session.outbox))
    }

    /// The connections of those of `players` that have one, in order.
    pub fn find_all(&self, players: &[PlayerId]) -> Vec<Arc<Outbox>> {
        let connected = self.connected.read();
        let found = players.iter().filter_map(|player| connected.get(player));
        found.map(|session| Arc::clone(&session.outbox)).collect()
    }

    /// Every connection.
    pub fn all(&self) -> Vec<Arc<Outbox>> {
        self.connected
            .read()
            .values()
            .map(|session| Arc::clone(&session.outbox))
            .collect()
    }

    /// Whether the player has a connection.
    pub fn is_connected(&self, player: &PlayerId) -> bool {
        self.connected.read().contains_key(player)
    }

    /// How many players are connected.
    pub fn len(&self) -> usize {
        self.connected.read().len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
