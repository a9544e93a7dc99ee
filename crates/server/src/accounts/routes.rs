//! The REST routes of accounts: `/api/v1/auth/...`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Json;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Accounts, NewPlayer, SignedIn};
use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::json::Body;

type Answer<T> = Result<Json<T>, Failure>;

/// The routes, below `/api/v1`.
pub fn routes(accounts: Accounts) -> Router {
    Router::new()
        .route("/auth/register", post(register))
        .route("/auth/login", post(login))
        .route("/auth/refresh", post(refresh))
        .route("/auth/logout", post(logout))
        .route("/auth/guest", post(guest))
        .route("/auth/guest/upgrade", post(upgrade))
        .with_state(accounts)
}

async fn register(
    State(accounts): State<Accounts>,
    Body(new): Body<NewPlayer>,
) -> Answer<SignedIn> {
    Ok(Json(accounts.register(new).await?))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

async fn login(
    State(accounts): State<Accounts>,
    Body(body): Body<Credentials>,
) -> Answer<SignedIn> {
    let signed_in = accounts.login(&body.username, &body.password).await?;
    Ok(Json(signed_in))
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

async fn refresh(State(accounts): State<Accounts>, Body(body): Body<Refresh>) -> Answer<SignedIn> {
    Ok(Json(accounts.refresh(&body.refresh_token).await?))
}

/// Answers alike whatever was sent: a client that signs out is done either way, and nobody
/// learns which token was good.
async fn logout(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Value> {
    let body = body.unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let refresh_token = body["refresh_token"].as_str();
    accounts.logout(refresh_token, bearer(&headers)).await?;
    Ok(Json(json!({"success": true})))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

#[derive(Deserialize)]
struct DeviceCredentials {
    device_id: String,
    device_secret: String,
}

async fn guest(
    State(accounts): State<Accounts>,
    Body(body): Body<DeviceCredentials>,
) -> Answer<SignedIn> {
    let signed_in = accounts.guest(&body.device_id, &body.device_secret).await?;
    Ok(Json(signed_in))
}

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
