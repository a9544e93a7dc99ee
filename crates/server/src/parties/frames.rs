//! `party.create`, `invite`, `accept`, `decline`, `leave`, `kick`, `promote`, `queue`, `cancel`.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Envelope};
use serde::Deserialize;
use serde_json::Value;

use crate::edge::error::Outcome;
use crate::edge::reply::Reply;

use super::Parties;

/// A frame about a party one is asked into.
#[derive(Deserialize)]
struct ThatParty {
    party_id: String,
}

/// A frame about another player.
#[derive(Deserialize)]
struct ThatPlayer {
    player_id: String,
}

#[derive(Deserialize)]
struct Queue {
    mode: String,
    #[serde(default)]
    properties: Option<Value>,
}

/// Carries out a `party.*` frame.
pub async fn dispatch(
    parties: &Parties,
    player: &PlayerId,
    frame: &Envelope<'_>,
) -> Outcome<Reply> {
    match frame.kind.as_ref() {
        "party.create" => Ok(Reply::new("party.created", &parties.create(player)?)),
        "party.invite" => {
            let ThatPlayer { player_id } = frame.read()?;
            let party = parties.invite(player, &player_id).await?;
            Ok(Reply::new("party.updated", &party))
        }
        "party.accept" => {
            let ThatParty { party_id } = frame.read()?;
            let party = parties.accept(player, &party_id)?;
            Ok(Reply::new("party.joined", &party))
        }
        "party.decline" => {
            let ThatParty { party_id } = frame.read()?;
            parties.decline(player, &party_id)?;
            Ok(Reply::success("party.declined"))
        }
        "party.leave" => {
            parties.leave(player)?;
            Ok(Reply::success("party.left"))
        }
        "party.kick" => {
            let ThatPlayer { player_id } = frame.read()?;
            let party = parties.kick(player, &player_id)?;
            Ok(Reply::new("party.updated", &party))
        }
        "party.promote" => {
            let ThatPlayer { player_id } = frame.read()?;
            let party = parties.promote(player, &player_id)?;
            Ok(Reply::new("party.updated", &party))
        }
        "party.queue" => {
            let Queue { mode, properties } = frame.read()?;
            let properties = properties.unwrap_or_else(|| Value::Object(Default::default()));
            let queued = parties.queue(player, &mode, properties)?;
            Ok(Reply::new("party.queued", &queued))
        }
        "party.cancel" => Ok(Reply::new("party.cancelled", &parties.cancel(player)?)),
        _ => Err(ApiError::from_reason("unknown_type")),
    }
}
