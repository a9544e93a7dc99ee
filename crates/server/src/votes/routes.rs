//! `GET /api/v1/matches/{id}/votes` and `GET /api/v1/votes/{id}`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::openapi::Failures;
use crate::edge::params::Path;

use super::{ShownVote, Votes};

/// The votes of a match.
#[derive(Serialize, ToSchema)]
struct VotesOfMatch {
    /// Newest first, those in progress before them; 50 at most.
    votes: Vec<ShownVote>,
}

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
    responses((status = 200, body = VotesOfMatch), Failures)
)]
async fn of_match(
    State(votes): State<Votes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<VotesOfMatch>, Failure> {
    let votes = votes.of_match(&caller.player, &id).await?;
    Ok(Json(VotesOfMatch { votes }))
}

/// One vote.
#[utoipa::path(
    get,
    path = "/votes/{id}",
    tag = "votes",
    params(("id" = String, Path)),
    responses((status = 200, body = ShownVote), Failures)
)]
async fn one(
    State(votes): State<Votes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ShownVote>, Failure> {
    Ok(Json(votes.find(&caller.player, &id).await?))
}
