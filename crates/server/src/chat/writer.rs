//! One task that writes all messages.
//!
//! What comes while a batch is being written makes the next batch: one commit for many messages
//! (group commit). A message to a channel has been delivered already and waits here a moment;
//! its sender's `chat.sent` follows the commit. A direct message is handed to its recipient by
//! this task after the commit ([`super::mail`]), so nobody reads what a crash could take back.
//!
//! While the database is away, channel messages wait, and the oldest go when there are too many;
//! senders of direct messages are told at once.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};
use parking_lot::Mutex;
use sea_orm::{DatabaseTransaction, DbErr};
use tokio::sync::{Notify, oneshot};

use crate::accounts::people::{self, IfBusy};
use crate::clock::db_now;
use crate::db::{Db, log_retry};
use crate::edge::error::{Outcome, database};
use crate::session::SessionId;
use crate::text::new_id;

use super::mail::Mail;
use super::store::{self, Message};

/// How long messages gather that nobody waits for.
const GATHER: Duration = Duration::from_millis(50);

/// Pause after a failed write before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Most messages to channels that wait for a database that is away; the oldest go first.
const MAX_WAITING: usize = 10_000;

/// Most messages to channels in one transaction.
const MAX_BATCH: usize = 2_000;

/// Most players whose mail is looked up between two transactions: direct messages wait
/// meanwhile.
const MAX_ARRIVALS: usize = 200;

/// Hands messages to the task that writes. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Writer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something waits.
    wake: Notify,
    /// Somebody waits for it.
    urgent: Notify,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    /// Messages to channels of the batch that is being written: a part of the history too.
    writing: Vec<Arc<Message>>,
    dropped: u64,
}

/// What is to be written, and who is to be told.
#[derive(Default)]
struct Batch {
    messages: VecDeque<ToChannel>,
    direct: Vec<Direct>,
    /// Direct messages that were handed over.
    delivered: Vec<String>,
    /// Players, and the id before which their mail is not handed over any more.
    given_up: Vec<(PlayerId, String)>,
    /// Players who have just connected.
    arrived: HashSet<PlayerId>,
    flushed: Vec<oneshot::Sender<()>>,
}

struct ToChannel {
    message: Arc<Message>,
    author: Author,
    receipt: Option<Receipt>,
}

/// Who speaks in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// A player; the message goes with them.
    Player,
    /// The game, in whatever name.
    Game,
}

/// Who hears by `chat.sent` that a message is written.
pub struct Receipt {
    /// The sender.
    pub player: PlayerId,
    /// The connection it was sent on.
    pub session: SessionId,
    /// The `cid` of the frame, as JSON text.
    pub cid: String,
}

/// A direct message whose sender waits.
pub(super) struct Direct {
    pub(super) message: Arc<Message>,
    /// Sent to the channel rather than to the player: a recipient who is in the channel gets it
    /// there and not a second time.
    pub(super) via_channel: bool,
    done: oneshot::Sender<Outcome<()>>,
}

impl Writer {
    /// Keeps a message to a channel. It gets its id and its time here.
    pub(super) fn keep(
        &self,
        message: Message,
        author: Author,
        receipt: Option<Receipt>,
    ) -> Arc<Message> {
        let mut waiting = self.shared.waiting.lock();
        let message = Arc::new(stamped(message));
        waiting.batch.messages.push_back(ToChannel {
            message: Arc::clone(&message),
            author,
            receipt,
        });
        waiting.drop_oldest();
        drop(waiting);
        self.shared.wake.notify_one();
        message
    }

    /// Writes a direct message and waits until it is written; then it is on its way.
    ///
    /// # Errors
    /// `internal` if it could not be written, `not_ready` while the database is away,
    /// `dm.recipient_not_found` if one of the two was erased meanwhile.
    pub(super) async fn send(&self, message: Message, via_channel: bool) -> Outcome<Arc<Message>> {
        let (done, written) = oneshot::channel();
        let message = {
            let mut waiting = self.shared.waiting.lock();
            let message = Arc::new(stamped(message));
            waiting.batch.direct.push(Direct {
                message: Arc::clone(&message),
                via_channel,
                done,
            });
            message
        };
        self.shared.urgent.notify_one();
        written.await.unwrap_or(Err(Code::Internal.into()))?;
        Ok(message)
    }

    /// Hands a player who has just connected what came while they were away.
    pub(super) fn arrived(&self, player: PlayerId) {
        self.shared.waiting.lock().batch.arrived.insert(player);
        self.shared.wake.notify_one();
    }

    /// Waits until everything handed over before is written.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.shared.waiting.lock().batch.flushed.push(done);
        self.shared.urgent.notify_one();
        let _ = flushed.await;
    }

    /// The messages of a channel that are not written yet, or are being written, oldest first.
    pub(super) fn unwritten(&self, channel: &str) -> Vec<Arc<Message>> {
        let waiting = self.shared.waiting.lock();
        let queued = waiting.batch.messages.iter().map(|queued| &queued.message);
        waiting
            .writing
            .iter()
            .chain(queued)
            .filter(|message| message.channel_id == channel)
            .map(Arc::clone)
            .collect()
    }

    /// Writes what comes, for ever.
    pub(super) async fn run(self, db: Db, mail: Mail) {
        loop {
            self.shared.next().await;
            let mut batch = self.take();
            if let Err(error) = write(&db, &mut batch).await {
                self.put_back(batch, &database(error));
                tokio::time::sleep(RETRY).await;
                self.shared.wake.notify_one();
                continue;
            }
            self.shared.waiting.lock().writing.clear();
            self.tell(&mut batch, &mail).await;
        }
    }

    fn take(&self) -> Batch {
        let mut waiting = self.shared.waiting.lock();
        let mut batch = std::mem::take(&mut waiting.batch);
        if batch.messages.len() > MAX_BATCH {
            waiting.batch.messages = batch.messages.split_off(MAX_BATCH);
            // Not all is written after this batch.
            waiting.batch.flushed = std::mem::take(&mut batch.flushed);
            self.shared.urgent.notify_one();
        }
        let writing = batch.messages.iter();
        waiting.writing = writing.map(|queued| Arc::clone(&queued.message)).collect();
        let dropped = std::mem::take(&mut waiting.dropped);
        drop(waiting);
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "too many chat messages wait to be written; the oldest are lost"
            );
        }
        batch
    }

    /// Puts a batch that was not written before what has come since. Who waits is told why.
    fn put_back(&self, mut batch: Batch, why: &ApiError) {
        let mut waiting = self.shared.waiting.lock();
        waiting.writing.clear();
        let since = &mut waiting.batch;
        batch.messages.append(&mut since.messages);
        since.messages = batch.messages;
        since.delivered.append(&mut batch.delivered);
        since.given_up.append(&mut batch.given_up);
        since.arrived.extend(batch.arrived);
        since.flushed.append(&mut batch.flushed);
        waiting.drop_oldest();
        drop(waiting);
        for direct in batch.direct {
            let _ = direct.done.send(Err(why.clone()));
        }
    }

    /// Tells everybody that a batch is written.
    async fn tell(&self, batch: &mut Batch, mail: &Mail) {
        for queued in &batch.messages {
            if let Some(receipt) = &queued.receipt {
                mail.acknowledge(receipt, &queued.message);
            }
        }
        let mut delivered = Vec::new();
        for direct in batch.direct.drain(..) {
            // Whoever has just connected gets it in its place among what came before.
            let later = batch.arrived.contains(&recipient(&direct.message))
                || self.is_arriving(&direct.message);
            if mail.hand_over(&direct, later) {
                delivered.push(direct.message.id.clone());
            }
            let _ = direct.done.send(Ok(()));
        }
        let given_up = self.hand_over_mail(&mut batch.arrived, &mut delivered, mail);
        let given_up = given_up.await;
        self.finish(batch, delivered, given_up);
    }

    fn is_arriving(&self, message: &Message) -> bool {
        let waiting = self.shared.waiting.lock();
        waiting.batch.arrived.contains(&recipient(message))
    }

    /// Hands over the mail of those who have arrived, or leaves them for the next round.
    async fn hand_over_mail(
        &self,
        arrived: &mut HashSet<PlayerId>,
        delivered: &mut Vec<String>,
        mail: &Mail,
    ) -> Vec<(PlayerId, String)> {
        let now: Vec<PlayerId> = arrived.iter().take(MAX_ARRIVALS).cloned().collect();
        let mut given_up = Vec::new();
        if now.is_empty() {
            return given_up;
        }
        match mail.catch_up(&now, delivered, &mut given_up).await {
            Ok(()) => arrived.retain(|player| !now.contains(player)),
            Err(error) => {
                log_retry(&error, "waiting messages not read");
                tokio::time::sleep(RETRY).await;
            }
        }
        given_up
    }

    /// Ends a round: what it leaves to do is for the next one.
    fn finish(&self, batch: &mut Batch, delivered: Vec<String>, given_up: Vec<(PlayerId, String)>) {
        let is_done = delivered.is_empty() && batch.arrived.is_empty();
        if is_done {
            for done in batch.flushed.drain(..) {
                let _ = done.send(());
            }
            return;
        }
        let mut waiting = self.shared.waiting.lock();
        let next = &mut waiting.batch;
        next.delivered.extend(delivered);
        next.given_up.extend(given_up);
        next.arrived.extend(batch.arrived.drain());
        let is_awaited = !batch.flushed.is_empty();
        next.flushed.append(&mut batch.flushed);
        drop(waiting);
        match is_awaited {
            true => self.shared.urgent.notify_one(),
            false => self.shared.wake.notify_one(),
        }
    }
}

impl Shared {
    /// Waits until there is something to write, and until it is worth it.
    async fn next(&self) {
        let gathered = async {
            self.wake.notified().await;
            tokio::time::sleep(GATHER).await;
        };
        tokio::select! {
            () = self.urgent.notified() => {}
            () = gathered => {}
        }
    }
}

impl Waiting {
    fn drop_oldest(&mut self) {
        let excess = self.batch.messages.len().saturating_sub(MAX_WAITING);
        self.batch.messages.drain(..excess);
        self.dropped += excess as u64;
    }
}

impl Batch {
    fn has_nothing_to_write(&self) -> bool {
        self.messages.is_empty()
            && self.direct.is_empty()
            && self.delivered.is_empty()
            && self.given_up.is_empty()
    }
}

fn recipient(message: &Message) -> PlayerId {
    PlayerId::from(message.recipient_id.as_deref().unwrap_or_default())
}

fn stamped(message: Message) -> Message {
    Message {
        id: new_id(),
        sent_at: db_now(),
        ..message
    }
}

async fn write(db: &Db, batch: &mut Batch) -> Result<(), DbErr> {
    if batch.has_nothing_to_write() {
        return Ok(());
    }
    let (tx, now) = (db.write().await?, db_now());
    leave_out_erased(&tx, batch).await?;
    store::mark(&tx, &batch.delivered, now).await?;
    for (player, before) in &batch.given_up {
        store::mark_older(&tx, player, before, now).await?;
    }
    let to_channels = batch.messages.iter().map(|queued| &*queued.message);
    let direct = batch.direct.iter().map(|direct| &*direct.message);
    store::insert(&tx, to_channels.chain(direct)).await?;
    tx.commit().await
}

/// Drops what was written by or to players who were erased meanwhile: it would outlive them.
async fn leave_out_erased(tx: &DatabaseTransaction, batch: &mut Batch) -> Result<(), DbErr> {
    let to_channels = batch.messages.iter();
    let to_channels = to_channels.filter(|queued| queued.author == Author::Player);
    let people = to_channels.map(|queued| queued.message.sender_id.as_str());
    let direct = batch.direct.iter().flat_map(|direct| both(&direct.message));
    let people: BTreeSet<&str> = people.chain(direct).collect();
    let people: Vec<&str> = people.into_iter().collect();
    let mut there = HashSet::new();
    for some in people.chunks(store::ROWS) {
        there.extend(people::hold(tx, some.iter().copied(), IfBusy::Wait).await?);
    }
    batch.messages.retain(|queued| {
        queued.author == Author::Game || there.contains(&queued.message.sender_id)
    });
    let is_gone = |direct: &mut Direct| !both(&direct.message).all(|id| there.contains(id));
    for direct in batch.direct.extract_if(.., is_gone) {
        let _ = direct.done.send(Err(super::recipient_not_found()));
    }
    Ok(())
}

/// Who wrote a direct message, and to whom.
fn both(message: &Message) -> impl Iterator<Item = &str> {
    let recipient = message.recipient_id.as_deref();
    recipient.into_iter().chain([message.sender_id.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: String) -> Message {
        Message {
            id: String::new(),
            channel_type: "room".into(),
            channel_id: "room:1".into(),
            sender_id: "ada".into(),
            content: text,
            sent_at: 0,
            recipient_id: None,
            delivered_at: None,
        }
    }

    fn numbers(writer: &Writer) -> Vec<usize> {
        let unwritten = writer.unwritten("room:1");
        unwritten
            .iter()
            .map(|m| m.content.parse().unwrap())
            .collect()
    }

    #[test]
    fn of_too_many_that_wait_the_oldest_go_and_are_counted() {
        let writer = Writer::default();
        for n in 0..MAX_WAITING + 5 {
            writer.keep(message(n.to_string()), Author::Game, None);
        }
        let kept = numbers(&writer);
        assert_eq!((kept.len(), kept[0]), (MAX_WAITING, 5));
        assert_eq!(writer.shared.waiting.lock().dropped, 5);
    }

    #[test]
    fn a_batch_that_failed_is_written_before_what_came_since() {
        let writer = Writer::default();
        for n in 0..MAX_BATCH + 2 {
            writer.keep(message(n.to_string()), Author::Game, None);
        }
        let batch = writer.take();
        assert_eq!(batch.messages.len(), MAX_BATCH);
        let all: Vec<usize> = (0..MAX_BATCH + 3).collect();
        assert_eq!(
            numbers(&writer),
            all[..MAX_BATCH + 2],
            "none is out of sight"
        );
        writer.keep(message((MAX_BATCH + 2).to_string()), Author::Game, None);
        writer.put_back(batch, &Code::NotReady.into());
        assert_eq!(numbers(&writer), all);
        let ids: Vec<String> = writer
            .unwritten("room:1")
            .iter()
            .map(|m| m.id.clone())
            .collect();
        assert!(ids.is_sorted());
    }
}
