//! Parties: players who stay together, queue as one, and talk in `party:<id>`.
//!
//! [`registry`] knows who is in which; here are the verbs, and what everybody is told. Parties
//! live in memory: a restart ends them, as it drops the queue. Whoever loses the connection
//! keeps the place for a while ([`crate::config::PartiesConfig`]); the roster shows it.
//!
//! Pushes go out while the registry is locked, so that nobody sees an older roster last. The
//! queue is locked after the registry, never the other way round.

pub mod frames;
mod registry;
pub mod routes;

use std::sync::Arc;
use std::time::Duration;

use asobi_game::PlayerId;
use asobi_wire::envelope::frame;
use asobi_wire::{ApiError, Code};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::accounts::Accounts;
use crate::chat::Chat;
use crate::chat::channel::{Channel, Kind};
use crate::chat::membership::Members;
use crate::clock;
use crate::cluster::Bus;
use crate::config::PartiesConfig;
use crate::edge::error::Outcome;
use crate::edge::limits::{Limiter, Rate, rate_limited};
use crate::matchmaking::{Matchmaking, PartyTicket, Queued};
use crate::social::Social;
use crate::text::{is_id, new_id};

use self::registry::{Invite, Left, Party, Registry};

/// The parties domain. Cheap to clone.
#[derive(Clone)]
pub struct Parties {
    shared: Arc<Shared>,
}

struct Shared {
    config: PartiesConfig,
    bus: Bus,
    chat: Chat,
    social: Social,
    accounts: Accounts,
    matchmaking: Matchmaking,
    registry: Mutex<Registry>,
    invites: Limiter<PlayerId>,
}

/// A party as its members see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Party)]
pub struct PartyView {
    party_id: String,
    /// The leader's id.
    leader: String,
    /// The longest there first.
    members: Vec<MemberView>,
    /// Who is asked to come.
    invited: Vec<String>,
    max_members: usize,
    /// What the party waits for, if it does.
    ticket: Option<PartyTicket>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PartyMember)]
struct MemberView {
    player_id: String,
    /// Whether they have a connection. Without one the place is held for a while.
    connected: bool,
}

/// An invitation as the invited player sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PartyInvitation)]
pub struct Invitation {
    party_id: String,
    /// Who asked.
    from: String,
    leader: String,
    /// Everybody in the party, the leader first.
    members: Vec<String>,
    /// ISO 8601.
    expires_at: String,
}

/// A party that waits now.
#[derive(Debug, Serialize)]
pub struct PartyQueued {
    party_id: String,
    mode: String,
    #[serde(flatten)]
    queued: Queued,
}

/// The party of a player and what they are asked into.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnParty)]
pub struct Own {
    party: Option<PartyView>,
    invitations: Vec<Invitation>,
}

impl Parties {
    /// The parties, none yet. They answer for the `party:` channels from now on.
    pub fn start(
        config: &PartiesConfig,
        bus: Bus,
        chat: Chat,
        social: Social,
        accounts: Accounts,
        matchmaking: Matchmaking,
    ) -> Self {
        let invites = Rate::new(config.invites_per_minute, Duration::from_secs(60));
        let shared = Arc::new(Shared {
            config: config.clone(),
            bus,
            chat,
            social,
            accounts,
            matchmaking,
            registry: Mutex::default(),
            invites: Limiter::new(invites),
        });
        let parties = Self { shared };
        let members = Arc::new(parties.clone());
        parties.shared.chat.set_members(Kind::Party, members);
        tokio::spawn(parties.clone().watch());
        parties
    }

    /// Makes a party of the player alone.
    ///
    /// # Errors
    /// `party.already_in_party`
    pub fn create(&self, player: &PlayerId) -> Outcome<PartyView> {
        let mut registry = self.shared.registry.lock();
        Ok(self.view(registry.create(new_id(), player)?))
    }

    /// Asks a player into the party of `player`. They need not be connected; asking again only
    /// makes the invitation last longer.
    ///
    /// # Errors
    /// `party.not_in_party`, `player.not_found`, `social.blocked` if either has blocked the
    /// other, `party.already_in_party` if they are in this one, `party.full`, `rate_limited`.
    pub async fn invite(&self, player: &PlayerId, target: &str) -> Outcome<PartyView> {
        self.shared.registry.lock().of(player)?;
        if !is_id(target) || !self.shared.accounts.exist(&[target]).await? {
            return Err(Code::PlayerNotFound.into());
        }
        let (target, social) = (PlayerId::from(target), &self.shared.social);
        if social.is_blocked(&target, player).await? || social.is_blocked(player, &target).await? {
            return Err(Code::SocialBlocked.into());
        }
        let taken = self.shared.invites.take(player.clone());
        taken.map_err(rate_limited)?;
        let (now, config) = (clock::now_ms(), &self.shared.config);
        let until = now + config.invite_seconds * 1_000;
        let mut registry = self.shared.registry.lock();
        let (party, is_new) = registry.invite(player, &target, (now, until), config.max_members)?;
        if is_new {
            let invitation = invitation(party, &party.invites[&target]);
            let told = frame("party.invited", None, &invitation);
            self.shared.bus.event(&target, told);
            self.tell_but(party, player);
        }
        Ok(self.view(party))
    }

    /// Takes an invitation up. A party that waits for a match waits no more: its ticket is for
    /// those it was.
    ///
    /// # Errors
    /// `party.invite_not_found`, `party.already_in_party`, `party.full`.
    pub fn accept(&self, player: &PlayerId, id: &str) -> Outcome<PartyView> {
        let mut registry = self.shared.registry.lock();
        let most = self.shared.config.max_members;
        let party = registry.accept(player, id, clock::now_ms(), most)?;
        self.withdraw(party.ticket.take());
        let party = party.clone();
        self.tell_but(&party, player);
        Ok(self.view(&party))
    }

    /// Turns an invitation down.
    ///
    /// # Errors
    /// `party.invite_not_found`
    pub fn decline(&self, player: &PlayerId, id: &str) -> Outcome<()> {
        let mut registry = self.shared.registry.lock();
        let party = registry.decline(player, id, clock::now_ms())?;
        self.tell_all(party);
        Ok(())
    }

    /// Takes the player out of their party. A leader hands over.
    ///
    /// # Errors
    /// `party.not_in_party`
    pub fn leave(&self, player: &PlayerId) -> Outcome<()> {
        let mut registry = self.shared.registry.lock();
        let left = registry.leave(player)?;
        self.see_off(&mut registry, player, &left);
        Ok(())
    }

    /// Takes another member out. They are told with `party.kicked`.
    ///
    /// # Errors
    /// `party.not_in_party`, `party.not_leader`, `party.member_not_found`.
    pub fn kick(&self, player: &PlayerId, target: &str) -> Outcome<PartyView> {
        let target = PlayerId::from(target);
        let mut registry = self.shared.registry.lock();
        let left = registry.kick(player, &target)?;
        self.see_off(&mut registry, &target, &left);
        let told = json!({ "party_id": left.party.id });
        let told = frame("party.kicked", None, &told);
        self.shared.bus.event(&target, told);
        Ok(self.view(registry.of(player)?))
    }

    /// Makes another member the leader.
    ///
    /// # Errors
    /// As [`Self::kick`].
    pub fn promote(&self, player: &PlayerId, target: &str) -> Outcome<PartyView> {
        let mut registry = self.shared.registry.lock();
        let party = registry.promote(player, &PlayerId::from(target))?;
        self.tell_but(party, player);
        Ok(self.view(party))
    }

    /// Queues the whole party for a mode. It waits for one mode at a time: an earlier ticket is
    /// taken back.
    ///
    /// # Errors
    /// `party.not_in_party`, `party.not_leader`, and those of [`Matchmaking::add_party`].
    pub fn queue(&self, player: &PlayerId, mode: &str, properties: Value) -> Outcome<PartyQueued> {
        let mut registry = self.shared.registry.lock();
        let party = registry.led_by(player)?;
        let matchmaking = &self.shared.matchmaking;
        let queued = matchmaking.add_party(&party.id, party.players(), mode, properties)?;
        let earlier = party.ticket.replace(queued.ticket_id.clone());
        self.withdraw(earlier.filter(|earlier| *earlier != queued.ticket_id));
        let queued = PartyQueued {
            party_id: party.id.clone(),
            mode: mode.to_owned(),
            queued,
        };
        if !queued.queued.already_queued {
            let told = frame("party.queued", None, &queued);
            self.shared.bus.event_to_all(&others(party, player), told);
        }
        Ok(queued)
    }

    /// Takes the party's ticket back. Any member may.
    ///
    /// # Errors
    /// `party.not_in_party`, `party.not_queued`.
    pub fn cancel(&self, player: &PlayerId) -> Outcome<PartyView> {
        let mut registry = self.shared.registry.lock();
        let party = registry.of_mut(player)?;
        if !self.withdraw(party.ticket.take()) {
            return Err(Code::PartyNotQueued.into());
        }
        self.tell_but(party, player);
        Ok(self.view(party))
    }

    /// The player's party and invitations.
    pub fn own(&self, player: &PlayerId) -> Own {
        let registry = self.shared.registry.lock();
        let invites = registry.invites_of(player, clock::now_ms()).into_iter();
        Own {
            party: registry.of(player).ok().map(|party| self.view(party)),
            invitations: invites
                .map(|(party, invite)| invitation(party, invite))
                .collect(),
        }
    }

    /// Takes a player who is gone for good out of everything here.
    pub fn forget(&self, player: &PlayerId) {
        let mut registry = self.shared.registry.lock();
        registry.forget_invites(player);
        if let Ok(left) = registry.leave(player) {
            self.see_off(&mut registry, player, &left);
        }
    }

    /// Looks, for as long as the server runs, who is connected and who has been away too long.
    async fn watch(self) {
        let grace = self.shared.config.disconnect_grace_seconds * 1_000;
        let mut beat = tokio::time::interval(Duration::from_millis((grace / 4).clamp(100, 1_000)));
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let now = clock::now_ms();
            let ids = self.shared.registry.lock().ids();
            for id in ids {
                self.look_after(&id, now, now.saturating_sub(grace));
            }
        }
    }

    fn look_after(&self, id: &str, now: u64, deadline: u64) {
        let sessions = self.shared.bus.sessions();
        let mut registry = self.shared.registry.lock();
        let is_connected = |player: &PlayerId| sessions.is_connected(player);
        let (changed, overdue) = registry.note_presence(id, is_connected, now, deadline);
        if changed
            && overdue.is_empty()
            && let Some(party) = registry.find(id)
        {
            self.tell_all(party);
        }
        for player in overdue {
            if let Ok(left) = registry.leave(&player) {
                self.see_off(&mut registry, &player, &left);
            }
        }
    }

    /// What follows when somebody is out: no ticket, no chat, and the others know.
    fn see_off(&self, registry: &mut Registry, player: &PlayerId, left: &Left) {
        let party = &left.party;
        let channel = format!("{}:{}", Kind::Party.as_str(), party.id);
        self.shared.bus.drop_member(&channel, player);
        self.withdraw(party.ticket.clone());
        if party.members.is_empty() {
            let told = json!({ "party_id": party.id });
            let invited: Vec<PlayerId> = party.invites.keys().cloned().collect();
            let told = frame("party.disbanded", None, &told);
            self.shared.bus.event_to_all(&invited, told);
            return;
        }
        if let Ok(party) = registry.of_mut(&party.leader) {
            party.ticket = None;
            self.tell_all(party);
        }
    }

    fn withdraw(&self, ticket: Option<String>) -> bool {
        ticket.is_some_and(|ticket| self.shared.matchmaking.withdraw(&ticket))
    }

    fn tell_all(&self, party: &Party) {
        self.tell(&party.players(), party);
    }

    /// Tells everybody but the one who did it, who is answered.
    fn tell_but(&self, party: &Party, player: &PlayerId) {
        self.tell(&others(party, player), party);
    }

    fn tell(&self, to: &[PlayerId], party: &Party) {
        let told = frame("party.updated", None, &self.view(party));
        self.shared.bus.event_to_all(to, told);
    }

    fn view(&self, party: &Party) -> PartyView {
        let sessions = self.shared.bus.sessions();
        let members = party.members.iter().map(|member| MemberView {
            player_id: member.player.to_string(),
            connected: sessions.is_connected(&member.player),
        });
        let ticket = party.ticket.as_ref();
        PartyView {
            party_id: party.id.clone(),
            leader: party.leader.to_string(),
            members: members.collect(),
            invited: party.invites.keys().map(PlayerId::to_string).collect(),
            max_members: self.shared.config.max_members,
            ticket: ticket.and_then(|ticket| self.shared.matchmaking.party_ticket(ticket)),
        }
    }
}

impl Members for Parties {
    fn include(&self, channel: &Channel<'_>, player: &PlayerId) -> BoxFuture<'_, Outcome<bool>> {
        let registry = self.shared.registry.lock();
        let is_in = registry
            .of(player)
            .is_ok_and(|party| party.id == channel.name);
        async move { Ok::<bool, ApiError>(is_in) }.boxed()
    }
}

fn others(party: &Party, player: &PlayerId) -> Vec<PlayerId> {
    let mut players = party.players();
    players.retain(|other| other != player);
    players
}

fn invitation(party: &Party, invite: &Invite) -> Invitation {
    Invitation {
        party_id: party.id.clone(),
        from: invite.by.to_string(),
        leader: party.leader.to_string(),
        members: party.players().iter().map(PlayerId::to_string).collect(),
        expires_at: clock::iso(i64::try_from(invite.until).unwrap_or(i64::MAX)),
    }
}
