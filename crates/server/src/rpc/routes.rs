//! `POST /api/v1/rpc/{method}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Done, Methods, object};
use crate::edge::caller::Caller;
use crate::edge::error::{Failure, Outcome};
use crate::edge::json::Body;
use crate::edge::openapi::ErrorBody;
use crate::edge::params::Path;

/// The domain's routes, below `/api/v1`.
pub fn routes(methods: Methods) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(call))
        .with_state(methods)
}

#[derive(Deserialize, ToSchema)]
struct Params {
    /// What the method takes, an object; `{}` without it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    params: Option<Box<RawValue>>,
}

/// The envelope the socket answers with.
#[derive(Serialize, ToSchema)]
struct Envelope {
    /// `rpc.ok` or `rpc.error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `{"result": {...}}` or `{"error": {...}}`.
    #[schema(value_type = Object)]
    payload: Value,
}

/// How a call is refused.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes answers that are made elsewhere")]
enum Refused {
    /// By the method, or for want of it.
    Call(Envelope),
    /// Before it came to the method.
    Request(ErrorBody),
}

/// Calls a method of the game.
#[utoipa::path(
    post,
    path = "/rpc/{method}",
    tag = "rpc",
    params(("method" = String, Path, description = "Its name, such as `quests.claim`.")),
    request_body = Params,
    responses(
        (status = 200, body = Envelope),
        (status = "default", body = Refused, description = "`rpc.error`, with the status of the code.")
    )
)]
async fn call(
    State(methods): State<Methods>,
    caller: Caller,
    Path(method): Path<String>,
    Body(body): Body<Params>,
) -> Response {
    let done = async {
        let params = object(body.params)?;
        methods.call(&method, &caller.player, &params).await
    };
    answer(done.await)
}

fn answer(done: Outcome<Done>) -> Response {
    let (status, kind, payload) = match done {
        Ok(done) => (StatusCode::OK, "rpc.ok", json!(done)),
        Err(error) => {
            let status = error.code.status();
            let payload = json!({ "error": error.rest_body()["error"] });
            let Ok(status) = StatusCode::from_u16(status) else {
                return Failure(error).into_response();
            };
            (status, "rpc.error", payload)
        }
    };
    (status, Json(Envelope { kind, payload })).into_response()
}
