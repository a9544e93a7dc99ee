//! Delivery to players and to the members of channels, wherever they are connected.

use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_wire::envelope::frame;
use axum::extract::ws::Utf8Bytes;

use crate::session::outbox::{Closing, Outbox};
use crate::session::{self, SessionId, Sessions};

use super::channels::{Channels, JoinError};

/// Delivers frames to players. A frame is encoded once; every recipient shares its bytes.
/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Bus {
    sessions: Arc<Sessions>,
    channels: Arc<Channels>,
}

impl Bus {
    /// The players connected to this node.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Delivers an event to one player. Nobody there is no failure; the answer says whether
    /// somebody was.
    pub fn event(&self, to: &PlayerId, frame: String) -> bool {
        let outbox = self.sessions.find(to);
        outbox.is_some_and(|outbox| outbox.event(frame.into()))
    }

    /// Delivers an event to one connection of a player, if it still is the player's.
    pub fn event_to_session(&self, to: &PlayerId, session: SessionId, frame: String) {
        if let Some(outbox) = self.sessions.connection(to, session) {
            outbox.event(frame.into());
        }
    }

    /// Delivers what a player is owed all at once, in order. Answers whether the player was
    /// there. The sender bounds how much it is; it takes nothing of the room other events have.
    pub fn burst(&self, to: &PlayerId, frames: Vec<Utf8Bytes>) -> bool {
        let outbox = self.sessions.find(to);
        outbox.is_some_and(|outbox| outbox.burst(frames))
    }

    /// Delivers an event to several players.
    pub fn event_to_all(&self, to: &[PlayerId], frame: String) {
        self.fan_out(to, frame, |outbox, frame| {
            outbox.event(frame);
        });
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

    /// Makes a player's connection a member of a channel; again is no failure.
    ///
    /// # Errors
    /// If the connection is in as many channels as it may be, or is no longer the player's.
    pub fn join_channel(
        &self,
        channel: &str,
        player: &PlayerId,
        session: SessionId,
    ) -> Result<(), JoinError> {
        // Asked before, not after: a connection that is displaced in between takes its channels
        // with it when it ends, because they are its own.
        let outbox = self.sessions.connection(player, session);
        let outbox = outbox.ok_or(JoinError::NotConnected)?;
        self.channels.join(channel, player, session, outbox)
    }

    /// Takes a connection out of a channel.
    pub fn leave_channel(&self, channel: &str, session: SessionId) {
        self.channels.leave(channel, session);
    }

    /// Takes a connection out of every channel it is in.
    pub fn leave_all(&self, session: SessionId) {
        self.channels.leave_all(session);
    }

    /// Takes a player out of a channel they may no longer be in, and tells them (`chat.left`).
    pub fn drop_member(&self, channel: &str, player: &PlayerId) {
        tell_left(channel, self.channels.drop_member(channel, player));
    }

    /// Takes everybody out of a channel, and tells them (`chat.left`).
    pub fn close_channel(&self, channel: &str) {
        tell_left(channel, self.channels.close(channel));
    }

    /// How often somebody was taken out of this channel, or of one of a few others, by
    /// [`Bus::drop_member`] or [`Bus::close_channel`]. Whoever asks whether a player may be in a
    /// channel, and then acts on it, sees by this whether the answer may be old.
    pub fn removals(&self, channel: &str) -> u64 {
        self.channels.removals(channel)
    }

    /// Whether a player is a member of a channel.
    pub fn is_in_channel(&self, channel: &str, player: &PlayerId) -> bool {
        self.channels.has(channel, player)
    }

    /// Delivers an event to every member of a channel.
    pub fn event_to_channel(&self, channel: &str, frame: String) {
        let frame = Utf8Bytes::from(frame);
        for member in self.channels.members(channel).iter() {
            member.outbox.event(frame.clone());
        }
    }

    #[cfg(test)]
    pub(super) fn channels(&self) -> &Channels {
        &self.channels
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

/// Tells connections that they are no longer in a channel: nobody asked, so there is no `cid`.
fn tell_left(channel: &str, outboxes: Vec<Arc<Outbox>>) {
    if outboxes.is_empty() {
        return;
    }
    let left = serde_json::json!({ "channel_id": channel });
    let frame = Utf8Bytes::from(frame("chat.left", None, &left));
    for outbox in outboxes {
        outbox.event(frame.clone());
    }
}
