//! Requests over HTTP.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::endpoint::Endpoint;
use crate::{Error, Result, ServerError};

/// Largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;
#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;

/// A server's REST API. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    timeout: Duration,
    pool: Pool<Connector, Full<Bytes>>,
}

/// An answer as it came, refused or not.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The body as a value, or the server's error if the status is none of success.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        if !(200..300).contains(&self.status) {
            return Err(self.error().into());
        }
        asobi_wire::json::read(&self.body)
            .map_err(|error| Error::Unexpected(format!("{error} in {}", self.text())))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The error in this answer. `retry_after` is taken from the header when the body, from a
    /// proxy perhaps, does not tell.
    fn error(&self) -> ServerError {
        let mut error = ServerError::parse(Some(self.status), &self.body)
            .unwrap_or_else(|| ServerError::foreign(self.status, &self.body));
        let header = self.headers.get(http::header::RETRY_AFTER);
        let seconds = header.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if let (None, Some(seconds)) = (error.retry_after(), seconds) {
            error.details.insert("retry_after".into(), seconds.into());
        }
        error
    }
}

impl Api {
    /// The API of the server at `url`, such as `http://127.0.0.1:8084`. Nothing is sent yet.
    pub fn new(url: &str) -> Result<Self> {
        Self::build(url, None)
    }

    /// As [`Self::new`], connecting from a local address of one's choice.
    pub fn from_address(url: &str, local: IpAddr) -> Result<Self> {
        Self::build(url, Some(local))
    }

    fn build(url: &str, local: Option<IpAddr>) -> Result<Self> {
        let base = Endpoint::parse(url)?.http();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_local_address(local);
        #[cfg(feature = "tls")]
        let connector = crate::tls::http(connector);
        let pool = Pool::builder(TokioExecutor::new()).build(connector);
        let timeout = Duration::from_secs(30);
        Ok(Self {
            base,
            timeout,
            pool,
        })
    }

    /// How long a request may take. Default 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The server's base URL, which [`crate::Client::connect`] takes too.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// `GET path`, such as `/api/v1/matches`. `token` is an access token.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, token: Option<&str>) -> Result<T> {
        self.call(Method::GET, path, token, None::<&()>).await
    }

    /// `POST path` with a JSON body.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T> {
        self.call(Method::POST, path, token, Some(body)).await
    }

    /// A request with any method. An answer that is no success is [`Error::Server`].
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&impl Serialize>,
    ) -> Result<T> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut bytes = Bytes::new();
        if let Some(body) = body {
            request = request.header("content-type", "application/json");
            bytes = serde_json::to_vec(body).map_err(Error::Encode)?.into();
        }
        let request = request.body(bytes).map_err(Error::network)?;
        self.exchange(request).await?.read()
    }

    /// Sends a request as it is and gives the answer as it is, refused or not. The request's
    /// URI is a path; method, headers and body are the caller's.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response> {
        let answer = tokio::time::timeout(self.timeout, self.exchange_unbounded(request));
        answer.await.map_err(|_| Error::Timeout(self.timeout))?
    }

    async fn exchange_unbounded(&self, request: Request<Bytes>) -> Result<Response> {
        let (mut parts, body) = request.into_parts();
        let url = format!("{}{}", self.base, parts.uri);
        parts.uri = url.parse().map_err(|_| Error::Address(url))?;
        let request = Request::from_parts(parts, Full::new(body));
        let answer = self.pool.request(request).await.map_err(Error::network)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(Error::Network)?;
        Ok(Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }
}
