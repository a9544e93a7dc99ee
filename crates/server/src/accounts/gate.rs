//! The gate before new players: a service of the operator's that is asked whether a request may
//! go on, before it costs anything.
//!
//! It learns where a request comes from and what proof it brings (a CAPTCHA's answer, an
//! attestation), never a password, a device's secret or a token.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use asobi_wire::{ApiError, Code};
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Accounts;
use crate::config::{GateConfig, GateFailure};
use crate::edge::caller::Address;
use crate::edge::error::{Failure, Outcome};
use crate::edge::json;
use crate::edge::limits::Seldom;
use crate::outbound::Outbound;
use crate::text;

/// The header that carries the proof, for clients that cannot put it into the body.
const TOKEN_HEADER: &str = "x-client-gate-token";

/// The fields of a body that carry the proof; the first is the original's.
const TOKEN_FIELDS: [&str; 2] = ["client_gate_token", "gate_token"];

/// A longer proof is none. Attestations have up to 10 KB.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A longer reason is not passed on.
const MAX_REASON_BYTES: usize = 128;

/// Headers that the gate does not get: they hold secrets, or the proof again.
const WITHHELD: [&str; 5] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    TOKEN_HEADER,
];

/// The gate of this server.
pub(super) struct Gate {
    url: Url,
    timeout: Duration,
    on_error: GateFailure,
    outbound: Outbound,
    complaint: Seldom,
}

impl Gate {
    /// None: there is no gate. Fails on an address that cannot be one: who wanted a gate must
    /// not find the door open.
    pub(super) fn new(config: &GateConfig, outbound: Outbound) -> anyhow::Result<Option<Self>> {
        if config.url.is_empty() {
            return Ok(None);
        }
        let url = Url::parse(&config.url).context("gate.url is no address")?;
        ensure!(
            matches!(url.scheme(), "http" | "https"),
            "gate.url must be http or https"
        );
        Ok(Some(Self {
            url,
            timeout: Duration::from_millis(config.timeout_ms.max(1)),
            on_error: config.on_error,
            outbound,
            complaint: Seldom::default(),
        }))
    }

    /// Whether the request may go on.
    ///
    /// # Errors
    /// `client_gate_denied` with a `reason`: the gate's own, or `client_gate_unavailable`.
    async fn admit(&self, question: &Question) -> Outcome<()> {
        let asked = self.outbound.post(self.url.clone(), question, self.timeout);
        match asked.await {
            Ok(Verdict { allow: true, .. }) => Ok(()),
            Ok(Verdict { reason, .. }) => {
                let reason = reason
                    .as_str()
                    .filter(|one| text::is_key(one, MAX_REASON_BYTES));
                Err(denied(reason.unwrap_or("denied")))
            }
            Err(error) => {
                if self.complaint.is_due() {
                    tracing::warn!(%error, on_error = ?self.on_error, "the gate does not answer");
                }
                match self.on_error {
                    GateFailure::Skip => Ok(()),
                    GateFailure::Deny => Err(denied("client_gate_unavailable")),
                }
            }
        }
    }
}

fn denied(reason: &str) -> ApiError {
    ApiError::from(Code::ClientGateDenied).with("reason", reason)
}

/// What the gate is asked.
#[derive(Serialize)]
struct Question {
    /// The client's address; empty if it is not known.
    ip: String,
    path: String,
    /// By name in lower case; several of one name are joined.
    headers: BTreeMap<String, String>,
    /// The proof the client brings; empty if it brings none.
    token: String,
}

/// What the gate answers.
#[derive(Deserialize)]
struct Verdict {
    allow: bool,
    #[serde(default)]
    reason: Value,
}

/// Asks the gate, if there is one, before a request goes on.
pub(super) async fn check(
    State(accounts): State<Accounts>,
    request: Request,
    next: Next,
) -> Response {
    let Some(gate) = &accounts.gate else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let unread = Request::from_parts(parts.clone(), body);
    let body = match json::bytes(unread, &()).await {
        Ok(body) => body,
        Err(failure) => return failure.into_response(),
    };
    let path = parts.extensions.get::<MatchedPath>();
    let address = parts.extensions.get::<Address>();
    let question = Question {
        ip: address.map_or_else(String::new, |Address(ip)| ip.to_string()),
        path: path.map_or_else(String::new, |path| path.as_str().to_owned()),
        headers: headers(&parts.headers),
        token: token(&body, &parts.headers),
    };
    if let Err(error) = gate.admit(&question).await {
        return Failure(error).into_response();
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

fn headers(all: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::<String, String>::new();
    for (name, value) in all {
        if WITHHELD.contains(&name.as_str()) {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        shown
            .entry(name.as_str().to_owned())
            .and_modify(|before| *before = format!("{before}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    shown
}

fn token(body: &[u8], headers: &HeaderMap) -> String {
    let body = json::value(body);
    let of_body = TOKEN_FIELDS.iter().find_map(|field| body[*field].as_str());
    let of_header = || headers.get(TOKEN_HEADER)?.to_str().ok();
    of_body
        .or_else(of_header)
        .filter(|token| token.len() <= MAX_TOKEN_BYTES)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn secrets_among_headers_are_withheld() {
        let all = map(&[
            ("Authorization", "Bearer x"),
            ("Cookie", "x"),
            ("X-Client-Gate-Token", "x"),
            ("User-Agent", "game"),
            ("X-Tag", "a"),
            ("X-Tag", "b"),
        ]);
        let shown = headers(&all).into_iter().collect::<Vec<_>>();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(shown, [pair("user-agent", "game"), pair("x-tag", "a, b")]);
    }

    #[test]
    fn the_proof_is_in_the_body_or_in_a_header() {
        let with = map(&[(TOKEN_HEADER, "header")]);
        let without = HeaderMap::new();
        assert_eq!(token(br#"{"client_gate_token": "a"}"#, &with), "a");
        assert_eq!(token(br#"{"gate_token": "b"}"#, &without), "b");
        assert_eq!(token(br#"{"gate_token": 7}"#, &with), "header");
        for body in ["", "{", "[]", "7", "{}"] {
            assert_eq!(token(body.as_bytes(), &without), "");
        }
        let long = format!(r#"{{"gate_token": "{}"}}"#, "x".repeat(MAX_TOKEN_BYTES + 1));
        assert_eq!(token(long.as_bytes(), &without), "");
    }

    #[test]
    fn a_gate_at_no_address_does_not_start() {
        let gate = |url: &str| {
            let config = GateConfig {
                url: url.to_owned(),
                ..GateConfig::default()
            };
            Gate::new(&config, Outbound::default())
        };
        assert!(gate("").unwrap().is_none());
        assert!(gate("http://captcha:9000/verify").unwrap().is_some());
        assert!(gate("captcha").is_err());
        assert!(gate("file:///x").is_err());
    }
}
