//! Requests this server makes itself: to identity providers, to Steam, to an operator's gate.
//!
//! Whoever answers is outside, so every answer has a time limit and a size limit, and no
//! redirect is followed: an address is one the operator configured, or one that a configured
//! provider named over an encrypted connection.

use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Largest answer that is read, in bytes. The key sets of the large providers take 2 to 30 KB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The one HTTP client, made when it is first used: a server that asks nobody starts without.
/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Outbound(Arc<OnceLock<Client>>);

/// Why there is no answer. The text is for the log; no address is in it, for addresses hold keys.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It could not be asked, or did not answer in time.
    #[error("{0}")]
    Unreachable(String),
    /// It answered with another status than 200.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// Its answer is over the size limit.
    #[error("the answer is over {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    /// Its answer is not the JSON that was expected.
    #[error("the answer is not as expected: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::Unreachable(text)
    }
}

impl Outbound {
    /// What a GET answers: a JSON object.
    pub async fn get<T: DeserializeOwned>(
        &self,
        url: Url,
        within: Duration,
    ) -> Result<T, NoAnswer> {
        answer(self.client().get(url), within).await
    }

    /// What a POST of JSON answers: a JSON object.
    pub async fn post<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &impl Serialize,
        within: Duration,
    ) -> Result<T, NoAnswer> {
        answer(self.client().post(url).json(body), within).await
    }

    fn client(&self) -> &Client {
        self.0.get_or_init(|| {
            Client::builder()
                .tls_backend_preconfigured(tls())
                .redirect(Policy::none())
                .build()
                .expect("these options suit each other")
        })
    }
}

async fn answer<T: DeserializeOwned>(
    request: RequestBuilder,
    within: Duration,
) -> Result<T, NoAnswer> {
    // Counts until the last byte of the body.
    let mut response = request.timeout(within).send().await?;
    if response.status() != StatusCode::OK {
        return Err(NoAnswer::Status(response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(NoAnswer::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    // An object: serde would take a list for one as well.
    let object: Map<String, Value> = asobi_wire::json::read(&body)?;
    Ok(T::deserialize(Value::Object(object))?)
}

/// Trusts Mozilla's authorities, so that an image without any works, and those of the machine,
/// so that a company's own do (`SSL_CERT_FILE` names them).
fn tls() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Whether nobody on the way can change what this address answers: it is encrypted, or on this
/// machine.
pub fn is_trustworthy(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_do_without_encryption() {
        let trusted = |text: &str| is_trustworthy(&text.parse().unwrap());
        for good in [
            "https://accounts.google.com",
            "http://127.0.0.1:9000/x",
            "http://[::1]:9000",
            "http://localhost",
        ] {
            assert!(trusted(good), "{good}");
        }
        for bad in [
            "http://accounts.google.com",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
        ] {
            assert!(!trusted(bad), "{bad}");
        }
    }
}
