//! Which domain a frame goes to.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Envelope};

use crate::app::Services;
use crate::session::SessionId;
use crate::{chat, matches, matchmaking, parties, presence, rpc, votes};

use super::error::Outcome;
use super::reply::Reply;

/// Carries out a frame of a signed-in player and answers it.
///
/// Frames of the hot path (`session.heartbeat`, `match.input`) do not come here: the socket
/// handles them without a future of their own.
pub async fn dispatch(
    services: &Services,
    player: &PlayerId,
    session: SessionId,
    frame: &Envelope<'_>,
) -> Outcome<Reply> {
    match frame.kind.as_ref() {
        "match.join" => matches::frames::join(&services.matches, player, frame).await,
        "match.leave" => Ok(matches::frames::leave(&services.matches, player)),
        "matchmaker.add" => matchmaking::frames::add(&services.matchmaking, player, frame),
        "matchmaker.remove" => matchmaking::frames::remove(&services.matchmaking, player, frame),
        "vote.cast" => votes::frames::cast(&services.votes, player, frame).await,
        "vote.veto" => votes::frames::veto(&services.votes, player, frame).await,
        "chat.join" => chat::frames::join(&services.chat, player, session, frame).await,
        "chat.leave" => chat::frames::leave(&services.chat, session, frame),
        "chat.send" => chat::frames::send(&services.chat, player, session, frame).await,
        "dm.send" => chat::frames::send_direct(&services.chat, player, frame).await,
        "presence.update" => presence::frames::update(&services.presence, player, session, frame),
        "rpc.call" => Ok(rpc::frames::call(&services.methods, player, frame).await),
        kind if kind.starts_with("party.") => {
            parties::frames::dispatch(&services.parties, player, frame).await
        }
        _ => Err(ApiError::from_reason("unknown_type")),
    }
}
