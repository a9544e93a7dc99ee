//! The REST routes of accounts: `/api/v1/auth/...`.

use asobi_wire::Code;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::middleware::from_fn_with_state;
use axum::response::Json;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Accounts, Linked, NewPlayer, SignedIn, gate};
use crate::edge::caller::{Caller, bearer};
use crate::edge::error::Failure;
use crate::edge::json::{self, Body};
use crate::edge::openapi::{Failures, Success};
use crate::edge::params::Query;

type Answer<T> = Result<Json<T>, Failure>;

/// The routes, below `/api/v1`.
pub fn routes(accounts: Accounts) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(guest))
        .routes(routes!(oauth))
        // Only those before it: the routes that make players.
        .route_layer(from_fn_with_state(accounts.clone(), gate::check))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(upgrade))
        .routes(routes!(link))
        .routes(routes!(unlink))
        .with_state(accounts)
}

/// Creates an account and signs in.
#[utoipa::path(
    post,
    path = "/auth/register",
    tag = "auth",
    security(()),
    request_body = NewPlayer,
    responses((status = 200, body = SignedIn), Failures)
)]
async fn register(
    State(accounts): State<Accounts>,
    Body(new): Body<NewPlayer>,
) -> Answer<SignedIn> {
    Ok(Json(accounts.register(new).await?))
}

#[derive(Deserialize, ToSchema)]
struct Credentials {
    username: String,
    password: String,
}

/// Signs in by name and password.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "auth",
    security(()),
    request_body = Credentials,
    responses((status = 200, body = SignedIn), Failures)
)]
async fn login(
    State(accounts): State<Accounts>,
    Body(body): Body<Credentials>,
) -> Answer<SignedIn> {
    let signed_in = accounts.login(&body.username, &body.password).await?;
    Ok(Json(signed_in))
}

#[derive(Deserialize, ToSchema)]
struct Refresh {
    refresh_token: String,
}

/// Exchanges a refresh token for a new pair, once.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    tag = "auth",
    security(()),
    request_body = Refresh,
    responses((status = 200, body = SignedIn), Failures)
)]
async fn refresh(State(accounts): State<Accounts>, Body(body): Body<Refresh>) -> Answer<SignedIn> {
    Ok(Json(accounts.refresh(&body.refresh_token).await?))
}

/// Ends the sessions of the tokens that come along.
///
/// Answers alike whatever was sent: a client that signs out is done either way, and nobody
/// learns which token was good.
#[utoipa::path(
    post,
    path = "/auth/logout",
    tag = "auth",
    security(()),
    request_body = Option<Refresh>,
    responses((status = 200, body = Success), Failures)
)]
async fn logout(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Success> {
    let body = body.unwrap_or_default();
    let body = json::value(&body);
    let refresh_token = body["refresh_token"].as_str();
    accounts.logout(refresh_token, bearer(&headers)).await?;
    Ok(Success::json())
}

#[derive(Deserialize, ToSchema)]
struct DeviceCredentials {
    device_id: String,
    device_secret: String,
}

/// Signs a device in: the guest it has been before, or a new one.
#[utoipa::path(
    post,
    path = "/auth/guest",
    tag = "auth",
    security(()),
    request_body = DeviceCredentials,
    responses((status = 200, body = SignedIn), Failures)
)]
async fn guest(
    State(accounts): State<Accounts>,
    Body(body): Body<DeviceCredentials>,
) -> Answer<SignedIn> {
    let signed_in = accounts.guest(&body.device_id, &body.device_secret).await?;
    Ok(Json(signed_in))
}

/// Gives a guest a name and a password.
#[utoipa::path(
    post,
    path = "/auth/guest/upgrade",
    tag = "auth",
    request_body = Credentials,
    responses((status = 200, body = SignedIn), Failures)
)]
async fn upgrade(
    State(accounts): State<Accounts>,
    caller: Caller,
    Body(body): Body<Credentials>,
) -> Answer<SignedIn> {
    let player = caller.player.as_str();
    let signed_in = accounts
        .upgrade(player, &body.username, &body.password)
        .await?;
    Ok(Json(signed_in))
}

#[derive(Deserialize, ToSchema)]
struct ProviderToken {
    /// `google`, `apple`, `microsoft`, `discord`, `steam`: any that is configured.
    provider: String,
    /// What the platform gave the client: an ID token, or a Steam ticket in hex.
    token: String,
}

/// Signs in whom a provider vouches for, and creates an account at the first time.
#[utoipa::path(
    post,
    path = "/auth/oauth",
    tag = "auth",
    security(()),
    request_body = ProviderToken,
    responses((status = 200, body = SignedIn), Failures)
)]
async fn oauth(
    State(accounts): State<Accounts>,
    Body(body): Body<ProviderToken>,
) -> Answer<SignedIn> {
    let signed_in = accounts.oauth(&body.provider, &body.token).await?;
    Ok(Json(signed_in))
}

/// Lets the player sign in through one more provider.
#[utoipa::path(
    post,
    path = "/auth/link",
    tag = "auth",
    request_body = ProviderToken,
    responses((status = 200, body = Linked), Failures)
)]
async fn link(
    State(accounts): State<Accounts>,
    caller: Caller,
    Body(body): Body<ProviderToken>,
) -> Answer<Linked> {
    let player = caller.player.as_str();
    let linked = accounts.link(player, &body.provider, &body.token).await?;
    Ok(Json(linked))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Unlink {
    /// The provider to take off.
    provider: Option<String>,
}

/// Takes a provider off the player's account.
///
/// The provider is in the query; the original's JavaScript SDK puts it into the body, so that is
/// read as well.
#[utoipa::path(
    delete,
    path = "/auth/unlink",
    tag = "auth",
    params(Unlink),
    responses((status = 200, body = Success), Failures)
)]
async fn unlink(
    State(accounts): State<Accounts>,
    caller: Caller,
    Query(query): Query<Unlink>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Success> {
    let body = json::value(&body.unwrap_or_default());
    let provider = query
        .provider
        .as_deref()
        .or_else(|| body["provider"].as_str())
        .filter(|provider| !provider.is_empty())
        .ok_or(Code::MissingField)?;
    accounts.unlink(caller.player.as_str(), provider).await?;
    Ok(Success::json())
}
