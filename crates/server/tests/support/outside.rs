//! The world outside, as far as tests need it: an identity provider with real keys, the Steam
//! Web API, a gate. Each is a server on a port of its own, and its owner can make it misbehave.
//!
//! The tests of `accounts` and the end-to-end tests both include this file.

// Each of the two uses its own part.
#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The client id that tokens are for.
pub(crate) const CLIENT_ID: &str = "the-game";

/// A server that answers what it was told to.
pub(crate) struct Outside {
    pub(crate) url: String,
    state: Arc<Script>,
}

#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<String, Answer>>,
    asked: AtomicUsize,
    delay_ms: AtomicU64,
    last: Mutex<Value>,
}

#[derive(Clone)]
struct Answer {
    status: u16,
    body: String,
    location: Option<String>,
}

impl Outside {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Script>::default();
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// What a path answers from now on.
    pub(crate) fn answers(&self, path: &str, body: impl std::fmt::Display) {
        self.answers_with(path, 200, body);
    }

    pub(crate) fn answers_with(&self, path: &str, status: u16, body: impl std::fmt::Display) {
        let answer = Answer {
            status,
            body: body.to_string(),
            location: None,
        };
        self.state.answers.lock().insert(path.to_owned(), answer);
    }

    /// A path that sends its visitors elsewhere.
    pub(crate) fn redirects(&self, path: &str, location: String) {
        let answer = Answer {
            status: 302,
            body: String::new(),
            location: Some(location),
        };
        self.state.answers.lock().insert(path.to_owned(), answer);
    }

    /// How many requests came so far.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// Answers only after a while.
    pub(crate) fn is_slow(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap();
        self.state.delay_ms.store(delay, Ordering::SeqCst);
    }

    /// The last request: its body, or its query where it had none.
    pub(crate) fn last(&self) -> Value {
        self.state.last.lock().clone()
    }
}

async fn answer(
    State(state): State<Arc<Script>>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    state.asked.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .unwrap();
    *state.last.lock() = serde_json::from_slice(&body).unwrap_or_else(|_| json!(query));
    let delay = state.delay_ms.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(delay)).await;
    let answer = state.answers.lock().get(&path).cloned();
    let Some(answer) = answer else {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    };
    let mut response = answer.body.into_response();
    *response.status_mut() = answer.status.try_into().unwrap();
    if let Some(location) = answer.location {
        response
            .headers_mut()
            .insert("location", location.parse().unwrap());
    }
    response
}

/// A key that signs tokens.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pub(crate) id: String,
    signing: EncodingKey,
}

impl Key {
    pub(crate) fn ec(id: &str) -> Self {
        use p256::elliptic_curve::rand_core::OsRng;
        use p256::pkcs8::EncodePrivateKey;
        let der = p256::SecretKey::random(&mut OsRng).to_pkcs8_der().unwrap();
        Self {
            algorithm: Algorithm::ES256,
            id: id.to_owned(),
            signing: EncodingKey::from_ec_der(der.as_bytes()),
        }
    }

    /// Always the same key: making one takes a moment.
    pub(crate) fn rsa(id: &str) -> Self {
        use rsa::pkcs1::EncodeRsaPrivateKey;
        use rsa::rand_core::OsRng;
        static DER: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let key = rsa::RsaPrivateKey::new(&mut OsRng, 2_048).unwrap();
            key.to_pkcs1_der().unwrap().as_bytes().to_vec()
        });
        Self {
            algorithm: Algorithm::RS256,
            id: id.to_owned(),
            signing: EncodingKey::from_rsa_der(&DER),
        }
    }

    /// The public half, as a provider publishes it.
    pub(crate) fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.signing, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).unwrap()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }
}

/// An identity provider.
pub(crate) struct Issuer {
    pub(crate) server: Outside,
}

impl Issuer {
    /// One that signs with this key.
    pub(crate) async fn start(key: &Key) -> Self {
        let issuer = Self {
            server: Outside::start().await,
        };
        issuer.describes_itself(&issuer.url(), &format!("{}/keys", issuer.url()));
        issuer.publishes(&[key]);
        issuer
    }

    pub(crate) fn url(&self) -> String {
        self.server.url.clone()
    }

    pub(crate) fn describes_itself(&self, issuer: &str, jwks_uri: &str) {
        let document = json!({"issuer": issuer, "jwks_uri": jwks_uri});
        self.server
            .answers("/.well-known/openid-configuration", document);
    }

    pub(crate) fn publishes(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        self.server.answers("/keys", json!({ "keys": keys }));
    }

    /// What a good token says of a player.
    pub(crate) fn claims(&self, sub: &str) -> Value {
        let now = now();
        json!({
            "iss": self.url(), "aud": CLIENT_ID, "sub": sub, "iat": now, "exp": now + 600,
            "name": format!("Player {sub}"), "email": format!("{sub}@example.org"),
        })
    }

    pub(crate) fn token(&self, key: &Key, sub: &str) -> String {
        key.sign(&self.claims(sub))
    }
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
