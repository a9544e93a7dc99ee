//! Every address the server answers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asobi_wire::Code;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::app::Services;
use crate::{
    accounts, chat, matches, matchmaking, notifications, parties, players, presence, rpc, social,
    storage, votes,
};

use super::error::Failure;
use super::socket::{OVERSIZE_FACTOR, READ_BUFFER_BYTES};
use super::{files, guard, openapi, socket, unread};

/// What a page of ours may load: itself, and sockets. A game's client is plain modules.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; \
    img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

/// How long a browser remembers what it may send.
const PREFLIGHT_LASTS: Duration = Duration::from_secs(600);

/// The whole server as one service. `client` is the game's browser client, if it has one.
pub fn router(services: Arc<Services>, client: Option<&Path>) -> Router {
    let cors = cors(&services.config.server.allowed_origins);
    let live = Router::new()
        .route("/ws", get(upgrade))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        // What is below is the API's own to answer; this is not below.
        .route("/api/v1/", any(|| async { Failure::from(Code::NotFound) }))
        .with_state(Arc::clone(&services));
    let router = live
        .nest("/api/v1", api(services))
        .merge(files::sdk())
        .fallback_service(files::client(client));
    security_headers(router).layer(cors)
}

/// What pages of other origins may do: call the REST API with a token of theirs. There are no
/// cookies, so an allowed origin gains nothing from a visitor.
fn cors(allowed: &[String]) -> CorsLayer {
    let origins = match allowed {
        [] => AllowOrigin::any(),
        some => AllowOrigin::list(some.iter().filter_map(|origin| origin.parse().ok())),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("x-client-gate-token"),
        ])
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_LASTS)
}

/// The REST API, and the document that describes it.
fn api(services: Arc<Services>) -> Router {
    let body_limit = DefaultBodyLimit::max(services.config.limits.body_bytes);
    let (routes, document) = OpenApiRouter::with_openapi(openapi::empty())
        .merge(accounts::routes::routes(services.accounts.clone()))
        .merge(matchmaking::routes::routes(services.matchmaking.clone()))
        .merge(matches::routes::routes(services.matches.clone()))
        .merge(parties::routes::routes(services.parties.clone()))
        .merge(votes::routes::routes(services.votes.clone()))
        .merge(social::friend_routes::routes(services.social.clone()))
        .merge(social::group_routes::routes(services.social.clone()))
        .merge(notifications::routes::routes(
            services.notifications.clone(),
        ))
        .merge(chat::routes::routes(services.chat.clone()))
        .merge(presence::routes::routes(services.presence.clone()))
        .merge(players::routes::routes(services.players.clone()))
        .merge(storage::routes::routes(services.storage.clone()))
        .merge(rpc::routes::routes(services.methods.clone()))
        .split_for_parts();
    routes
        .merge(openapi::route(&document))
        .fallback(|| async { Failure::from(Code::NotFound) })
        .method_not_allowed_fallback(|| async { Failure::from(Code::MethodNotAllowed) })
        .layer(body_limit)
        .layer(middleware::from_fn(to_the_end))
        .layer(middleware::from_fn_with_state(services, guard::guard))
        .layer(middleware::from_fn(unread::discard))
}

/// Ends what a request has begun, whether or not its client is still there. What follows a commit
/// (tokens are refused, members taken out of channels, others told) belongs to it; a client that
/// hangs up at the right moment would otherwise be erased and still signed in.
async fn to_the_end(request: Request, next: Next) -> Response {
    tokio::spawn(next.run(request))
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "a request failed");
            Failure::from(Code::Internal).into_response()
        })
}

fn security_headers(router: Router) -> Router {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        // Browsers heed it over HTTPS only, where a proxy serves us.
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    ];
    headers.into_iter().fold(
        router,
        |router, (name, value): (HeaderName, &'static str)| {
            let value = HeaderValue::from_static(value);
            router.layer(SetResponseHeaderLayer::if_not_present(name, value))
        },
    )
}

async fn upgrade(State(services): State<Arc<Services>>, request: Request) -> Response {
    let peer = guard::peer(&request, &services.config.server);
    let (mut parts, _) = request.into_parts();
    let refused = services
        .limits
        .check_connect(peer, &parts.headers, &services.config.server);
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    // Over the frame limit a client gets an error frame; far over it, the protocol's own close.
    let most = services
        .config
        .limits
        .ws_frame_bytes
        .saturating_mul(OVERSIZE_FACTOR);
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(most)
        .max_frame_size(most)
        .on_upgrade(move |socket| socket::run(socket, services, peer, refused))
}

/// The process is up.
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The process takes players: its database answers and it is not stopping.
async fn ready(State(services): State<Arc<Services>>) -> Response {
    if services.matches.is_draining() || !services.db.is_ready().await {
        return Failure::from(Code::NotReady).into_response();
    }
    (StatusCode::OK, Json(json!({ "status": "ready" }))).into_response()
}
