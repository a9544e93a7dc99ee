//! `GET /api/v1/matches`, `/matches/live` and `/matches/{id}`.

use asobi_game::matches::{MatchInfo, Status};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::openapi::Failures;
use crate::edge::params::{Path, Query};

use super::Matches;
use super::store::RecordFilter;

/// The domain's routes, below `/api/v1`.
pub fn routes(matches: Matches) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(finished))
        .routes(routes!(live))
        .routes(routes!(one))
        .with_state(matches)
}

/// Finished matches, newest first.
#[utoipa::path(
    get,
    path = "/matches",
    tag = "matches",
    params(RecordFilter),
    responses((status = 200, body = Value), Failures)
)]
async fn finished(
    State(matches): State<Matches>,
    _caller: Caller,
    Query(filter): Query<RecordFilter>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "matches": matches.records(&filter).await? })))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LiveFilter {
    mode: Option<String>,
    has_capacity: Option<String>,
    joinable: Option<String>,
}

impl LiveFilter {
    fn shows(&self, info: &MatchInfo) -> bool {
        let has_room = info.player_count < info.max_players as usize;
        info.listed
            && info.status != Status::Finished
            && self.mode.as_ref().is_none_or(|mode| *mode == info.mode)
            && (self.has_capacity.as_deref() != Some("true") || has_room)
            && self
                .joinable
                .as_ref()
                .is_none_or(|text| *text == info.joinable.to_string())
    }
}

/// Matches that run now and are listed.
#[utoipa::path(
    get,
    path = "/matches/live",
    tag = "matches",
    params(LiveFilter),
    responses((status = 200, body = Value), Failures)
)]
async fn live(
    State(matches): State<Matches>,
    _caller: Caller,
    Query(filter): Query<LiveFilter>,
) -> Json<Value> {
    let live = matches.live().await;
    let shown: Vec<Value> = live
        .iter()
        .filter(|info| filter.shows(info))
        .map(listing)
        .collect();
    Json(json!({ "matches": shown }))
}

/// What somebody who is not in a match learns about it: the roster is not theirs to see.
fn listing(info: &MatchInfo) -> Value {
    json!({
        "match_id": info.match_id, "mode": info.mode, "status": info.status,
        "player_count": info.player_count, "max_players": info.max_players,
        "joinable": info.joinable,
    })
}

/// One finished match.
#[utoipa::path(
    get,
    path = "/matches/{id}",
    tag = "matches",
    params(("id" = String, Path)),
    responses((status = 200, body = Value), Failures)
)]
async fn one(
    State(matches): State<Matches>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(matches.record(&id).await?))
}
