//! `/api/v1/players/...`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use asobi_wire::Code;

use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::json::Body;
use crate::edge::openapi::Failures;
use crate::edge::params::Path;

use super::{Players, Profile};

/// Whoever asks.
const ME: &str = "me";

type Answer<T> = Result<Json<T>, Failure>;

/// The domain's routes, below `/api/v1`.
pub fn routes(players: Players) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show, update))
        .routes(routes!(erase))
        .with_state(players)
}

/// A player. `me` is whoever asks.
#[utoipa::path(
    get,
    path = "/players/{id}",
    tag = "players",
    params(("id" = String, Path)),
    responses((status = 200, body = Profile), Failures)
)]
async fn show(
    State(players): State<Players>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Profile> {
    let id = match id.as_str() {
        ME => caller.player.as_str(),
        id => id,
    };
    Ok(Json(players.profile(id).await?))
}

/// What a profile changes to. What is left out stays.
#[derive(ToSchema)]
#[allow(dead_code)]
struct ProfileChange {
    /// 1 to 64 characters.
    display_name: Option<String>,
    /// An `https` URL of up to 2048 bytes; null for none.
    avatar_url: Option<String>,
    /// Up to 16 KiB of JSON. Replaces what was there.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// Changes one's own profile.
#[utoipa::path(
    put,
    path = "/players/{id}",
    tag = "players",
    params(("id" = String, Path)),
    request_body = ProfileChange,
    responses((status = 200, body = Profile), Failures)
)]
async fn update(
    State(players): State<Players>,
    caller: Caller,
    Path(id): Path<String>,
    Body(fields): Body<Map<String, Value>>,
) -> Answer<Profile> {
    if id != ME && id != caller.player.as_str() {
        return Err(Code::Forbidden.into());
    }
    Ok(Json(players.update(&caller.player, &fields).await?))
}

#[derive(Deserialize, ToSchema)]
struct Confirmation {
    /// The account's password, if it has one. Anything but text counts as none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Value,
}

/// `{"deleted": true}`.
#[derive(Serialize, ToSchema)]
struct Erased {
    deleted: bool,
}

/// Erases the account that asks, for good.
#[utoipa::path(
    post,
    path = "/players/me/erase",
    tag = "players",
    request_body = Option<Confirmation>,
    responses((status = 200, body = Erased), Failures)
)]
async fn erase(
    State(players): State<Players>,
    caller: Caller,
    Body(confirmation): Body<Confirmation>,
) -> Answer<Erased> {
    let password = confirmation.password.as_str();
    players.erase_self(&caller.player, password).await?;
    Ok(Json(Erased { deleted: true }))
}
