//! One identity provider, by OpenID Connect.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, Validation};
use reqwest::Url;

use super::claims::{Claims, Expected};
use super::keys::{Key, Keys};
use super::{Rejected, Vouched};
use crate::clock::now_ms;
use crate::config::{AuthConfig, OidcProvider};
use crate::outbound::{Outbound, is_trustworthy};

/// Longest token that is looked at. Those of the large providers have 1 to 3 KB.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A provider and what it has to say about us.
pub(super) struct Oidc {
    client_ids: Vec<String>,
    keys: Arc<Keys>,
}

impl Oidc {
    /// A configured provider, or what is wrong with its settings.
    pub(super) fn new(
        name: &str,
        provider: &OidcProvider,
        config: &AuthConfig,
        outbound: Outbound,
    ) -> Result<Self, &'static str> {
        let issuer = issuer(&provider.issuer)?;
        let ids = provider.client_ids.iter().chain([&provider.client_id]);
        let client_ids: Vec<_> = ids.filter(|id| !id.is_empty()).cloned().collect();
        if client_ids.is_empty() {
            return Err("client_ids is not set");
        }
        Ok(Self {
            client_ids,
            keys: Arc::new(Keys::new(name, issuer, config, outbound)),
        })
    }

    /// Whom an ID token vouches for.
    pub(super) async fn verify(&self, token: &str) -> Result<Vouched, Rejected> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejected::InvalidToken);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Rejected::InvalidToken)?;
        // What must be understood is not: RFC 7515, 4.1.11.
        if header.crit.is_some() || is_shared_secret(header.alg) {
            return Err(Rejected::InvalidToken);
        }
        let id = header.kid.as_deref();
        let set = self
            .keys
            .set_for(id, header.alg)
            .await
            .ok_or(Rejected::Unavailable)?;
        let key = set.find(id, header.alg).ok_or(Rejected::InvalidToken)?;
        claims(token, header.alg, key)?.check(&Expected {
            issuer: &set.issuer,
            key_issuer: key.issuer.as_deref(),
            client_ids: &self.client_ids,
            now: now_ms() as f64 / 1_000.0,
        })
    }
}

fn issuer(text: &str) -> Result<Url, &'static str> {
    if text.is_empty() {
        return Err("issuer is not set");
    }
    let issuer = Url::parse(text).map_err(|_| "issuer is no address")?;
    if !is_trustworthy(&issuer) {
        return Err("issuer must be https, or http on this machine");
    }
    if issuer.query().is_some() || issuer.fragment().is_some() {
        return Err("issuer must have neither a query nor a fragment");
    }
    Ok(issuer)
}

fn is_shared_secret(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512
    )
}

/// The claims of a token this key signed; they are judged by [`Claims::check`].
fn claims(token: &str, algorithm: Algorithm, key: &Key) -> Result<Claims, Rejected> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, &key.verifying, &validation)
        .map(|token| token.claims)
        .map_err(|_| Rejected::InvalidToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(issuer: &str, client_id: &str) -> Option<&'static str> {
        let provider = OidcProvider {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            ..OidcProvider::default()
        };
        Oidc::new("x", &provider, &AuthConfig::default(), Outbound::default()).err()
    }

    #[test]
    fn a_provider_needs_an_issuer_to_trust_and_a_client() {
        assert_eq!(problem("https://accounts.google.com", "game"), None);
        assert_eq!(problem("http://127.0.0.1:1", "game"), None);
        for bad in [
            "",
            "accounts.google.com",
            "http://accounts.google.com",
            "ftp://accounts.google.com",
            "https://id.example/?x=1",
        ] {
            assert!(problem(bad, "game").is_some(), "{bad}");
        }
        assert!(problem("https://accounts.google.com", "").is_some());
    }
}
