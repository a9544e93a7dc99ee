//! Failures as HTTP answers.

use asobi_wire::{ApiError, Code};
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sea_orm::DbErr;
use serde_json::Value;

use crate::db::is_away;

/// What a route answers when it fails: the one error object, with the code's status.
#[derive(Debug)]
pub struct Failure(pub ApiError);

/// What a domain's verbs return.
pub type Outcome<T> = Result<T, ApiError>;

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).expect("codes have a valid status");
        let mut response = (status, Json(self.0.rest_body())).into_response();
        if let Some(seconds) = self.0.details().get("retry_after").and_then(Value::as_u64) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self(code.into())
    }
}

/// A database failure as a client sees it: the cause goes to the log, not to the client.
pub fn database(error: DbErr) -> ApiError {
    if is_away(&error) {
        // Said once by whoever watches the database, not by each request.
        tracing::debug!(%error, "database away");
        return Code::NotReady.into();
    }
    tracing::error!(%error, "database");
    Code::Internal.into()
}
