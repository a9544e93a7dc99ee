//! Files for browsers: the game's own client at `/`, and the JavaScript SDK at `/sdk`.

use std::path::Path;

use axum::Router;
use axum::extract::{Path as UrlPath, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, get_service};
use percent_encoding::percent_decode_str;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeader;

/// The SDK travels in the binary, so that a game's client can import `/sdk/index.js` wherever
/// the server runs.
#[derive(rust_embed::Embed)]
#[folder = "../../sdk/js"]
#[include = "*.js"]
#[exclude = "test/*"]
#[exclude = "node_modules/*"]
struct Sdk;

/// Longest name of a file, and longest path as a request has it.
const MAX_NAME_BYTES: usize = 255;
const MAX_PATH_BYTES: usize = 2_048;

/// What stands at `/` when the game has no client.
const NO_CLIENT: &str = "<!doctype html><title>Asobi</title><h1>Asobi is running</h1>\
    <p>This game has no browser client. REST is at <code>/api/v1</code>, the socket at \
    <code>/ws</code>, the JavaScript SDK at <code>/sdk/index.js</code>. Put a page into the \
    game's <code>client/</code> folder and it appears here.</p>";

/// `/sdk/*`.
pub fn sdk() -> Router {
    Router::new().route("/sdk/{*path}", get(sdk_file))
}

async fn sdk_file(UrlPath(path): UrlPath<String>) -> Response {
    match Sdk::get(&path) {
        Some(file) => {
            let headers = [
                (header::CONTENT_TYPE, "text/javascript"),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, file.data).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A path too long to be a file's: the file system answers that with an error, and nobody's fault
/// it is but the client's.
async fn name_a_file(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let too_long = |part: &str| percent_decode_str(part).count() > MAX_NAME_BYTES;
    if path.len() > MAX_PATH_BYTES || path.split('/').any(too_long) {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

/// The game's client folder, or a page that says there is none.
pub fn client(folder: Option<&Path>) -> MethodRouter {
    match folder {
        Some(folder) => {
            // Revalidated each time: a developer who saves a file sees it at the next reload.
            let fresh = HeaderValue::from_static("no-cache");
            get_service(SetResponseHeader::if_not_present(
                ServeDir::new(folder),
                header::CACHE_CONTROL,
                fresh,
            ))
            .layer(middleware::from_fn(name_a_file))
        }
        None => get(|uri: axum::http::Uri| async move {
            match uri.path() {
                "/" => Html(NO_CLIENT).into_response(),
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        }),
    }
}
