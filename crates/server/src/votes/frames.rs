//! `vote.cast` and `vote.veto`.

use asobi_game::PlayerId;
use asobi_game::votes::request;
use asobi_wire::{ApiError, Envelope};
use serde::Deserialize;
use serde_json::Value;

use crate::edge::error::Outcome;
use crate::edge::reply::Reply;

use super::Votes;

#[derive(Deserialize)]
struct Cast {
    vote_id: String,
    /// One id or a list of them.
    option_id: Value,
    /// Where the vote is held, from a spectator who is in no match.
    #[serde(default)]
    match_id: Option<String>,
}

#[derive(Deserialize)]
struct Veto {
    vote_id: String,
}

/// Casts or changes the player's ballot.
pub async fn cast(votes: &Votes, player: &PlayerId, frame: &Envelope<'_>) -> Outcome<Reply> {
    let cast: Cast = frame.read()?;
    let ids = request::ids(&cast.option_id);
    let ids = ids.ok_or_else(|| ApiError::from_reason("invalid_option"))?;
    let match_id = cast.match_id.as_deref();
    votes.cast(player, match_id, cast.vote_id, ids).await?;
    Ok(Reply::success("vote.cast_ok"))
}

/// Spends one of the player's veto tokens.
pub async fn veto(votes: &Votes, player: &PlayerId, frame: &Envelope<'_>) -> Outcome<Reply> {
    let veto: Veto = frame.read()?;
    votes.veto(player, veto.vote_id).await?;
    Ok(Reply::success("vote.veto_ok"))
}
