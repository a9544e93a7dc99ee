//! `GET /api/v1/matches/{id}/votes` and `GET /api/v1/votes/{id}`.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::edge::caller::Caller;
use crate::edge::error::Failure;

use super::Votes;

/// The domain's routes, below `/api/v1`.
pub fn routes(votes: Votes) -> Router {
    Router::new()
        .route("/matches/{id}/votes", get(of_match))
        .route("/votes/{id}", get(one))
        .with_state(votes)
}

async fn of_match(
    State(votes): State<Votes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let votes = votes.of_match(&caller.player, &id).await?;
    Ok(Json(json!({ "votes": votes })))
}

async fn one(
    State(votes): State<Votes>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(votes.find(&id).await?))
}
