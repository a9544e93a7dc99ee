//! Who is in a match, and who is expected back.

use serde::{Deserialize, Serialize};

use crate::ids::PlayerId;

/// Everyone in a match, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    members: Vec<Member>,
    /// The people who are connected: the recipients of every frame. Kept because it is needed
    /// at each tick and changes rarely.
    connected: Vec<PlayerId>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub id: PlayerId,
    /// Unix milliseconds.
    pub joined_at: u64,
    /// Whether they are there.
    pub presence: Presence,
}

/// Whether a member is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// A person with a live connection.
    Connected,
    /// A person whose connection dropped; the place is held until this time (Unix milliseconds).
    Gone {
        /// When the place is given up.
        until: u64,
    },
    /// A bot: always there.
    Bot,
}

impl Roster {
    /// A roster of these members.
    pub fn new(members: Vec<Member>) -> Self {
        let mut roster = Self {
            members,
            connected: Vec::new(),
        };
        roster.refresh();
        roster
    }

    /// Adds a member.
    pub fn add(&mut self, id: PlayerId, presence: Presence, now: u64) {
        self.members.push(Member {
            id,
            joined_at: now,
            presence,
        });
        self.refresh();
    }

    /// Removes a member; `false` when there was none.
    pub fn remove(&mut self, id: &PlayerId) -> bool {
        let before = self.members.len();
        self.members.retain(|member| member.id != *id);
        self.refresh();
        self.members.len() != before
    }

    /// Whether a member is there; `None` for strangers.
    pub fn presence(&self, id: &PlayerId) -> Option<Presence> {
        let member = self.members.iter().find(|member| member.id == *id);
        member.map(|member| member.presence)
    }

    /// Notes that a person is there, or for how long to wait for them. `false` for strangers.
    pub fn set_presence(&mut self, id: &PlayerId, presence: Presence) -> bool {
        let member = self.members.iter_mut().find(|member| member.id == *id);
        let known = member.map(|member| member.presence = presence).is_some();
        self.refresh();
        known
    }

    /// Whether this player is in the match.
    pub fn contains(&self, id: &PlayerId) -> bool {
        self.members.iter().any(|member| member.id == *id)
    }

    /// Everyone.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Everyone's id.
    pub fn ids(&self) -> Vec<PlayerId> {
        self.members
            .iter()
            .map(|member| member.id.clone())
            .collect()
    }

    /// The people who are connected.
    pub fn connected(&self) -> &[PlayerId] {
        &self.connected
    }

    /// How many are in the match.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether no person is left. Bots do not keep a match alive.
    pub fn is_deserted(&self) -> bool {
        self.members
            .iter()
            .all(|member| member.presence == Presence::Bot)
    }

    /// The members whose place is given up at `now`.
    pub fn overdue(&self, now: u64) -> Vec<PlayerId> {
        let overdue = |member: &&Member| match member.presence {
            Presence::Gone { until } => until <= now,
            Presence::Connected | Presence::Bot => false,
        };
        self.members
            .iter()
            .filter(overdue)
            .map(|member| member.id.clone())
            .collect()
    }

    fn refresh(&mut self) {
        let connected = self
            .members
            .iter()
            .filter(|m| m.presence == Presence::Connected);
        self.connected = connected.map(|member| member.id.clone()).collect();
    }
}
