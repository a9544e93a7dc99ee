//! The OpenAPI document: what every route takes and answers, read from the routes themselves.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Response, ResponseBuilder, schema};
use utoipa::{IntoResponses, Modify, OpenApi as _, ToSchema};

/// The one error object.
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    error: ErrorObject,
}

#[derive(Serialize, ToSchema)]
struct ErrorObject {
    /// The contract: one of a closed set, such as `match.full`.
    code: String,
    /// One sentence for whoever reads a log.
    message: String,
    /// What the code says more about; `{}` when nothing.
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

/// What any route may answer but success.
pub struct Failures;

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let body = schema::Ref::from_schema_name("ErrorBody");
        let content = utoipa::openapi::ContentBuilder::new()
            .schema(Some(body))
            .build();
        let response = ResponseBuilder::new()
            .description("The request failed; `error.code` says how.")
            .content("application/json", content)
            .build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}

/// `{"success": true}`.
#[derive(Serialize, ToSchema)]
pub struct Success {
    success: bool,
}

impl Success {
    /// The answer that says nothing but that it worked.
    pub fn json() -> Json<Self> {
        Json(Self { success: true })
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Asobi", description = "The REST API of an Asobi server. Live play goes over the WebSocket at `/ws`."),
    servers((url = "/api/v1")),
    components(schemas(ErrorBody)),
    modifiers(&Bearer),
    security(("bearer" = [])),
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", scheme);
    }
}

/// Serves the document at `/openapi.json`.
pub(super) fn route(document: &OpenApi) -> Router {
    let text = document.to_json().expect("the document is plain data");
    let answer = (
        [(header::CONTENT_TYPE, "application/json")],
        Bytes::from(text),
    );
    Router::new().route("/openapi.json", get(|| async { answer }))
}

/// The document without its paths: routes add them.
pub(super) fn empty() -> OpenApi {
    Document::openapi()
}
