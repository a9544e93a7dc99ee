//! `rpc.call`.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code, Envelope};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Methods, object};
use crate::edge::error::Outcome;
use crate::edge::reply::Reply;

/// The version of the payload this server speaks.
const PROTOCOL: u64 = 1;
/// Longest `cid` of a call in bytes.
const MAX_CID_BYTES: usize = 64;

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    protocol: Value,
    #[serde(default)]
    method: Value,
    #[serde(default)]
    params: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Failed {
    error: Value,
}

/// Calls a method and answers `rpc.ok` or `rpc.error`, the latter without the flat reason of
/// other frames: nothing older than this frame waits for one.
pub async fn call(methods: &Methods, player: &PlayerId, frame: &Envelope<'_>) -> Reply {
    match try_call(methods, player, frame).await {
        Ok(reply) => reply,
        Err(error) => failed(&error),
    }
}

async fn try_call(methods: &Methods, player: &PlayerId, frame: &Envelope<'_>) -> Outcome<Reply> {
    if !frame.cid().is_some_and(is_cid) {
        return Err(Code::RpcInvalidCid.into());
    }
    let call: Call = frame.read().map_err(|_| Code::InvalidPayload)?;
    if call.protocol.as_u64() != Some(PROTOCOL) {
        let error = ApiError::from(Code::RpcUnsupportedProtocol);
        return Err(error.with("supported", vec![PROTOCOL]));
    }
    let method = call.method.as_str().unwrap_or_default();
    let done = methods.call(method, player, &object(call.params)?).await?;
    Ok(Reply::new("rpc.ok", &done))
}

fn failed(error: &ApiError) -> Reply {
    let error = error.rest_body()["error"].take();
    Reply::new("rpc.error", &Failed { error })
}

/// 1 to 64 printable ASCII characters.
fn is_cid(cid: &str) -> bool {
    (1..=MAX_CID_BYTES).contains(&cid.len()) && cid.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}
