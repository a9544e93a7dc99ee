//! A request body as a typed value, with the protocol's own errors.

use asobi_wire::{ApiError, Code, json};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::Failure;

/// A JSON request body. Broken JSON is `invalid_json`, a missing or mistyped field
/// `missing_field`, an oversized body `payload_too_large`. An empty body reads as `{}`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = bytes(request, state).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// A request body as it came, if it is within the limit.
pub async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| {
            Failure::from(match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
                _ => Code::InvalidJson,
            })
        })
}

/// A request body of whatever shape; null if it is no JSON.
pub fn value(bytes: &[u8]) -> Value {
    json::read(bytes).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    let read = json::read(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => field_error(bytes, &error),
        _ => Code::InvalidJson.into(),
    })?;
    // serde takes an array for an object with its fields in order. No client means that.
    match is_object(bytes) {
        true => Ok(read),
        false => Err(Code::InvalidPayload.into()),
    }
}

fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}

/// A body that is no object is malformed; an object lacks a field or has one of the wrong type,
/// which the original answers alike.
fn field_error(bytes: &[u8], error: &serde_json::Error) -> ApiError {
    if !is_object(bytes) {
        return Code::InvalidPayload.into();
    }
    let error = error.to_string();
    // What else stands in backticks is the value, and the client's.
    let after = error
        .strip_prefix("missing field `")
        .or(error.strip_prefix('`'));
    let field = after.and_then(|text| text.split('`').next());
    let error = ApiError::from(Code::MissingField);
    match field {
        Some(field) if field.len() <= 64 => error.with("field", field),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    struct Login {
        #[allow(dead_code)]
        username: String,
    }

    fn code(body: &str) -> Code {
        parse::<Login>(body.as_bytes()).expect_err("refused").code
    }

    #[test]
    fn says_what_is_wrong_with_a_body() {
        assert_eq!(code("{"), Code::InvalidJson);
        assert_eq!(code(""), Code::MissingField);
        assert_eq!(code("{}"), Code::MissingField);
        assert_eq!(code("{\"username\":7}"), Code::MissingField);
        assert_eq!(code("[1]"), Code::InvalidPayload);
        assert_eq!(code("[\"ada\"]"), Code::InvalidPayload);
        assert!(parse::<Login>(b"{\"username\":\"ada\"}").is_ok());
    }

    #[test]
    fn names_the_field_that_is_missing_and_never_a_value() {
        let field = |body: &str| {
            let error = parse::<Login>(body.as_bytes()).expect_err("refused");
            error.details().get("field").cloned()
        };
        assert_eq!(field("{}"), Some("username".into()));
        assert_eq!(field("{\"username\":7}"), None);
        assert_eq!(field("{\"username\":{\"`password`\":1}}"), None);
    }

    #[test]
    fn a_body_hides_no_other_in_its_text() {
        let body = br#"{"username":{"$serde_json::private::RawValue":"[]"}}"#;
        assert_eq!(
            parse::<Value>(body).expect_err("refused").code,
            Code::MissingField
        );
        assert_eq!(value(body), Value::Null);
        assert_eq!(value(b"{"), Value::Null);
    }
}
