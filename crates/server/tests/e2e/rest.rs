//! A REST call with whatever body, and its answer whatever it is.

use axum::http::Request;
use serde_json::Value;

use crate::server::Server;

/// An answer.
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

    /// The body of a refusal with this code.
    #[track_caller]
    pub(crate) fn refused(self, code: &str) -> Value {
        assert_eq!(self.body["error"]["code"], code, "{self:?}");
        assert!(self.status >= 400);
        self.body
    }
}

impl Server {
    /// Sends a request below `/api/v1`.
    pub(crate) async fn rest(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: impl ToString,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(body.to_string().into()).unwrap();
        let answer = self.api().exchange(request).await.unwrap();
        Answer {
            status: answer.status,
            body: serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
        }
    }

    /// `GET`.
    pub(crate) async fn read(&self, path: &str, token: &str) -> Answer {
        self.rest("GET", path, token, "").await
    }
}
