//! Who is in which chat channel, of those connected to this node.
//!
//! A member is a connection, not a player: when a second sign-in displaces the first, the new
//! connection starts without channels and the old one takes its own with it. A connection
//! without channels has no entry here.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asobi_game::PlayerId;
use parking_lot::RwLock;

use crate::session::SessionId;
use crate::session::outbox::Outbox;

/// Most channels one connection is in. From the original.
pub const MAX_CHANNELS: usize = 32;

/// Why a connection does not get into a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// It is in [`MAX_CHANNELS`] already.
    TooManyChannels,
    /// It is no longer the player's connection.
    NotConnected,
}

/// The channels of this node.
#[derive(Default)]
pub(super) struct Channels {
    inner: RwLock<Inner>,
    removals: Removals,
}

/// Counts for so many channels each; they share them by chance.
const COUNTS: usize = 64;

struct Removals {
    counts: [AtomicU64; COUNTS],
    hasher: RandomState,
}

impl Default for Removals {
    fn default() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; COUNTS],
            hasher: RandomState::new(),
        }
    }
}

impl Removals {
    fn of(&self, channel: &str) -> &AtomicU64 {
        &self.counts[self.hasher.hash_one(channel) as usize % COUNTS]
    }
}

#[derive(Default)]
struct Inner {
    /// Whoever sends takes the list as it is and lets go of the lock; a change while a list is
    /// in use copies it.
    members: HashMap<Arc<str>, Arc<Vec<Member>>>,
    joined: HashMap<SessionId, Vec<Arc<str>>>,
}

/// A connection in a channel.
#[derive(Clone)]
pub(super) struct Member {
    player: PlayerId,
    session: SessionId,
    pub(super) outbox: Arc<Outbox>,
}

impl Channels {
    pub(super) fn join(
        &self,
        channel: &str,
        player: &PlayerId,
        session: SessionId,
        outbox: Arc<Outbox>,
    ) -> Result<(), JoinError> {
        let mut inner = self.inner.write();
        let Inner { members, joined } = &mut *inner;
        let channels = joined.entry(session).or_default();
        if channels.iter().any(|joined| **joined == *channel) {
            return Ok(());
        }
        if channels.len() >= MAX_CHANNELS {
            return Err(JoinError::TooManyChannels);
        }
        let name = members.get_key_value(channel);
        let name = name.map_or_else(|| channel.into(), |(name, _)| Arc::clone(name));
        channels.push(Arc::clone(&name));
        Arc::make_mut(members.entry(name).or_default()).push(Member {
            player: player.clone(),
            session,
            outbox,
        });
        Ok(())
    }

    pub(super) fn leave(&self, channel: &str, session: SessionId) {
        self.inner.write().leave(channel, session);
    }

    pub(super) fn leave_all(&self, session: SessionId) {
        let mut inner = self.inner.write();
        for channel in inner.joined.remove(&session).unwrap_or_default() {
            inner.remove_member(&channel, session);
        }
    }

    /// Takes a player out of a channel and answers the connections that were in it.
    pub(super) fn drop_member(&self, channel: &str, player: &PlayerId) -> Vec<Arc<Outbox>> {
        let mut inner = self.inner.write();
        self.removals.of(channel).fetch_add(1, Ordering::AcqRel);
        // A displaced connection may still be there beside the new one.
        let members = inner.list(channel);
        let gone: Vec<_> = members
            .iter()
            .filter(|member| member.player == *player)
            .map(|member| (member.session, Arc::clone(&member.outbox)))
            .collect();
        for (session, _) in &gone {
            inner.leave(channel, *session);
        }
        gone.into_iter().map(|(_, outbox)| outbox).collect()
    }

    /// Takes everybody out of a channel and answers the connections that were in it.
    pub(super) fn close(&self, channel: &str) -> Vec<Arc<Outbox>> {
        let mut inner = self.inner.write();
        self.removals.of(channel).fetch_add(1, Ordering::AcqRel);
        let members = inner.list(channel);
        for member in members.iter() {
            inner.forget(channel, member.session);
        }
        inner.members.remove(channel);
        let outboxes = members.iter().map(|member| Arc::clone(&member.outbox));
        outboxes.collect()
    }

    pub(super) fn removals(&self, channel: &str) -> u64 {
        self.removals.of(channel).load(Ordering::Acquire)
    }

    pub(super) fn has(&self, channel: &str, player: &PlayerId) -> bool {
        let inner = self.inner.read();
        inner.members.get(channel).is_some_and(|members| {
            let mut members = members.iter();
            members.any(|member| member.player == *player)
        })
    }

    /// The members as they are now.
    pub(super) fn members(&self, channel: &str) -> Arc<Vec<Member>> {
        self.inner.read().list(channel)
    }
}

impl Inner {
    fn list(&self, channel: &str) -> Arc<Vec<Member>> {
        self.members.get(channel).cloned().unwrap_or_default()
    }

    fn leave(&mut self, channel: &str, session: SessionId) {
        if self.forget(channel, session) {
            self.remove_member(channel, session);
        }
    }

    /// Takes a channel off a connection's list. Answers whether it was there.
    fn forget(&mut self, channel: &str, session: SessionId) -> bool {
        let Some(channels) = self.joined.get_mut(&session) else {
            return false;
        };
        let before = channels.len();
        channels.retain(|joined| **joined != *channel);
        let left = channels.len();
        if left == 0 {
            self.joined.remove(&session);
        }
        left < before
    }

    fn remove_member(&mut self, channel: &str, session: SessionId) {
        let Some(members) = self.members.get_mut(channel) else {
            return;
        };
        let members = Arc::make_mut(members);
        let at = members.iter().position(|member| member.session == session);
        if let Some(at) = at {
            members.swap_remove(at);
        }
        if members.is_empty() {
            self.members.remove(channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Bus;

    struct Guest {
        player: PlayerId,
        session: SessionId,
        outbox: Arc<Outbox>,
    }

    fn connect(bus: &Bus, name: &str) -> Guest {
        let (player, outbox) = (PlayerId::from(name), Arc::new(Outbox::new(8)));
        let (session, _) = bus.sessions().begin(player.clone(), Arc::clone(&outbox));
        Guest {
            player,
            session,
            outbox,
        }
    }

    impl Guest {
        fn join(&self, bus: &Bus, channel: &str) -> Result<(), JoinError> {
            bus.join_channel(channel, &self.player, self.session)
        }

        fn heard(&self) -> usize {
            let frames = self.outbox.take().frames;
            frames
                .iter()
                .filter(|frame| frame.as_str() == "news")
                .count()
        }
    }

    fn is_empty(bus: &Bus) -> bool {
        let inner = bus.channels().inner.read();
        inner.members.is_empty() && inner.joined.is_empty()
    }

    #[test]
    fn members_hear_what_is_said_once_and_others_do_not() {
        let bus = Bus::default();
        let (a, b, c) = (connect(&bus, "a"), connect(&bus, "b"), connect(&bus, "c"));
        for guest in [&a, &b] {
            assert_eq!(guest.join(&bus, "room:1"), Ok(()));
            assert_eq!(guest.join(&bus, "room:1"), Ok(()));
        }
        bus.event_to_channel("room:1", "news".into());
        assert_eq!((a.heard(), b.heard(), c.heard()), (1, 1, 0));
        bus.leave_channel("room:1", a.session);
        bus.leave_channel("room:1", c.session);
        bus.event_to_channel("room:1", "news".into());
        assert_eq!((a.heard(), b.heard()), (0, 1));
        bus.leave_all(b.session);
        assert!(is_empty(&bus), "nothing is kept of whoever left");
    }

    #[test]
    fn a_channel_joined_again_does_not_count() {
        let bus = Bus::default();
        let a = connect(&bus, "a");
        for n in 0..MAX_CHANNELS {
            assert_eq!(a.join(&bus, &format!("room:{n}")), Ok(()));
        }
        assert_eq!(a.join(&bus, "room:0"), Ok(()));
        assert_eq!(a.join(&bus, "room:x"), Err(JoinError::TooManyChannels));
        bus.leave_channel("room:7", a.session);
        assert_eq!(a.join(&bus, "room:x"), Ok(()));
    }

    #[test]
    fn a_displaced_connection_takes_its_own_channels_and_no_others() {
        let bus = Bus::default();
        let old = connect(&bus, "a");
        assert_eq!(old.join(&bus, "room:1"), Ok(()));
        let new = connect(&bus, "a");
        bus.event_to_channel("room:1", "news".into());
        assert_eq!(new.heard(), 0, "it starts with no channels");
        assert_eq!(old.join(&bus, "room:2"), Err(JoinError::NotConnected));
        assert_eq!(new.join(&bus, "room:1"), Ok(()));
        bus.leave_all(old.session);
        bus.event_to_channel("room:1", "news".into());
        assert_eq!(new.heard(), 1);
    }

    #[test]
    fn who_is_dropped_hears_nothing_more() {
        let bus = Bus::default();
        let (a, b) = (connect(&bus, "a"), connect(&bus, "b"));
        for guest in [&a, &b] {
            assert_eq!(guest.join(&bus, "room:1"), Ok(()));
        }
        let before = bus.removals("room:1");
        bus.drop_member("room:1", &a.player);
        assert!(bus.removals("room:1") > before);
        assert!(!bus.is_in_channel("room:1", &a.player));
        bus.event_to_channel("room:1", "news".into());
        assert_eq!((a.heard(), b.heard()), (0, 1));
        bus.close_channel("room:1");
        bus.event_to_channel("room:1", "news".into());
        assert_eq!(b.heard(), 0);
        assert!(is_empty(&bus));
    }
}
