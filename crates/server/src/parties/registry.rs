//! Who is in which party, and who is asked to come.
//!
//! Plain data, told the time: nothing here sends or waits. A player is in one party at most; a
//! party has a leader for as long as it has anybody.

use std::collections::{BTreeMap, HashMap};

use asobi_game::PlayerId;
use asobi_wire::Code;

/// Most open invitations of a party.
const MAX_INVITES: usize = 32;

/// A group of players who stay together.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// Its id.
    pub id: String,
    /// The longest there, whom leadership falls to, first.
    pub members: Vec<Member>,
    /// Who leads.
    pub leader: PlayerId,
    /// The ticket it last queued with, which may have left the queue since.
    pub ticket: Option<String>,
    /// Open invitations.
    pub invites: BTreeMap<PlayerId, Invite>,
}

/// A player of a party.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Who.
    pub player: PlayerId,
    /// Since when there is no connection, in Unix milliseconds.
    pub gone_since: Option<u64>,
}

/// An open invitation.
#[derive(Clone, Debug)]
pub(super) struct Invite {
    /// Who asked.
    pub by: PlayerId,
    /// Until when it holds, in Unix milliseconds.
    pub until: u64,
}

impl Party {
    /// Everybody's id, the leader's first.
    pub(super) fn players(&self) -> Vec<PlayerId> {
        let others = self.members.iter().map(|member| &member.player);
        let others = others.filter(|player| **player != self.leader);
        std::iter::once(&self.leader)
            .chain(others)
            .cloned()
            .collect()
    }

    fn has(&self, player: &PlayerId) -> bool {
        self.members.iter().any(|member| member.player == *player)
    }
}

/// Every party.
#[derive(Default)]
pub(super) struct Registry {
    parties: HashMap<String, Party>,
    of: HashMap<PlayerId, String>,
    /// The parties a player is asked into.
    asked: HashMap<PlayerId, Vec<String>>,
}

/// A party that somebody is out of.
#[derive(Debug)]
pub(super) struct Left {
    /// The party as it is now: without members, if they were the last.
    pub party: Party,
}

impl Registry {
    /// The party a player is in.
    pub(super) fn of(&self, player: &PlayerId) -> Result<&Party, Code> {
        let party = self.of.get(player).and_then(|id| self.parties.get(id));
        party.ok_or(Code::PartyNotInParty)
    }

    /// The party a player leads.
    pub(super) fn led_by(&mut self, player: &PlayerId) -> Result<&mut Party, Code> {
        let party = self.of_mut(player)?;
        match party.leader == *player {
            true => Ok(party),
            false => Err(Code::PartyNotLeader),
        }
    }

    /// The party a player is in, to be changed.
    pub(super) fn of_mut(&mut self, player: &PlayerId) -> Result<&mut Party, Code> {
        let party = self.of.get(player).and_then(|id| self.parties.get_mut(id));
        party.ok_or(Code::PartyNotInParty)
    }

    /// The party of this id.
    pub(super) fn find(&self, id: &str) -> Option<&Party> {
        self.parties.get(id)
    }

    /// The ids of all parties.
    pub(super) fn ids(&self) -> Vec<String> {
        self.parties.keys().cloned().collect()
    }

    /// The invitations of a player that hold at `now`, with their parties.
    pub(super) fn invites_of(&self, player: &PlayerId, now: u64) -> Vec<(&Party, &Invite)> {
        let parties = self.asked.get(player).into_iter().flatten();
        parties
            .filter_map(|id| self.parties.get(id))
            .filter_map(|party| Some((party, party.invites.get(player)?)))
            .filter(|(_, invite)| invite.until > now)
            .collect()
    }

    /// Makes a party of one.
    pub(super) fn create(&mut self, id: String, player: &PlayerId) -> Result<&Party, Code> {
        if self.of.contains_key(player) {
            return Err(Code::PartyAlreadyInParty);
        }
        self.of.insert(player.clone(), id.clone());
        let party = Party {
            id: id.clone(),
            members: vec![Member {
                player: player.clone(),
                gone_since: None,
            }],
            leader: player.clone(),
            ticket: None,
            invites: BTreeMap::new(),
        };
        Ok(self.parties.entry(id).or_insert(party))
    }

    /// Asks a player into a party. Answers the party, and whether they were not asked already.
    pub(super) fn invite(
        &mut self,
        by: &PlayerId,
        target: &PlayerId,
        (now, until): (u64, u64),
        most: usize,
    ) -> Result<(&Party, bool), Code> {
        let id = self.of(by)?.id.clone();
        self.drop_lapsed(&id, now);
        let party = self.of_mut(by)?;
        if party.has(target) {
            return Err(Code::PartyAlreadyInParty);
        }
        if party.members.len() >= most {
            return Err(Code::PartyFull);
        }
        let is_new = !party.invites.contains_key(target);
        if is_new && party.invites.len() >= MAX_INVITES {
            return Err(Code::RateLimited);
        }
        let by = by.clone();
        party.invites.insert(target.clone(), Invite { by, until });
        if is_new {
            self.asked
                .entry(target.clone())
                .or_default()
                .push(id.clone());
        }
        Ok((&self.parties[&id], is_new))
    }

    /// Takes an invitation up.
    pub(super) fn accept(
        &mut self,
        player: &PlayerId,
        id: &str,
        now: u64,
        most: usize,
    ) -> Result<&mut Party, Code> {
        if self.of.contains_key(player) {
            return Err(Code::PartyAlreadyInParty);
        }
        self.drop_lapsed(id, now);
        let party = self.parties.get(id).ok_or(Code::PartyInviteNotFound)?;
        if !party.invites.contains_key(player) {
            return Err(Code::PartyInviteNotFound);
        }
        if party.members.len() >= most {
            return Err(Code::PartyFull);
        }
        self.forget_invite(id, player);
        self.of.insert(player.clone(), id.to_owned());
        let party = self.parties.get_mut(id).ok_or(Code::PartyInviteNotFound)?;
        party.members.push(Member {
            player: player.clone(),
            gone_since: None,
        });
        Ok(party)
    }

    /// Turns an invitation down. Answers the party.
    pub(super) fn decline(
        &mut self,
        player: &PlayerId,
        id: &str,
        now: u64,
    ) -> Result<&Party, Code> {
        self.drop_lapsed(id, now);
        match self.forget_invite(id, player) {
            true => self.parties.get(id).ok_or(Code::PartyInviteNotFound),
            false => Err(Code::PartyInviteNotFound),
        }
    }

    /// Takes a player out. A leader hands over to whoever has been there longest and is there;
    /// with the last member the party ends.
    pub(super) fn leave(&mut self, player: &PlayerId) -> Result<Left, Code> {
        let party = self.of_mut(player)?;
        party.members.retain(|member| member.player != *player);
        let here = party.members.iter().find(|m| m.gone_since.is_none());
        let next = here.or(party.members.first());
        if party.leader == *player
            && let Some(next) = next
        {
            party.leader = next.player.clone();
        }
        let party = party.clone();
        self.of.remove(player);
        if party.members.is_empty() {
            for invited in party.invites.keys() {
                self.forget_invite(&party.id, invited);
            }
            self.parties.remove(&party.id);
        }
        Ok(Left { party })
    }

    /// Takes another member out, at the leader's word.
    pub(super) fn kick(&mut self, leader: &PlayerId, target: &PlayerId) -> Result<Left, Code> {
        let party = self.led_by(leader)?;
        if target == leader || !party.has(target) {
            return Err(Code::PartyMemberNotFound);
        }
        self.leave(target)
    }

    /// Makes another member the leader.
    pub(super) fn promote(&mut self, leader: &PlayerId, target: &PlayerId) -> Result<&Party, Code> {
        let party = self.led_by(leader)?;
        if !party.has(target) {
            return Err(Code::PartyMemberNotFound);
        }
        party.leader = target.clone();
        Ok(party)
    }

    /// Forgets every invitation of a player.
    pub(super) fn forget_invites(&mut self, player: &PlayerId) {
        for id in self.asked.get(player).cloned().unwrap_or_default() {
            self.forget_invite(&id, player);
        }
    }

    /// Notes who of a party is connected. Answers whether anything changed, and who has been
    /// away since `deadline` or before.
    pub(super) fn note_presence(
        &mut self,
        id: &str,
        is_connected: impl Fn(&PlayerId) -> bool,
        now: u64,
        deadline: u64,
    ) -> (bool, Vec<PlayerId>) {
        self.drop_lapsed(id, now);
        let Some(party) = self.parties.get_mut(id) else {
            return (false, Vec::new());
        };
        let (mut changed, mut overdue) = (false, Vec::new());
        for member in &mut party.members {
            let gone_since = match is_connected(&member.player) {
                true => None,
                false => Some(member.gone_since.unwrap_or(now)),
            };
            changed |= gone_since.is_some() != member.gone_since.is_some();
            member.gone_since = gone_since;
            if gone_since.is_some_and(|since| since <= deadline) {
                overdue.push(member.player.clone());
            }
        }
        (changed, overdue)
    }

    fn drop_lapsed(&mut self, id: &str, now: u64) {
        let Some(party) = self.parties.get(id) else {
            return;
        };
        let lapsed: Vec<PlayerId> = party
            .invites
            .iter()
            .filter(|(_, invite)| invite.until <= now)
            .map(|(player, _)| player.clone())
            .collect();
        for player in lapsed {
            self.forget_invite(id, &player);
        }
    }

    fn forget_invite(&mut self, id: &str, player: &PlayerId) -> bool {
        if let Some(asked) = self.asked.get_mut(player) {
            asked.retain(|party| party != id);
            if asked.is_empty() {
                self.asked.remove(player);
            }
        }
        let party = self.parties.get_mut(id);
        party.is_some_and(|party| party.invites.remove(player).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> PlayerId {
        PlayerId::from(name)
    }

    fn party_of(names: &[&str]) -> Registry {
        let mut registry = Registry::default();
        let leader = id(names[0]);
        registry.create("p".into(), &leader).expect("free");
        for name in &names[1..] {
            registry
                .invite(&leader, &id(name), (0, 10), 8)
                .expect("asked");
            registry.accept(&id(name), "p", 5, 8).expect("in");
        }
        registry
    }

    #[test]
    fn leadership_passes_to_who_is_there_and_ends_with_the_last() {
        let mut registry = party_of(&["a", "b", "c"]);
        registry.note_presence("p", |player| *player != id("b"), 1, 0);
        assert_eq!(registry.leave(&id("a")).expect("in").party.leader, id("c"));
        assert_eq!(registry.leave(&id("c")).expect("in").party.leader, id("b"));
        assert!(
            registry
                .leave(&id("b"))
                .expect("in")
                .party
                .members
                .is_empty()
        );
        assert!(registry.find("p").is_none());
        assert_eq!(registry.leave(&id("b")).unwrap_err(), Code::PartyNotInParty);
        assert!(registry.of.is_empty() && registry.asked.is_empty());
    }

    #[test]
    fn an_invitation_lapses_and_serves_once() {
        let mut registry = party_of(&["a", "b"]);
        assert!(
            registry
                .invite(&id("b"), &id("c"), (0, 10), 8)
                .expect("asked")
                .1
        );
        assert!(
            !registry
                .invite(&id("a"), &id("c"), (1, 11), 8)
                .expect("again")
                .1
        );
        assert_eq!(registry.invites_of(&id("c"), 10).len(), 1);
        assert_eq!(registry.invites_of(&id("c"), 11).len(), 0);
        let lapsed = registry.accept(&id("c"), "p", 11, 8);
        assert_eq!(lapsed.map(drop), Err(Code::PartyInviteNotFound));
        registry
            .invite(&id("a"), &id("c"), (11, 20), 8)
            .expect("asked");
        assert_eq!(
            registry.accept(&id("c"), "p", 12, 2).map(drop),
            Err(Code::PartyFull)
        );
        registry.accept(&id("c"), "p", 12, 3).expect("in");
        registry.leave(&id("c")).expect("in");
        let twice = registry.accept(&id("c"), "p", 12, 3);
        assert_eq!(twice.map(drop), Err(Code::PartyInviteNotFound));
        assert!(registry.asked.is_empty());
    }

    #[test]
    fn whoever_stays_away_is_overdue() {
        let mut registry = party_of(&["a", "b"]);
        let gone = |player: &PlayerId| *player == id("a");
        assert_eq!(registry.note_presence("p", gone, 100, 70), (true, vec![]));
        assert_eq!(registry.note_presence("p", gone, 129, 99), (false, vec![]));
        assert_eq!(
            registry.note_presence("p", gone, 130, 100),
            (false, vec![id("b")])
        );
        assert_eq!(
            registry.note_presence("p", |_| true, 131, 101),
            (true, vec![])
        );
    }
}
