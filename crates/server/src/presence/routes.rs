//! `GET /api/v1/presence`.

use asobi_wire::{ApiError, Code};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::iso;
use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::openapi::Failures;
use crate::edge::params::Query;

use super::{Presence, Seen, shown};

/// The domain's routes, below `/api/v1`.
pub fn routes(presence: Presence) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(of))
        .with_state(presence)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Up to 100 player ids with commas between them.
    #[param(value_type = String)]
    ids: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct PresenceOf {
    player_id: String,
    /// What the player says, `online`, or `offline`.
    status: String,
    /// When the player last came or went, ISO 8601.
    last_seen_at: Option<String>,
}

impl From<Seen> for PresenceOf {
    fn from(seen: Seen) -> Self {
        Self {
            status: shown(seen.status.as_ref()).to_owned(),
            last_seen_at: seen.last_seen_at.map(iso),
            player_id: seen.player,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct PresenceList {
    presence: Vec<PresenceOf>,
}

/// How friends are, and the caller. Who is neither is left out.
#[utoipa::path(
    get,
    path = "/presence",
    tag = "presence",
    params(Asked),
    responses((status = 200, body = PresenceList), Failures)
)]
async fn of(
    State(presence): State<Presence>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<PresenceList>, Failure> {
    let missing = || ApiError::from(Code::MissingField).with("field", "ids");
    let ids = asked.ids.ok_or_else(missing)?;
    let seen = presence.of(&caller.player, &ids).await?;
    Ok(Json(PresenceList {
        presence: seen.into_iter().map(PresenceOf::from).collect(),
    }))
}
