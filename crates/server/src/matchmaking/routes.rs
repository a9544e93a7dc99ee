//! `POST /api/v1/matchmaker`, `GET`/`DELETE /api/v1/matchmaker/{ticket_id}` and
//! `GET /api/v1/matchmaker/stats`.

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::json::Body;
use crate::edge::openapi::{Failures, Success};
use crate::edge::params::Path;

use super::frames::Add;
use super::{Matchmaking, Queued, Stats};

/// The domain's routes, below `/api/v1`.
pub fn routes(matchmaking: Matchmaking) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(add))
        .routes(routes!(stats))
        .routes(routes!(status, remove))
        .with_state(matchmaking)
}

/// Queues the caller.
#[utoipa::path(
    post,
    path = "/matchmaker",
    tag = "matchmaking",
    request_body = Add,
    responses((status = 200, body = Queued), Failures)
)]
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

/// How long the queue is, by mode.
#[utoipa::path(
    get,
    path = "/matchmaker/stats",
    tag = "matchmaking",
    responses((status = 200, body = Stats), Failures)
)]
async fn stats(
    State(matchmaking): State<Matchmaking>,
    _caller: Caller,
) -> Result<Json<Stats>, Failure> {
    Ok(Json(matchmaking.stats()))
}

/// How a ticket stands.
#[utoipa::path(
    get,
    path = "/matchmaker/{ticket_id}",
    tag = "matchmaking",
    params(("ticket_id" = String, Path)),
    responses((status = 200, body = Value), Failures)
)]
async fn status(
    State(matchmaking): State<Matchmaking>,
    caller: Caller,
    Path(ticket): Path<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(matchmaking.status(&caller.player, &ticket)?))
}

/// Takes a ticket back.
#[utoipa::path(
    delete,
    path = "/matchmaker/{ticket_id}",
    tag = "matchmaking",
    params(("ticket_id" = String, Path)),
    responses((status = 200, body = Success), Failures)
)]
async fn remove(
    State(matchmaking): State<Matchmaking>,
    caller: Caller,
    Path(ticket): Path<String>,
) -> Result<Json<Success>, Failure> {
    matchmaking.remove(&caller.player, &ticket)?;
    Ok(Success::json())
}
