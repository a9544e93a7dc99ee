//! Chat: channels that players join and write to, and messages from one player to another.
//!
//! Who may be in which channel is [`membership`]; what may be said is [`content`], and how often
//! [`slow_mode`]. A message to a channel goes to its members at once and is written a moment
//! later; a direct message is written first ([`writer`], [`mail`]). Channel members are
//! connections, and [`crate::cluster::Bus`] knows them. Shapes and limits are those of the
//! original's protocol guide, where nothing else is said.

pub mod channel;
pub mod content;
mod entities;
pub mod frames;
mod history;
mod mail;
pub mod membership;
mod pruning;
pub mod routes;
mod slow_mode;
mod store;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use asobi_wire::envelope::frame;
use asobi_wire::{ApiError, Code};
use parking_lot::Mutex;
use sea_orm::{DatabaseTransaction, DbErr};

use crate::accounts::Accounts;
use crate::cluster::{Bus, Directory, JoinError};
use crate::config::ChatConfig;
use crate::db::Db;
use crate::edge::error::Outcome;
use crate::edge::limits::{Limiter, Rate, rate_limited, retry_after};
use crate::session::SessionId;
use crate::social::Social;
use crate::text::{is_id, is_key};

use self::channel::{Channel, Kind};
use self::content::{Filter, Place};
use self::frames::Said;
use self::mail::Mail;
use self::membership::{Members, Membership, Pair, partner};
use self::pruning::Pruning;
use self::slow_mode::SlowMode;
use self::store::Message;
use self::writer::{Author, Writer};

pub use self::content::{MessageFilter, Verdict};
pub use self::writer::Receipt;

/// Longest name a game may speak in, in bytes.
const MAX_SENDER_BYTES: usize = 128;

/// Locks that keep the messages of a channel in order; channels share them by chance.
const ORDERS: usize = 64;

/// The chat domain. Cheap to clone.
#[derive(Clone)]
pub struct Chat {
    shared: Arc<Shared>,
}

struct Shared {
    db: Db,
    bus: Bus,
    members: Membership,
    writer: Writer,
    filter: Filter,
    slow_mode: SlowMode,
    rate: Limiter<PlayerId>,
    /// One message at a time gets its id and goes out, so that all members see the same order,
    /// and it is the order of the history.
    orders: [Mutex<()>; ORDERS],
    hasher: RandomState,
    _pruning: Option<Pruning>,
}

/// Deletes what a player wrote and what was written to them, as part of erasing them.
pub async fn erase(transaction: &DatabaseTransaction, player: &PlayerId) -> Result<(), DbErr> {
    store::erase(transaction, player.as_str()).await
}

impl Chat {
    /// Starts the task that writes.
    pub fn start(
        config: &ChatConfig,
        db: Db,
        bus: Bus,
        directory: Directory,
        accounts: Accounts,
        social: Social,
    ) -> Self {
        let writer = Writer::default();
        let mail = Mail::new(bus.clone(), db.clone());
        tokio::spawn(writer.clone().run(db.clone(), mail));
        // Twice as many at once: people write two lines and then read.
        let burst = config.messages_per_second.saturating_mul(2);
        let shared = Shared {
            members: Membership::new(bus.clone(), directory, accounts, social),
            writer,
            filter: Filter::default(),
            slow_mode: SlowMode::default(),
            rate: Limiter::new(Rate::new(burst, Duration::from_secs(2))),
            orders: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            _pruning: Pruning::start(db.clone(), config.keep_days),
            db,
            bus,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes what the game declares: the names of its global channels, and pauses by channel id
    /// or by the beginning of one (ending in `:` or `*`), in seconds. Call it at start and after
    /// each reload. Whoever is in a global channel that is no more is taken out.
    pub fn set_game(&self, globals: Vec<String>, slow_mode: Vec<(String, u64)>) {
        let mut names = HashSet::new();
        for name in globals {
            if channel::is_global_name(&name) {
                names.insert(name);
            } else {
                tracing::warn!(
                    name,
                    "no global channel: a name is 1 to 64 letters, digits, _ . -"
                );
            }
        }
        for name in self.shared.members.set_globals(names) {
            self.shared.bus.close_channel(&format!("global:{name}"));
        }
        self.shared.slow_mode.set(slow_mode);
    }

    /// Sets the game's filter for what players write; `None` takes it away.
    pub fn set_filter(&self, filter: Option<Arc<dyn MessageFilter>>) {
        self.shared.filter.set(filter);
    }

    /// Lets another domain say who may be in the channels of a kind. `dm:`, `global:`, `room:`
    /// and `match:` are not asked for.
    pub fn set_members(&self, kind: Kind, members: Arc<dyn Members>) {
        self.shared.members.plug(kind, members);
    }

    /// The player has a new connection: hands over what came while they were away.
    pub fn connected(&self, player: &PlayerId) {
        self.shared.writer.arrived(player.clone());
    }

    /// A connection is gone, and its channels with it.
    pub fn disconnected(&self, session: SessionId) {
        self.shared.bus.leave_all(session);
    }

    /// Waits until every message so far is written.
    pub async fn flush(&self) {
        self.shared.writer.flush().await;
    }

    /// Joins a player's connection to a channel.
    ///
    /// # Errors
    /// `chat.invalid_channel_id`, `forbidden` for a channel the player may not be in,
    /// `chat.too_many_channels`.
    pub async fn join(&self, player: &PlayerId, session: SessionId, id: &str) -> Outcome<()> {
        let channel = parse(id)?;
        loop {
            let removals = self.shared.bus.removals(id);
            if !self.shared.members.include(&channel, player).await? {
                self.shared.bus.leave_channel(id, session);
                return Err(not_authorized());
            }
            match self.shared.bus.join_channel(id, player, session) {
                // The connection is closing; nobody reads the answer.
                Ok(()) | Err(JoinError::NotConnected) => {}
                Err(JoinError::TooManyChannels) => {
                    return Err(ApiError::from_reason("too_many_channels"));
                }
            }
            // Somebody lost a channel while we asked. It may have been this player and this
            // channel, before they were in it: ask again.
            if self.shared.bus.removals(id) == removals {
                return Ok(());
            }
        }
    }

    /// Takes a connection out of a channel, if it is in it.
    pub fn leave(&self, session: SessionId, id: &str) {
        self.shared.bus.leave_channel(id, session);
    }

    /// Sends a player's message to a channel. They need not have joined it. The receipt is
    /// answered once the message is written.
    ///
    /// # Errors
    /// `chat.invalid_channel_id`, `chat.content_empty`, `chat.content_too_large`,
    /// `chat.invalid_content`, `rate_limited`, `forbidden`, `chat.slow_mode`, `chat.refused` (by
    /// the game's filter).
    pub async fn send(
        &self,
        player: &PlayerId,
        id: &str,
        text: &str,
        receipt: Option<Receipt>,
    ) -> Outcome<()> {
        let channel = parse(id)?;
        content::check(text, Place::Channel)?;
        self.spend(player)?;
        if !self.shared.members.may_write(&channel, player).await? {
            return Err(not_authorized());
        }
        let text = self.approved(id, player, text, Place::Channel).await?;
        let message = message(&channel, player.as_str(), text);
        let Some(recipient) = partner(&channel, player) else {
            self.publish(message, Author::Player, receipt);
            return Ok(());
        };
        // However it is sent: a message from one to another waits for them.
        let message = Message {
            recipient_id: Some(recipient.to_owned()),
            ..message
        };
        let message = self.shared.writer.send(message, true).await?;
        if let Some(receipt) = receipt {
            mail::acknowledge(&self.shared.bus, &receipt, &message);
        }
        Ok(())
    }

    /// Sends a message from one player to another, and answers once it is written. To oneself is
    /// fine.
    ///
    /// # Errors
    /// `dm.content_empty`, `dm.content_too_large`, `dm.invalid_content`,
    /// `dm.recipient_not_found`, `rate_limited`, `dm.blocked` if either has blocked the other,
    /// `chat.slow_mode`, `chat.refused`.
    pub async fn send_direct(
        &self,
        player: &PlayerId,
        recipient: &str,
        text: &str,
    ) -> Outcome<frames::Sent> {
        content::check(text, Place::Direct)?;
        if !is_id(recipient) {
            return Err(recipient_not_found());
        }
        self.spend(player)?;
        match self.shared.members.pair(player, recipient).await? {
            Pair::Open => {}
            Pair::Blocked => return Err(ApiError::from_reason("blocked")),
            Pair::Unknown => return Err(recipient_not_found()),
        }
        let id = channel::between(player.as_str(), recipient);
        let text = self.approved(&id, player, text, Place::Direct).await?;
        let channel = parse(&id)?;
        let message = Message {
            recipient_id: Some(recipient.to_owned()),
            ..message(&channel, player.as_str(), text)
        };
        let message = self.shared.writer.send(message, false).await?;
        Ok(frames::Sent::from(&*message))
    }

    /// Says something in a channel on the game's behalf, in any name. Nobody's membership, pause
    /// or filter is asked. Does not wait: the message is on its way, not on disk.
    ///
    /// # Errors
    /// `chat.invalid_channel_id`, `chat.content_empty`, `chat.content_too_large`,
    /// `chat.invalid_content`, `invalid_payload` for a sender that is no name.
    pub fn say(&self, channel: &str, sender: &str, text: &str) -> Outcome<()> {
        let channel = parse(channel)?;
        content::check(text, Place::Channel)?;
        if !is_key(sender, MAX_SENDER_BYTES) {
            return Err(Code::InvalidPayload.into());
        }
        let message = message(&channel, sender, text.to_owned());
        self.publish(message, Author::Game, None);
        Ok(())
    }

    fn spend(&self, player: &PlayerId) -> Outcome<()> {
        let taken = self.shared.rate.take(player.clone());
        taken.map_err(rate_limited)
    }

    /// What goes out of what a player wrote, if it does: the channel's pause and the game's
    /// filter have their say. A message that is refused does not begin a pause.
    async fn approved(
        &self,
        channel: &str,
        player: &PlayerId,
        text: &str,
        place: Place,
    ) -> Outcome<String> {
        let slow = &self.shared.slow_mode;
        let too_soon =
            |wait| ApiError::from_reason("slow_mode").with("retry_after", retry_after(wait));
        slow.check(channel, player, Instant::now())
            .map_err(too_soon)?;
        let filter = &self.shared.filter;
        let text = filter.pass(channel, player, text, place).await?;
        slow.note(channel, player, Instant::now())
            .map_err(too_soon)?;
        Ok(text.into_owned())
    }

    /// Sends a message to everybody in its channel, and has it written.
    fn publish(&self, message: Message, author: Author, receipt: Option<Receipt>) {
        let hash = self.shared.hasher.hash_one(&message.channel_id);
        let _in_order = self.shared.orders[hash as usize % ORDERS].lock();
        let message = self.shared.writer.keep(message, author, receipt);
        let said = frame("chat.message", None, &Said::from(&*message));
        self.shared.bus.event_to_channel(&message.channel_id, said);
    }
}

fn parse(id: &str) -> Outcome<Channel<'_>> {
    Channel::parse(id).ok_or_else(|| ApiError::from_reason("invalid_channel_id"))
}

fn not_authorized() -> ApiError {
    ApiError::from_reason("not_authorized")
}

fn recipient_not_found() -> ApiError {
    ApiError::from_reason("recipient_not_found")
}

/// A message that has no id and no time yet.
fn message(channel: &Channel<'_>, sender: &str, text: String) -> Message {
    Message {
        id: String::new(),
        channel_type: channel.kind.as_str().to_owned(),
        channel_id: channel.id.to_owned(),
        sender_id: sender.to_owned(),
        content: text,
        sent_at: 0,
        recipient_id: None,
        delivered_at: None,
    }
}
