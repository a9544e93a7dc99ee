//! What can go wrong, and the server's error object.

use std::time::Duration;

use asobi_wire::Code;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server understood and refused.
    #[error("{0}")]
    Server(Box<ServerError>),
    /// Nothing came within this time.
    #[error("nothing came within {0:?}")]
    Timeout(Duration),
    /// The socket is closed.
    #[error("the socket is closed ({0})")]
    Closed(Close),
    /// The server answered the WebSocket upgrade with this HTTP status instead.
    #[error("the upgrade was refused with status {status}: {body}")]
    Upgrade {
        /// The HTTP status.
        status: u16,
        /// The body, as far as it is text.
        body: String,
    },
    /// The address is none this client can reach; the text says why.
    #[error("invalid address: {0}")]
    Address(String),
    /// The answer is not what the protocol promises; the text shows it.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
    /// The value to send is no JSON.
    #[error("cannot be sent: {0}")]
    Encode(serde_json::Error),
    /// The network failed.
    #[error("network: {}", chain(.0.as_ref()))]
    Network(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The server's error object, if the server refused.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }

    /// The server's error code, if the server refused.
    pub fn code(&self) -> Option<&str> {
        self.server().map(|error| error.code.as_str())
    }

    /// How the socket was closed, if that is why the call failed.
    pub fn close(&self) -> Option<&Close> {
        match self {
            Self::Closed(close) => Some(close),
            _ => None,
        }
    }

    pub(crate) fn network(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Network(Box::new(error))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::network(error)
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

/// The error and what caused it, on one line: the outermost alone says "client error (Connect)".
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// How a socket ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Close {
    /// The WebSocket close code. `None`: the connection broke without a close frame.
    pub code: Option<u16>,
    /// The server's reason, or what broke the connection.
    pub reason: String,
}

impl Close {
    pub(crate) fn broken(reason: impl ToString) -> Self {
        Self {
            code: None,
            reason: reason.to_string(),
        }
    }
}

impl std::fmt::Display for Close {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code} {}", self.reason),
            None => write!(f, "broken: {}", self.reason),
        }
    }
}

/// The server's error object, the same over REST and the socket.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerError {
    /// The HTTP status; `None` over the socket.
    pub status: Option<u16>,
    /// The machine-readable code. Text, not [`Code`]: a newer server may have more of them.
    pub code: String,
    /// The socket's older, flatter reason; the code over REST.
    pub reason: String,
    /// One sentence for a human.
    pub message: String,
    /// More about it, such as `fields` or `retry_after`.
    pub details: Map<String, Value>,
}

#[derive(Deserialize)]
struct Body {
    reason: Option<String>,
    error: Object,
}

#[derive(Deserialize)]
struct Object {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Map<String, Value>,
}

impl ServerError {
    /// The code as one this version of the protocol knows.
    pub fn known(&self) -> Option<Code> {
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == self.code)
    }

    /// How long the server asks to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.details.get("retry_after")?.as_f64()?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Reads the payload of an `error` frame, or the body of a refused request.
    pub(crate) fn parse(status: Option<u16>, text: &[u8]) -> Option<Self> {
        let body: Body = asobi_wire::json::read(text).ok()?;
        Some(Self {
            status,
            reason: body.reason.unwrap_or_else(|| body.error.code.clone()),
            code: body.error.code,
            message: body.error.message,
            details: body.error.details,
        })
    }

    /// A refusal without the error object: something else than Asobi answered.
    pub(crate) fn foreign(status: u16, text: &[u8]) -> Self {
        Self {
            status: Some(status),
            code: format!("http.{status}"),
            reason: format!("http.{status}"),
            message: String::from_utf8_lossy(text).chars().take(500).collect(),
            details: Map::new(),
        }
    }
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        if self.details.is_empty() {
            return Ok(());
        }
        write!(f, " {}", Value::Object(self.details.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_server_writes() {
        let written = asobi_wire::ApiError::from(Code::RateLimited).with("retry_after", 2);
        let body = written.rest_body().to_string();
        let read = ServerError::parse(Some(429), body.as_bytes()).expect("an error object");
        assert_eq!(read.known(), Some(Code::RateLimited));
        assert_eq!(read.retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(read.status, Some(429));
    }

    #[test]
    fn keeps_the_sockets_older_reason() {
        let written = asobi_wire::ApiError::from_reason("invalid_token");
        let payload = serde_json::to_vec(&written.socket_payload()).expect("serializes");
        let read = ServerError::parse(None, &payload).expect("an error object");
        assert_eq!(
            (read.reason.as_str(), read.code.as_str()),
            ("invalid_token", "unauthenticated")
        );
    }

    #[test]
    fn a_strangers_answer_is_no_error_object() {
        assert_eq!(ServerError::parse(Some(502), b"<html>"), None);
        assert_eq!(ServerError::foreign(502, b"<html>").code, "http.502");
    }
}
