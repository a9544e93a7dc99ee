//! Where the server is.

use http::Uri;

use crate::{Error, Result};

/// A server's address, taken from any of the URLs people write for it: `http://host:port`,
/// `https://...`, `ws://host:port/ws`, `wss://...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let invalid = |why: &str| Error::Address(format!("{url}: {why}"));
        let uri: Uri = url.parse().map_err(|_| invalid("not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(invalid("expected http, https, ws or wss")),
        };
        if tls && cfg!(not(feature = "tls")) {
            return Err(invalid("built without the `tls` feature"));
        }
        let host = uri.host().ok_or_else(|| invalid("no host"))?;
        Ok(Self {
            tls,
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The host as a resolver wants it: an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> bool {
        self.tls
    }

    /// The base of REST requests, without a trailing slash. A socket URL's path is left out.
    pub(crate) fn http(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let path = self.path.strip_suffix("/ws").unwrap_or(&self.path);
        format!("{scheme}://{}:{}{path}", self.host, self.port)
    }

    /// The socket's URL: `/ws` unless the URL already named a path.
    pub(crate) fn socket(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        let path = if self.path.is_empty() {
            "/ws"
        } else {
            &self.path
        };
        format!("{scheme}://{}:{}{path}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_kind_of_url_names_the_same_server() {
        for url in [
            "http://127.0.0.1:8084",
            "http://127.0.0.1:8084/",
            "ws://127.0.0.1:8084/ws",
        ] {
            let endpoint = Endpoint::parse(url).expect("valid");
            assert_eq!(endpoint.http(), "http://127.0.0.1:8084");
            assert_eq!(endpoint.socket(), "ws://127.0.0.1:8084/ws");
        }
    }

    #[test]
    fn an_ipv6_host_keeps_its_brackets_in_urls_only() {
        let endpoint = Endpoint::parse("http://[::1]:9").expect("valid");
        assert_eq!((endpoint.host(), endpoint.port()), ("::1", 9));
        assert_eq!(endpoint.socket(), "ws://[::1]:9/ws");
    }

    #[test]
    fn says_what_is_wrong_with_a_url() {
        for url in ["", "127.0.0.1", "ftp://x", "http://"] {
            assert!(
                matches!(Endpoint::parse(url), Err(Error::Address(_))),
                "{url}"
            );
        }
    }
}
