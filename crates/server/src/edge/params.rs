//! What a path and a query string hold, with the protocol's own errors.

use asobi_wire::Code;
use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::error::Failure;

/// The variable parts of a path. One that is no UTF-8 names nothing: `not_found`.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match AxumPath::from_request_parts(parts, state).await {
            Ok(AxumPath(value)) => Ok(Self(value)),
            Err(_) => Err(Code::NotFound.into()),
        }
    }
}

/// A query string. One that does not parse is `invalid_payload`.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match AxumQuery::from_request_parts(parts, state).await {
            Ok(AxumQuery(value)) => Ok(Self(value)),
            Err(_) => Err(Code::InvalidPayload.into()),
        }
    }
}

/// How many rows a list shows at most. `?limit=` is clamped to 1..=[`Limit::MOST`]; what is no
/// number counts as the default. From the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u64);

impl Limit {
    /// Rows without a `limit`.
    pub const DEFAULT: u64 = 50;
    /// Most rows of one answer.
    pub const MOST: u64 = 200;
}

impl Default for Limit {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rows = text
            .parse::<i64>()
            .ok()
            .map(|rows| rows.max(1).unsigned_abs());
        Ok(Self(
            rows.map_or(Self::DEFAULT, |rows| rows.min(Self::MOST)),
        ))
    }
}

/// `?limit=` and `?before=`: the newest rows first, or those before an id one has seen. Ids
/// sort by time, so the last id of a page is the cursor of the next.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Most rows, 1 to 200; 50 without it.
    #[serde(default)]
    #[param(value_type = Option<u64>)]
    pub limit: Limit,
    /// Only rows older than this id.
    #[serde(default, deserialize_with = "cursor")]
    pub before: Option<String>,
}

/// Reads `?before=`, for `deserialize_with`. What is no id is no cursor, and refused: to start
/// over at the newest row would send a client that pages round in circles.
pub fn cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let id = String::deserialize(deserializer)?;
    match crate::text::is_id(&id) {
        true => Ok(Some(id)),
        false => Err(serde::de::Error::custom("not an id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_clamped_and_a_bad_one_is_the_default() {
        let read = |text: &str| serde_json::from_value::<Limit>(text.into()).unwrap().0;
        assert_eq!(read("7"), 7);
        assert_eq!(read("0"), 1);
        assert_eq!(read("-3"), 1);
        assert_eq!(read("9999999"), 200);
        assert_eq!(read("abc"), 50);
        assert_eq!(read("99999999999999999999999"), 50);
    }
}
