//! `GET /api/v1/parties/me`.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::openapi::Failures;

use super::{Own, Parties};

/// The domain's routes, below `/api/v1`.
pub fn routes(parties: Parties) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(own))
        .with_state(parties)
}

/// The caller's party and invitations.
#[utoipa::path(
    get,
    path = "/parties/me",
    tag = "parties",
    responses((status = 200, body = Own), Failures)
)]
async fn own(State(parties): State<Parties>, caller: Caller) -> Result<Json<Own>, Failure> {
    Ok(Json(parties.own(&caller.player)))
}
