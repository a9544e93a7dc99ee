//! `/api/v1/friends`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Social;
use super::friends::{Filter, Friendship};
use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::json::Body;
use crate::edge::openapi::{Failures, Success};
use crate::edge::params::{Path, Query};

type Answer<T> = Result<Json<T>, Failure>;

/// The routes, below `/api/v1`.
pub fn routes(social: Social) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, ask))
        .routes(routes!(answer, remove))
        .with_state(social)
}

#[derive(Serialize, ToSchema)]
struct FriendList {
    friends: Vec<Friendship>,
}

/// The caller's friends, requests either way, and blocks; newest first.
#[utoipa::path(
    get,
    path = "/friends",
    tag = "social",
    params(Filter),
    responses((status = 200, body = FriendList), Failures)
)]
async fn list(
    State(social): State<Social>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Answer<FriendList> {
    let friends = social.friends(&caller.player, &filter).await?;
    Ok(Json(FriendList { friends }))
}

#[derive(Deserialize, ToSchema)]
struct FriendRequest {
    /// The player to be friends with.
    friend_id: String,
}

/// Asks a player to be friends; accepts if that player has asked already.
#[utoipa::path(
    post,
    path = "/friends",
    tag = "social",
    request_body = FriendRequest,
    responses((status = 200, body = Friendship), Failures)
)]
async fn ask(
    State(social): State<Social>,
    caller: Caller,
    Body(body): Body<FriendRequest>,
) -> Answer<Friendship> {
    let row = social.ask(&caller.player, &body.friend_id).await?;
    Ok(Json(row))
}

#[derive(Deserialize, ToSchema)]
struct FriendAnswer {
    /// `accepted`, `rejected` or `blocked`.
    status: String,
}

/// Accepts or rejects a player's request, or blocks the player.
#[utoipa::path(
    put,
    path = "/friends/{friend_id}",
    tag = "social",
    params(("friend_id" = String, Path)),
    request_body = FriendAnswer,
    responses((status = 200, body = Friendship), Failures)
)]
async fn answer(
    State(social): State<Social>,
    caller: Caller,
    Path(friend): Path<String>,
    Body(body): Body<FriendAnswer>,
) -> Answer<Friendship> {
    let row = social.answer(&caller.player, &friend, &body.status).await?;
    Ok(Json(row))
}

/// Ends a friendship, a request of one's own or a block of one's own.
#[utoipa::path(
    delete,
    path = "/friends/{friend_id}",
    tag = "social",
    params(("friend_id" = String, Path)),
    responses((status = 200, body = Success), Failures)
)]
async fn remove(
    State(social): State<Social>,
    caller: Caller,
    Path(friend): Path<String>,
) -> Answer<Success> {
    social.unfriend(&caller.player, &friend).await?;
    Ok(Success::json())
}
