//! Methods of the game that clients call by name, over the socket (`rpc.call`) or REST.
//!
//! The functions are in the game's `rpc.lua` and `rpc/*.lua` (`asobi_lua::Rpc`); they run
//! backstage. Both ways answer with the same envelope.

pub mod frames;
pub mod routes;

use asobi_game::PlayerId;
use asobi_lua::Called;
use asobi_wire::{ApiError, Code};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::edge::error::Outcome;
use crate::game::Backstage;

/// Longest name of a method in bytes.
const MAX_METHOD_BYTES: usize = 128;

/// The game's methods. Cheap to clone.
#[derive(Clone)]
pub struct Methods {
    backstage: Backstage,
}

/// The payload of `rpc.ok`.
#[derive(Serialize)]
struct Done {
    result: Box<RawValue>,
}

impl Methods {
    /// The methods of the game that runs backstage.
    pub fn new(backstage: Backstage) -> Self {
        Self { backstage }
    }

    /// Calls a method. `params` is the text of a JSON object.
    ///
    /// # Errors
    /// `rpc.unknown_method`, `rpc.failed` with `details.reason` when the game refuses,
    /// `rate_limited` when too much is under way, `internal` when the method fails.
    async fn call(&self, method: &str, player: &PlayerId, params: &RawValue) -> Outcome<Done> {
        if method.is_empty() || method.len() > MAX_METHOD_BYTES {
            return Err(Code::RpcUnknownMethod.into());
        }
        let params = Bytes::copy_from_slice(params.get().as_bytes());
        let called = self.backstage.call(method, player, params).await;
        match called.map_err(|_| Code::RateLimited)? {
            Called::Ok(json) => Ok(Done {
                result: raw(&json)?,
            }),
            Called::Refused(reason) => Err(ApiError::from(Code::RpcFailed).with("reason", reason)),
            Called::Unreadable => Err(Code::RpcInvalidParams.into()),
            Called::Unknown => Err(Code::RpcUnknownMethod.into()),
            Called::Failed => Err(Code::Internal.into()),
        }
    }
}

fn raw(json: &[u8]) -> Outcome<Box<RawValue>> {
    serde_json::from_slice(json).map_err(|_| Code::Internal.into())
}

/// The parameters, which are an object; none at all count as `{}`.
fn object(params: Option<Box<RawValue>>) -> Outcome<Box<RawValue>> {
    let params = params.map_or_else(|| raw(b"{}"), Ok)?;
    match params.get().trim_start().starts_with('{') {
        true => Ok(params),
        false => Err(Code::RpcInvalidParams.into()),
    }
}
