//! `GET /api/v1/matches/{id}/votes` and `GET /api/v1/votes/{id}`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::openapi::Failures;
use crate::edge::params::Path;

use super::Votes;

/// The domain's routes, below `/api/v1`.
pub fn routes(votes: Votes) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(of_match))
        .routes(routes!(one))
        .with_state(votes)
}

/// The votes of a match one was in, newest first.
#[utoipa::path(
    get,
    path = "/matches/{id}/votes",
    tag = "votes",
    params(("id" = String, Path)),
    responses((status = 200, body = Value), Failures)
)]
async fn of_match(
    State(votes): State<Votes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let votes = votes.of_match(&caller.player, &id).await?;
    Ok(Json(json!({ "votes": votes })))
}

/// One vote.
#[utoipa::path(
    get,
    path = "/votes/{id}",
    tag = "votes",
    params(("id" = String, Path)),
    responses((status = 200, body = Value), Failures)
)]
async fn one(
    State(votes): State<Votes>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(votes.find(&id).await?))
}
