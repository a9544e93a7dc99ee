//! What the server sends.

use std::ops::Range;
use std::time::Instant;

use asobi_wire::Envelope;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{Error, Frame, Result, ServerError};

/// The kind of an event that came as a binary frame.
const BINARY: &str = "binary";
/// The kind of a text frame that is no envelope. The server never sends one.
const UNREADABLE: &str = "unreadable";

/// One frame from the server: a push, or the answer to a request.
#[derive(Clone, Debug)]
pub struct Event {
    /// The frame's `type`, such as `match.state`; `binary` for a binary frame.
    pub kind: String,
    /// When the frame was read.
    pub received_at: Instant,
    cid: Option<Range<usize>>,
    payload: Range<usize>,
    frame: Frame,
}

impl Event {
    pub(crate) fn new(frame: Frame, received_at: Instant) -> Self {
        let (kind, cid, payload) = match &frame {
            Frame::Text(text) => parts(text),
            Frame::Binary(_) => (BINARY.to_owned(), None, 0..0),
        };
        Self {
            kind,
            received_at,
            cid,
            payload,
            frame,
        }
    }

    /// The payload's JSON text. Empty for a binary frame.
    pub fn payload(&self) -> &str {
        &self.text()[self.payload.clone()]
    }

    /// The correlation id as JSON text (`"c-1"` with its quotes, or `7`), if there is one.
    pub fn cid(&self) -> Option<&str> {
        self.cid.clone().map(|range| &self.text()[range])
    }

    /// The whole frame's text. Empty for a binary frame.
    pub fn text(&self) -> &str {
        self.frame.text().unwrap_or_default()
    }

    /// The bytes of a binary frame.
    pub fn binary(&self) -> Option<&Bytes> {
        match &self.frame {
            Frame::Text(_) => None,
            Frame::Binary(bytes) => Some(bytes),
        }
    }

    /// The payload as a typed value.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        asobi_wire::json::read(self.payload().as_bytes())
            .map_err(|error| Error::Unexpected(format!("{error} in {}", self.text())))
    }

    /// The payload as a JSON value; `null` for a binary frame.
    pub fn json(&self) -> Value {
        asobi_wire::json::read(self.payload().as_bytes()).unwrap_or_default()
    }

    /// The server's error, if this is an `error` frame.
    pub fn error(&self) -> Option<ServerError> {
        (self.kind == "error")
            .then(|| ServerError::parse(None, self.payload().as_bytes()))
            .flatten()
    }

    /// The event, or its error if it is an `error` frame.
    pub(crate) fn into_result(self) -> Result<Self> {
        if self.kind != "error" {
            return Ok(self);
        }
        match self.error() {
            Some(error) => Err(error.into()),
            None => Err(Error::Unexpected(self.text().to_owned())),
        }
    }

    /// A state frame: a newer one makes it worthless.
    pub(crate) fn is_state(&self) -> bool {
        matches!(self.kind.as_str(), "match.state" | "world.tick" | BINARY)
    }
}

fn parts(text: &Utf8Bytes) -> (String, Option<Range<usize>>, Range<usize>) {
    let text = text.as_str();
    match Envelope::parse(text) {
        Ok(envelope) => {
            let cid = envelope.cid().map(|cid| range_in(text, cid));
            let payload = range_in(text, envelope.payload());
            (envelope.kind.into_owned(), cid, payload)
        }
        Err(_) => (UNREADABLE.to_owned(), None, 0..text.len()),
    }
}

/// Where `part` stands in `text`. A part from elsewhere (the `{}` of a frame without payload)
/// is nowhere: an empty range.
fn range_in(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    match start.checked_add(part.len()) {
        Some(end) if end <= text.len() => start..end,
        _ => 0..0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        Event::new(Frame::Text(text.into()), Instant::now())
    }

    #[test]
    fn shows_the_parts_of_its_frame() {
        let event = event(r#"{"type":"match.state","cid":7,"payload":{"x":1}}"#);
        assert_eq!(event.kind, "match.state");
        assert_eq!(event.payload(), r#"{"x":1}"#);
        assert_eq!(event.cid(), Some("7"));
        assert_eq!(event.json()["x"], 1);
        assert!(event.is_state());
    }

    #[test]
    fn an_absent_payload_is_empty() {
        assert_eq!(event(r#"{"type":"a"}"#).payload(), "");
        assert_eq!(event(r#"{"type":"a"}"#).json(), Value::Null);
    }

    #[test]
    fn what_is_no_envelope_is_shown_whole() {
        let event = event("hello");
        assert_eq!(
            (event.kind.as_str(), event.payload()),
            (UNREADABLE, "hello")
        );
    }

    #[test]
    fn an_error_frame_becomes_an_error() {
        let frame = asobi_wire::envelope::error_frame(
            Some("1"),
            &asobi_wire::ApiError::from_reason("not_in_match"),
        );
        let error = event(&frame).into_result().expect_err("an error frame");
        assert_eq!(error.code(), Some("match.not_in_match"));
    }
}
