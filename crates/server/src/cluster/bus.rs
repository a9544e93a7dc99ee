//! Delivery to players, wherever they are connected.

use std::sync::Arc;

use asobi_game::PlayerId;
use axum::extract::ws::Utf8Bytes;

use crate::session::outbox::{Closing, Outbox};
use crate::session::{self, Sessions};

/// Delivers frames to players. A frame is encoded once; every recipient shares its bytes.
/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Bus {
    sessions: Arc<Sessions>,
}

impl Bus {
    /// The players connected to this node.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Delivers an event to one player. Nobody there is no failure.
    pub fn event(&self, to: &PlayerId, frame: String) {
        if let Some(outbox) = self.sessions.find(to) {
            outbox.event(frame.into());
        }
    }

    /// Delivers an event to several players.
    pub fn event_to_all(&self, to: &[PlayerId], frame: String) {
        self.fan_out(to, frame, Outbox::event);
    }

    /// Delivers a state to several players.
    pub fn state_to_all(&self, to: &[PlayerId], frame: String) {
        self.fan_out(to, frame, Outbox::state);
    }

    /// Delivers an event to every player connected.
    pub fn event_to_everyone(&self, frame: String) {
        let frame = Utf8Bytes::from(frame);
        for outbox in self.sessions.all() {
            outbox.event(frame.clone());
        }
    }

    /// Ends a player's connection, telling it why.
    pub fn revoke(&self, player: &PlayerId, closing: Closing) {
        if let Some(outbox) = self.sessions.find(player) {
            session::revoke(&outbox, closing);
        }
    }

    fn fan_out(&self, to: &[PlayerId], frame: String, push: impl Fn(&Outbox, Utf8Bytes)) {
        let frame = Utf8Bytes::from(frame);
        for outbox in self.sessions.find_all(to) {
            push(&outbox, frame.clone());
        }
    }
}
