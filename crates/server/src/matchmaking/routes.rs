//! `POST /api/v1/matchmaker` and `GET`/`DELETE /api/v1/matchmaker/{ticket_id}`.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::json::Body;

use super::frames::Add;
use super::{Matchmaking, Queued};

/// The domain's routes, below `/api/v1`.
pub fn routes(matchmaking: Matchmaking) -> Router {
    Router::new()
        .route("/matchmaker", post(add))
        .route("/matchmaker/{ticket_id}", get(status).delete(remove))
        .with_state(matchmaking)
}

async fn add(
    State(matchmaking): State<Matchmaking>,
    caller: Caller,
    Body(ticket): Body<Add>,
) -> Result<Json<Queued>, Failure> {
    Ok(Json(matchmaking.add(
        &caller.player,
        &ticket.mode,
        ticket.properties,
    )?))
}

async fn status(
    State(matchmaking): State<Matchmaking>,
    caller: Caller,
    Path(ticket): Path<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(matchmaking.status(&caller.player, &ticket)?))
}

async fn remove(
    State(matchmaking): State<Matchmaking>,
    caller: Caller,
    Path(ticket): Path<String>,
) -> Result<Json<Value>, Failure> {
    matchmaking.remove(&caller.player, &ticket)?;
    Ok(Json(json!({ "success": true })))
}
