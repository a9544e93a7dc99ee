//! REST calls with whatever body, and their answers whatever they are.

use asobi_client::{Api, Device};
use asobi_wire::Code;
use axum::body::Bytes;
use axum::http::Request;
use serde_json::Value;

use crate::server::{Player, Server};

/// An answer, as the client sees it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The rows of a list under this name.
    #[track_caller]
    pub(crate) fn rows(self, name: &str) -> Vec<Value> {
        self.ok()[name].as_array().unwrap().clone()
    }

    /// The details of a refusal, which must have this code and its status. They stand at the top
    /// level too.
    #[track_caller]
    pub(crate) fn refused(self, code: Code) -> Value {
        assert_eq!(self.body["error"]["code"], code.as_str(), "{}", self.body);
        assert_eq!(self.status, code.status());
        let details = self.body["error"]["details"].clone();
        for (name, value) in details.as_object().unwrap() {
            assert_eq!(&self.body[name], value, "{}", self.body);
        }
        details
    }

    /// As [`Self::refused`], for a form whose only bad field is `field`.
    #[track_caller]
    pub(crate) fn refused_field(self, field: &str) {
        let details = self.refused(Code::ValidationFailed);
        let fields = details["fields"].as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), [field], "{details}");
    }
}

/// `path` is below `/api/v1`; the body is sent as it is.
pub(crate) async fn request(
    api: &Api,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = api
        .exchange(request.body(body.into()).unwrap())
        .await
        .unwrap();
    Answer {
        status: answer.status,
        body: serde_json::from_slice(&answer.body).unwrap_or_default(),
    }
}

/// A player who only speaks REST.
pub(crate) struct Guest {
    pub(crate) id: String,
    pub(crate) token: String,
    api: Api,
}

impl Guest {
    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        request(&self.api, method, path, Some(&self.token), body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl ToString) -> Answer {
        self.send("POST", path, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl ToString) -> Answer {
        self.send("PUT", path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "").await
    }
}

impl Server {
    /// New guests who do not connect.
    pub(crate) async fn guests<const N: usize>(&self) -> [Guest; N] {
        let api = self.api();
        let mut guests = Vec::new();
        for _ in 0..N {
            let session = api.guest(&Device::generate()).await.unwrap();
            guests.push(Guest {
                id: session.player_id,
                token: session.access_token,
                api: api.clone(),
            });
        }
        guests.try_into().ok().unwrap()
    }

    /// The REST side of connected players.
    pub(crate) fn guests_of<const N: usize>(&self, players: [&Player; N]) -> [Guest; N] {
        players.map(|player| Guest {
            id: player.id.clone(),
            token: player.token.clone(),
            api: self.api(),
        })
    }

    /// A request; without a token if that is empty.
    pub(crate) async fn rest(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: impl ToString,
    ) -> Answer {
        let token = Some(token).filter(|token| !token.is_empty());
        request(&self.api(), method, path, token, body.to_string()).await
    }

    /// `GET`.
    pub(crate) async fn read(&self, path: &str, token: &str) -> Answer {
        self.rest("GET", path, token, "").await
    }
}
