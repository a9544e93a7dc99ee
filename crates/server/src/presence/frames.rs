//! `presence.update`, and the push that follows.

use asobi_game::PlayerId;
use asobi_wire::Envelope;
use asobi_wire::envelope::frame;
use axum::extract::ws::Utf8Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::edge::error::Outcome;
use crate::edge::reply::Reply;
use crate::session::{SessionId, Status};

use super::{Presence, invalid_status, shown};

#[derive(Deserialize)]
struct Update {
    #[serde(default)]
    status: Value,
}

/// The payload of `presence.changed`.
#[derive(Serialize)]
pub(super) struct Changed<'a> {
    player_id: &'a PlayerId,
    status: &'a str,
    /// Unix milliseconds; of a player who has gone offline.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<i64>,
}

impl<'a> Changed<'a> {
    pub(super) fn new(player: &'a PlayerId, status: Option<&'a Status>, now: i64) -> Self {
        Self {
            player_id: player,
            status: shown(status),
            last_seen_at: status.is_none().then_some(now),
        }
    }

    pub(super) fn frame(&self) -> Utf8Bytes {
        frame("presence.changed", None, self).into()
    }
}

/// Sets the player's status; `online` without one.
pub fn update(
    presence: &Presence,
    player: &PlayerId,
    session: SessionId,
    asked: &Envelope<'_>,
) -> Outcome<Reply> {
    let update: Update = asked.read()?;
    let default = Status::default();
    let status = match &update.status {
        Value::Null => default.as_str(),
        Value::String(status) => status,
        _ => return Err(invalid_status()),
    };
    presence.update(player, session, status)?;
    Ok(Reply::new("presence.updated", &json!({ "status": status })))
}
