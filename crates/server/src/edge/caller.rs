//! Who sends a request, and from where.

use std::net::IpAddr;

use asobi_game::PlayerId;
use asobi_wire::Code;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::error::Failure;

/// The player whose access token came with the request. The edge puts it there; a route that
/// takes one answers `unauthenticated` to everybody else.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The player.
    pub player: PlayerId,
    /// The chain of sign-ins the token belongs to; revoking it ends them all.
    pub family: String,
}

/// The address a request came from, or that a trusted proxy says it came from. The edge puts it
/// there.
#[derive(Clone, Copy, Debug)]
pub struct Address(pub IpAddr);

/// The token in the `Authorization` header, good or not.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?;
    value.to_str().ok()?.strip_prefix("Bearer ")
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Code::Unauthenticated.into())
    }
}
