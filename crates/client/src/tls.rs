//! TLS, with the certificates the system trusts (or those of `SSL_CERT_FILE`).

use std::sync::{Arc, OnceLock};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};

/// Loaded once: reading the system's certificates takes milliseconds.
pub(crate) fn config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    CONFIG.get_or_init(|| Arc::new(build())).clone()
}

fn build() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(crate) fn http(mut connector: HttpConnector) -> HttpsConnector<HttpConnector> {
    connector.enforce_http(false);
    HttpsConnectorBuilder::new()
        .with_tls_config((*config()).clone())
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector)
}
