//! `GET /api/v1/matches`, `/matches/live` and `/matches/{id}`.

use asobi_game::matches::{MatchInfo, Status};
use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::edge::caller::Caller;
use crate::edge::error::Failure;

use super::Matches;
use super::store::RecordFilter;

/// The domain's routes, below `/api/v1`.
pub fn routes(matches: Matches) -> Router {
    Router::new()
        .route("/matches", get(finished))
        .route("/matches/live", get(live))
        .route("/matches/{id}", get(one))
        .with_state(matches)
}

async fn finished(
    State(matches): State<Matches>,
    _caller: Caller,
    Query(filter): Query<RecordFilter>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "matches": matches.records(&filter).await? })))
}

#[derive(Deserialize)]
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

async fn one(
    State(matches): State<Matches>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(matches.record(&id).await?))
}
