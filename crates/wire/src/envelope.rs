//! The envelope `{"type": ..., "cid": ..., "payload": ...}` around every frame.
//!
//! Parsing reads the three envelope fields and leaves the payload as a borrowed slice of the
//! frame: who needs the payload parses it once, into what it needs. Writing appends to one
//! buffer; there is no JSON tree in between.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::ApiError;
use crate::json;

/// Longest correlation id that is echoed, in bytes of JSON text. A longer one is dropped.
pub const MAX_CID_BYTES: usize = 256;

/// A frame from a client.
#[derive(Debug, Deserialize)]
pub struct Envelope<'a> {
    /// What the frame asks for, such as `match.input`.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// The client's correlation id as JSON text, echoed in the answer.
    #[serde(borrow, default)]
    cid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    /// The client's own count of its inputs (a sibling of the payload).
    #[serde(borrow, default)]
    seq: Option<&'a RawValue>,
}

/// Why a frame is no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON at all.
    #[error("invalid_json")]
    InvalidJson,
    /// JSON, but no object with a string `type`.
    #[error("invalid_message")]
    InvalidMessage,
}

impl EnvelopeError {
    /// The `reason` the error frame carries.
    pub fn reason(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidMessage => "invalid_message",
        }
    }
}

impl<'a> Envelope<'a> {
    /// Reads a frame's text.
    pub fn parse(text: &'a str) -> Result<Self, EnvelopeError> {
        // serde takes an array for an object with its fields in order. No client means that.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(classify(text));
        }
        serde_json::from_str(text).map_err(|_| classify(text))
    }

    /// The payload's JSON text; `{}` when the frame has none or `null`.
    pub fn payload(&self) -> &'a str {
        self.payload.map_or("{}", RawValue::get)
    }

    /// The payload, an object, as a typed value.
    pub fn read<T: Deserialize<'a>>(&self) -> Result<T, ApiError> {
        if !self.payload().starts_with('{') {
            return Err(ApiError::from_reason("invalid_payload"));
        }
        json::read(self.payload().as_bytes()).map_err(|error| payload_error(&error))
    }

    /// The correlation id as JSON text, if it is a scalar of a sane length.
    pub fn cid(&self) -> Option<&'a str> {
        let cid = self.cid?.get();
        let scalar = !cid.starts_with(['{', '[']) && cid != "null";
        (scalar && cid.len() <= MAX_CID_BYTES).then_some(cid)
    }

    /// The input's sequence number, if it is a whole number a client can hold exactly.
    pub fn seq(&self) -> Option<u64> {
        let seq: u64 = self.seq?.get().parse().ok()?;
        (seq < (1 << 53)).then_some(seq)
    }
}

/// Tells broken JSON from JSON of the wrong shape. Off the hot path: only after a failure.
fn classify(text: &str) -> EnvelopeError {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => EnvelopeError::InvalidMessage,
        Err(_) => EnvelopeError::InvalidJson,
    }
}

/// A payload that is not what the frame expects: a missing field has its own reason.
fn payload_error(error: &serde_json::Error) -> ApiError {
    if error.to_string().starts_with("missing field") {
        ApiError::from_reason("missing_field")
    } else {
        ApiError::from_reason("invalid_payload")
    }
}

/// What an input frame's payload holds.
#[derive(Debug, PartialEq, Eq)]
pub enum InputPayload<'a> {
    /// The payload is the input.
    Plain(&'a str),
    /// A form old SDKs send: `{"data": {...}}` or `{"data": "<json text>"}`, unwrapped.
    Unwrapped(String),
    /// No object.
    Invalid,
}

/// The input in a `match.input` payload.
pub fn input_payload(payload: &str) -> InputPayload<'_> {
    if !payload.starts_with('{') {
        return InputPayload::Invalid;
    }
    match legacy_data(payload) {
        None => InputPayload::Plain(payload),
        Some(Some(inner)) => InputPayload::Unwrapped(inner),
        Some(None) => InputPayload::Invalid,
    }
}

/// `None`: no legacy form. `Some(None)`: the legacy form around something that is no object.
fn legacy_data(payload: &str) -> Option<Option<String>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sole<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    // Cheap way out for the usual input, which does not begin with this key.
    if !payload[1..].trim_start().starts_with("\"data\"") {
        return None;
    }
    let data = serde_json::from_str::<Sole<'_>>(payload).ok()?.data.get();
    if data.starts_with('{') {
        return Some(Some(data.to_owned()));
    }
    if !data.starts_with('"') {
        // A game's own field called `data`.
        return None;
    }
    let inner = serde_json::from_str::<String>(data).ok();
    let object = inner.filter(|text| {
        text.trim_start().starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    });
    Some(object)
}

/// A frame to a client: `payload` is JSON text already.
pub fn frame_raw(kind: &str, cid: Option<&str>, payload: &str) -> String {
    let mut out = String::with_capacity(kind.len() + payload.len() + 48);
    open(&mut out, kind, cid);
    out.push_str(payload);
    out.push('}');
    out
}

/// A frame to a client around a value.
pub fn frame<T: Serialize + ?Sized>(kind: &str, cid: Option<&str>, payload: &T) -> String {
    let mut out = String::with_capacity(128);
    open(&mut out, kind, cid);
    out.push_str(&serde_json::to_string(payload).expect("protocol payloads have string keys"));
    out.push('}');
    out
}

/// An error frame: the code's object, and the older flat `reason` beside it.
pub fn error_frame(cid: Option<&str>, error: &ApiError) -> String {
    frame("error", cid, &error.socket_payload())
}

/// The frames of something a game script produced: `module.<name>`, and before it, for SDKs from
/// before that name, `game.<name>` with the same payload.
pub fn module_frames(name: &str, payload: &str, with_legacy: bool) -> Vec<String> {
    let legacy = with_legacy.then(|| frame_raw(&format!("game.{name}"), None, payload));
    let current = frame_raw(&format!("module.{name}"), None, payload);
    legacy.into_iter().chain([current]).collect()
}

fn open(out: &mut String, kind: &str, cid: Option<&str>) {
    out.push_str("{\"type\":\"");
    debug_assert!(!kind.contains(['"', '\\']), "frame types need no escaping");
    out.push_str(kind);
    out.push('"');
    if let Some(cid) = cid {
        out.push_str(",\"cid\":");
        out.push_str(cid);
    }
    out.push_str(",\"payload\":");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_type_cid_and_payload() {
        let frame = Envelope::parse(r#"{"cid":"c-1","type":"a.b","payload":{"x":1},"seq":7}"#)
            .expect("valid");
        assert_eq!(frame.kind, "a.b");
        assert_eq!(frame.cid(), Some("\"c-1\""));
        assert_eq!(frame.payload(), r#"{"x":1}"#);
        assert_eq!(frame.seq(), Some(7));
    }

    #[test]
    fn a_frame_without_payload_has_an_empty_one() {
        let frame = Envelope::parse(r#"{"type":"a"}"#).expect("valid");
        assert_eq!((frame.payload(), frame.cid()), ("{}", None));
    }

    #[test]
    fn tells_broken_json_from_a_wrong_shape() {
        let reason = |text| Envelope::parse(text).expect_err("invalid");
        assert_eq!(reason("{\"type\":"), EnvelopeError::InvalidJson);
        assert_eq!(reason(""), EnvelopeError::InvalidJson);
        assert_eq!(reason("[1]"), EnvelopeError::InvalidMessage);
        assert_eq!(reason("{\"type\":7}"), EnvelopeError::InvalidMessage);
        assert_eq!(reason("{\"payload\":{}}"), EnvelopeError::InvalidMessage);
    }

    #[test]
    fn an_array_is_no_object() {
        #[derive(Debug, Deserialize)]
        struct Join {
            #[allow(dead_code)]
            match_id: String,
        }
        let frame = Envelope::parse(r#" {"type":"match.join","payload": ["m"]}"#).expect("valid");
        let error = frame.read::<Join>().expect_err("an array");
        assert_eq!(error.reason(), "invalid_payload");
        let frame = Envelope::parse(r#"["match.join"]"#);
        assert_eq!(frame.expect_err("an array"), EnvelopeError::InvalidMessage);
    }

    #[test]
    fn a_deep_payload_is_no_trouble() {
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let text = format!("{{\"type\":\"x\",\"payload\":{deep}}}");
        let _ = Envelope::parse(&text);
    }

    #[test]
    fn only_a_short_scalar_cid_is_echoed() {
        let cid = |cid: &str| {
            let text = format!("{{\"type\":\"x\",\"cid\":{cid}}}");
            Envelope::parse(&text)
                .expect("valid")
                .cid()
                .map(str::to_owned)
        };
        assert_eq!(cid("7"), Some("7".into()));
        assert_eq!(cid("{}"), None);
        assert_eq!(cid("null"), None);
        assert_eq!(cid(&format!("\"{}\"", "x".repeat(300))), None);
    }

    #[test]
    fn unwraps_what_old_sdks_send() {
        assert_eq!(
            input_payload(r#"{"x":1}"#),
            InputPayload::Plain(r#"{"x":1}"#)
        );
        assert_eq!(
            input_payload(r#"{"data":{"x":1}}"#),
            InputPayload::Unwrapped(r#"{"x":1}"#.into())
        );
        assert_eq!(
            input_payload(r#"{"data":"{\"x\":1}"}"#),
            InputPayload::Unwrapped(r#"{"x":1}"#.into())
        );
        assert_eq!(input_payload(r#"{"data":"nope"}"#), InputPayload::Invalid);
        assert_eq!(input_payload(r#"{"data":"[1]"}"#), InputPayload::Invalid);
        let two = r#"{"data":{},"more":1}"#;
        assert_eq!(input_payload(two), InputPayload::Plain(two));
        let number = r#"{"data":3}"#;
        assert_eq!(input_payload(number), InputPayload::Plain(number));
        assert_eq!(input_payload("[]"), InputPayload::Invalid);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(|s: String| s.into()),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map(".*", inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = String::from_utf8_lossy(&bytes);
            let _ = Envelope::parse(&text);
            let _ = input_payload(&text);
        }

        #[test]
        fn what_is_written_is_read_back(kind in "[a-z._]{1,20}", cid in ".{0,40}", payload in json()) {
            let cid = serde_json::to_string(&cid).expect("a string");
            let text = frame(&kind, Some(&cid), &payload);
            let read = Envelope::parse(&text).expect("our own frame");
            prop_assert_eq!(&read.kind, &kind);
            prop_assert_eq!(read.cid(), Some(cid.as_str()));
            let back: serde_json::Value = serde_json::from_str(read.payload()).expect("JSON");
            let absent_is_empty = if payload.is_null() { serde_json::json!({}) } else { payload };
            prop_assert_eq!(back, absent_is_empty);
        }

        #[test]
        fn any_json_is_an_envelope_or_a_clear_error(value in json()) {
            let text = value.to_string();
            if let Err(error) = Envelope::parse(&text) {
                prop_assert_eq!(error, EnvelopeError::InvalidMessage);
            }
        }
    }
}
