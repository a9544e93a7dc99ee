//! Notifications: what the game and the server have to tell a player, online or not.
//!
//! A notification is a row first, and a push (`notification.new`) once the row is committed.
//! [`Notifications::send`] is for whoever only has something to tell. A domain that tells of a
//! change of its own adds the rows in the transaction of the change ([`add`]) and pushes them
//! after its commit ([`Notifications::push`]). So there is a notification exactly if there is
//! what it tells of: none is lost in a crash, a request repeated does not make two, and nothing
//! is left after the commit that could fail.
//!
//! The list of a player is bounded. It is cut after each push, so between a commit and the cut it
//! may be longer by what was just added.

mod entities;
pub mod routes;
mod store;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_wire::Code;
use asobi_wire::envelope::frame;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::accounts::people::IfBusy;
use crate::clock::iso;
use crate::cluster::Bus;
use crate::config::NotificationsConfig;
use crate::db::{Db, Document};
use crate::edge::error::{Outcome, database};
use crate::edge::fields::Fields;
use crate::edge::params::{Limit, cursor};
use crate::text;

pub use store::{add, withdraw};

/// Longest type in bytes.
const MAX_TYPE_BYTES: usize = 64;
/// Longest subject in characters.
const MAX_SUBJECT_CHARS: usize = 256;
/// Largest content in bytes of JSON.
const MAX_CONTENT_BYTES: usize = 16 * 1024;
/// Most recipients of one [`Notifications::send`].
const MAX_RECIPIENTS: usize = 10_000;

/// The notifications of all players. Cheap to clone.
#[derive(Clone)]
pub struct Notifications {
    db: Db,
    bus: Bus,
    /// Most that are kept of a player.
    most: u64,
}

/// What is to be told.
#[derive(Clone, Debug)]
pub struct Notice {
    kind: String,
    subject: String,
    content: Document,
    from: Option<String>,
}

/// A notification as its player sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Notification {
    id: String,
    #[schema(value_type = String)]
    player_id: PlayerId,
    /// What it is about, for a program.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: Arc<str>,
    /// What it is about, for a person.
    #[schema(value_type = String)]
    subject: Arc<str>,
    /// The particulars. Encoded once, however many players are told.
    #[schema(value_type = Object)]
    content: Arc<RawValue>,
    read: bool,
    #[schema(value_type = String, format = DateTime)]
    sent_at: Arc<str>,
}

/// Which notifications to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `true` or `false`: only those read or not yet read. Anything else: all.
    pub read: Option<String>,
    /// Most rows, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u64>)]
    pub limit: Limit,
    /// Only rows older than this id.
    #[serde(default, deserialize_with = "cursor")]
    pub before: Option<String>,
}

impl Notice {
    /// A notice of the server's own.
    pub(crate) fn new(kind: &'static str, subject: &'static str, content: &Value) -> Self {
        Self {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            content: Document::new(content),
            from: None,
        }
    }

    /// Says whose deed it tells of: it goes when they are erased. Whoever adds it must have
    /// locked them.
    pub(crate) fn from(self, player: &str) -> Self {
        Self {
            from: Some(player.to_owned()),
            ..self
        }
    }

    /// A notice in somebody else's words.
    ///
    /// # Errors
    /// `validation_failed`: the type must be 1 to 64 bytes without control characters, the
    /// subject 1 to 256 characters, the content an object of at most 16 KB.
    pub fn checked(kind: &str, subject: &str, content: &Value) -> Outcome<Self> {
        let mut fields = Fields::default();
        fields.check("type", check_kind(kind));
        fields.check("subject", check_subject(subject));
        let content = Document::object(content, MAX_CONTENT_BYTES);
        let content = fields.take("content", content.map(Some));
        fields.finish()?;
        Ok(Self {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            content: content.expect("a form that passed has its fields"),
            from: None,
        })
    }
}

fn check_kind(kind: &str) -> Result<(), &'static str> {
    match text::is_key(kind, MAX_TYPE_BYTES) {
        true => Ok(()),
        false => Err("must be 1 to 64 bytes without control characters"),
    }
}

fn check_subject(subject: &str) -> Result<(), &'static str> {
    let fits = (1..=MAX_SUBJECT_CHARS).contains(&subject.chars().count());
    match fits && text::is_prose(subject) {
        true => Ok(()),
        false => Err("must be 1 to 256 characters of text"),
    }
}

impl From<entities::Model> for Notification {
    fn from(row: entities::Model) -> Self {
        Self {
            id: row.id,
            player_id: row.player_id.into(),
            kind: row.kind.into(),
            subject: row.subject.into(),
            content: row.content.into_raw().into(),
            read: row.read,
            sent_at: iso(row.sent_at).into(),
        }
    }
}

impl Notifications {
    /// The notifications of a database.
    pub fn new(config: &NotificationsConfig, db: Db, bus: Bus) -> Self {
        Self {
            db,
            bus,
            most: config.max_per_player.max(1),
        }
    }

    /// Tells several players the same, all or none. Whom it told, each once and in the order
    /// given: who is no player is left out.
    ///
    /// # Errors
    /// `validation_failed`, as [`Notice::checked`] and for more than 10,000 recipients.
    pub async fn send(
        &self,
        to: &[PlayerId],
        kind: &str,
        subject: &str,
        content: Value,
    ) -> Outcome<Vec<PlayerId>> {
        let mut fields = Fields::default();
        fields.check("to", check_recipients(to));
        fields.finish()?;
        let notice = Notice::checked(kind, subject, &content)?;
        let tx = self.db.write().await.map_err(database)?;
        let added = store::add_to(&tx, to, &notice, IfBusy::Wait).await;
        let added = added.map_err(database)?;
        tx.commit().await.map_err(database)?;
        let mut told: HashSet<PlayerId> = added.iter().map(|new| new.player_id.clone()).collect();
        self.push(added).await;
        let told = to.iter().filter(|player| told.remove(*player));
        Ok(told.cloned().collect())
    }

    /// Hands committed notifications to those who are connected, and cuts lists that are too long.
    /// Cannot fail: a list that could not be cut is cut at the next notification.
    pub async fn push(&self, added: Vec<Notification>) {
        for new in &added {
            self.bus
                .event(&new.player_id, frame("notification.new", None, new));
        }
        let players: Vec<&str> = added.iter().map(|new| new.player_id.as_str()).collect();
        if let Err(error) = store::cut(&self.db, &players, self.most).await {
            tracing::warn!(%error, "cannot cut a list of notifications");
        }
    }

    /// A player's notifications, newest first.
    pub async fn list(&self, player: &PlayerId, filter: &Filter) -> Outcome<Vec<Notification>> {
        let rows = store::list(self.db.read(), player, filter)
            .await
            .map_err(database)?;
        Ok(rows.into_iter().map(Notification::from).collect())
    }

    /// Marks a notification as read.
    ///
    /// # Errors
    /// `notification.not_found`, `forbidden` (another player's).
    pub async fn mark_read(&self, player: &PlayerId, id: &str) -> Outcome<Notification> {
        let tx = self.db.write().await.map_err(database)?;
        let row = own(&tx, player, id).await?;
        store::mark_read(&tx, &row.id).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok(entities::Model { read: true, ..row }.into())
    }

    /// Marks all of a player's notifications as read.
    pub async fn mark_all_read(&self, player: &PlayerId) -> Outcome<()> {
        let tx = self.db.write().await.map_err(database)?;
        store::mark_all_read(&tx, player).await.map_err(database)?;
        tx.commit().await.map_err(database)
    }

    /// Removes a notification.
    ///
    /// # Errors
    /// `notification.not_found`, `forbidden` (another player's).
    pub async fn delete(&self, player: &PlayerId, id: &str) -> Outcome<()> {
        let tx = self.db.write().await.map_err(database)?;
        let row = own(&tx, player, id).await?;
        store::delete(&tx, &row.id).await.map_err(database)?;
        tx.commit().await.map_err(database)
    }
}

/// A notification of this player's, nobody else's to change until the transaction ends.
async fn own(tx: &DatabaseTransaction, player: &PlayerId, id: &str) -> Outcome<entities::Model> {
    if !text::is_id(id) {
        return Err(Code::NotificationNotFound.into());
    }
    let row = store::lock(tx, id).await.map_err(database)?;
    let row = row.ok_or(Code::NotificationNotFound)?;
    match row.player_id == player.as_str() {
        true => Ok(row),
        false => Err(Code::Forbidden.into()),
    }
}

fn check_recipients(to: &[PlayerId]) -> Result<(), &'static str> {
    match to.len() > MAX_RECIPIENTS {
        true => Err("may be 10000 players at most"),
        false => Ok(()),
    }
}
