//! `matchmaker.add` and `matchmaker.remove`.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code, Envelope};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::edge::error::Outcome;
use crate::edge::reply::Reply;

use super::Matchmaking;

/// The mode a client means that names none.
pub(super) fn default_mode() -> String {
    "default".into()
}

/// The properties of a ticket without any.
pub(super) fn no_properties() -> Value {
    Value::Object(serde_json::Map::new())
}

/// A ticket as a client submits it, over the socket or REST.
#[derive(Deserialize, ToSchema)]
pub(super) struct Add {
    #[serde(default = "default_mode")]
    pub(super) mode: String,
    #[serde(default = "no_properties")]
    pub(super) properties: Value,
}

/// Submits a ticket.
pub fn add(matchmaking: &Matchmaking, player: &PlayerId, frame: &Envelope<'_>) -> Outcome<Reply> {
    let add: Add = frame.read()?;
    let queued = matchmaking.add(player, &add.mode, add.properties);
    Ok(Reply::new(
        "matchmaker.queued",
        &queued.map_err(|error| error.about("matchmaker.add"))?,
    ))
}

#[derive(Deserialize)]
struct Remove {
    ticket_id: String,
}

/// Cancels a ticket.
pub fn remove(
    matchmaking: &Matchmaking,
    player: &PlayerId,
    frame: &Envelope<'_>,
) -> Outcome<Reply> {
    let remove: Remove = frame.read()?;
    let removed = matchmaking.remove(player, &remove.ticket_id);
    removed.map_err(|error| match error.code {
        // The socket's older dialect has no code for this one.
        Code::MatchmakerTicketNotFound => ApiError::from_reason("not_found"),
        _ => error,
    })?;
    Ok(Reply::success("matchmaker.removed"))
}
