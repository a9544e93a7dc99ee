//! Who may be in which channel.
//!
//! The rules of the original, and `match:` and `party:` beside them. Worlds and parties answer
//! for their own channels: until they do ([`Membership::plug`]), nobody gets in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use crate::accounts::Accounts;
use crate::cluster::{Bus, Directory};
use crate::edge::error::Outcome;
use crate::social::Social;
use crate::sweep::Sweep;

use super::channel::{Channel, Kind};

/// How long a member of a group may write without the database being asked again.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Who may be in the channels of a kind: another domain's word.
pub trait Members: Send + Sync {
    /// Whether a player may be in a channel. Asked at each join and each message.
    fn include(&self, channel: &Channel<'_>, player: &PlayerId) -> BoxFuture<'_, Outcome<bool>>;
}

/// How two players stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    /// They may write to each other.
    Open,
    /// One of them has blocked the other.
    Blocked,
    /// One of them is no player.
    Unknown,
}

/// The rules.
pub(super) struct Membership {
    bus: Bus,
    directory: Directory,
    accounts: Accounts,
    social: Social,
    globals: RwLock<HashSet<String>>,
    others: RwLock<HashMap<Kind, Arc<dyn Members>>>,
    recent: Mutex<Recent>,
}

/// Members of groups, by channel, and when the database said so.
#[derive(Default)]
struct Recent {
    asked: HashMap<(String, PlayerId), Asked>,
    sweep: Sweep,
}

#[derive(Clone, Copy)]
struct Asked {
    at: Instant,
    /// [`Bus::removals`] before.
    removals: u64,
}

impl Membership {
    pub(super) fn new(bus: Bus, directory: Directory, accounts: Accounts, social: Social) -> Self {
        Self {
            bus,
            directory,
            accounts,
            social,
            globals: RwLock::default(),
            others: RwLock::default(),
            recent: Mutex::default(),
        }
    }

    /// Takes the names of the global channels; answers those that are no more.
    pub(super) fn set_globals(&self, names: HashSet<String>) -> Vec<String> {
        let before = std::mem::replace(&mut *self.globals.write(), names);
        let now = self.globals.read();
        before
            .into_iter()
            .filter(|name| !now.contains(name))
            .collect()
    }

    /// Lets another domain answer for a kind of channel.
    pub(super) fn plug(&self, kind: Kind, members: Arc<dyn Members>) {
        self.others.write().insert(kind, members);
    }

    /// Whether a player may be in a channel.
    pub(super) async fn include(&self, channel: &Channel<'_>, player: &PlayerId) -> Outcome<bool> {
        match channel.kind {
            Kind::Global => Ok(self.globals.read().contains(channel.name)),
            Kind::Match => {
                let playing = self.directory.match_of(player);
                Ok(playing.is_some_and(|handle| handle.id().as_str() == channel.name))
            }
            Kind::Room => self.social.is_member(channel.name, player).await,
            Kind::Dm => match partner(channel, player) {
                Some(other) => Ok(self.pair(player, other).await? == Pair::Open),
                None => Ok(false),
            },
            kind => {
                let members = self.others.read().get(&kind).cloned();
                match members {
                    Some(members) => members.include(channel, player).await,
                    None => Ok(false),
                }
            }
        }
    }

    /// Whether a player may write to a channel: as [`Self::include`], but who was a member of a
    /// group a moment ago still is.
    pub(super) async fn may_write(
        &self,
        channel: &Channel<'_>,
        player: &PlayerId,
    ) -> Outcome<bool> {
        if channel.kind != Kind::Room {
            return self.include(channel, player).await;
        }
        let key = (channel.id.to_owned(), player.clone());
        // Whoever was taken out of the channel since is asked for again.
        let removals = self.bus.removals(channel.id);
        let asked = self.recent.lock().asked.get(&key).copied();
        let counts = |asked: &Asked| asked.at.elapsed() < REMEMBERED;
        if asked.is_some_and(|asked| asked.removals == removals && counts(&asked)) {
            return Ok(true);
        }
        let is_member = self.include(channel, player).await?;
        if is_member {
            let mut locked = self.recent.lock();
            let Recent { asked, sweep } = &mut *locked;
            sweep.look(asked, |_, asked| counts(asked));
            let at = Instant::now();
            asked.insert(key, Asked { at, removals });
        }
        Ok(is_member)
    }

    /// How two players stand to each other. `other` may be any text.
    pub(super) async fn pair(&self, player: &PlayerId, other: &str) -> Outcome<Pair> {
        let (id, both) = (PlayerId::from(other), [player.as_str(), other]);
        let (exist, blocked, blocks) = tokio::try_join!(
            self.accounts.exist(&both),
            self.social.is_blocked(&id, player),
            self.social.is_blocked(player, &id),
        )?;
        Ok(match exist {
            false => Pair::Unknown,
            true if blocked || blocks => Pair::Blocked,
            true => Pair::Open,
        })
    }
}

/// The other player of a `dm:` channel, if `player` is one of the two.
pub(super) fn partner<'a>(channel: &Channel<'a>, player: &PlayerId) -> Option<&'a str> {
    let (a, b) = channel.pair()?;
    match player.as_str() {
        player if player == a => Some(b),
        player if player == b => Some(a),
        _ => None,
    }
}
