//! `vote.cast`.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Envelope};
use serde::Deserialize;
use serde_json::Value;

use crate::edge::error::Outcome;
use crate::edge::reply::Reply;

use super::Votes;

#[derive(Deserialize)]
struct Cast {
    vote_id: String,
    option_id: Value,
}

/// Casts or changes the player's ballot.
pub async fn cast(votes: &Votes, player: &PlayerId, frame: &Envelope<'_>) -> Outcome<Reply> {
    let cast: Cast = frame.read()?;
    let Value::String(option) = cast.option_id else {
        return Err(ApiError::from_reason("invalid_option"));
    };
    votes.cast(player, cast.vote_id, option).await?;
    Ok(Reply::success("vote.cast_ok"))
}
