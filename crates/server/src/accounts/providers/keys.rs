//! A provider's public keys: found by its discovery document, kept, and fetched again when they
//! are old or a token names one that is not there.
//!
//! Fetching is single flight, and happens at most once in `auth.provider_refresh_seconds`
//! whatever tokens arrive. When the provider cannot be reached, the keys at hand count for a
//! while longer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse, RSAKeyParameters,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use parking_lot::RwLock;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::claims::TENANT;
use crate::config::AuthConfig;
use crate::outbound::{NoAnswer, Outbound, is_trustworthy};

/// How long keys count when the provider cannot be reached.
const MAX_AGE_UNREACHABLE: Duration = Duration::from_secs(24 * 60 * 60);

/// A shorter RSA key can be broken.
const MIN_RSA_BYTES: usize = 256;

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A key that signs.
pub(super) struct Key {
    id: Option<String>,
    /// What it signs with. The key decides this, never the token: a token that picks its own
    /// way of being checked is how signatures are forged.
    algorithms: Vec<Algorithm>,
    /// Checks its signatures.
    pub(super) verifying: DecodingKey,
    /// The issuer it signs for, where that is said.
    pub(super) issuer: Option<String>,
}

impl Key {
    /// None: it is no key that signs, or not one that is understood.
    fn read(jwk: &Value) -> Option<Self> {
        let issuer = jwk["issuer"].as_str().map(str::to_owned);
        let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        let common = &jwk.common;
        let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let verifies = common
            .key_operations
            .as_ref()
            .is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !signs || !verifies {
            return None;
        }
        let mut algorithms = algorithms(&jwk.algorithm).to_vec();
        if let Some(only) = common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|one| *one == only);
        }
        (!algorithms.is_empty()).then_some(Self {
            id: common.key_id.clone(),
            algorithms,
            verifying: DecodingKey::from_jwk(&jwk).ok()?,
            issuer,
        })
    }
}

/// What a key of this kind can sign with. Shared secrets are never keys of a provider.
fn algorithms(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    match parameters {
        AlgorithmParameters::RSA(rsa) if is_long(rsa) => RSA,
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        _ => &[],
    }
}

fn is_long(rsa: &RSAKeyParameters) -> bool {
    let Ok(key) = DecodingKey::from_rsa_components(&rsa.n, &rsa.e) else {
        return false;
    };
    match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => {
            n.iter().skip_while(|byte| **byte == 0).count() >= MIN_RSA_BYTES
        }
        DecodingKeyKind::SecretOrDer(_) => false,
    }
}

/// A provider's keys at one time.
pub(super) struct KeySet {
    /// What the provider calls itself in its tokens, perhaps with [`TENANT`] in it.
    pub(super) issuer: String,
    keys: Vec<Key>,
}

impl KeySet {
    /// The key of this id that signs with this algorithm. A token without an id means the only
    /// key there is for it.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let fits = |key: &&Key| {
            key.algorithms.contains(&algorithm) && (id.is_none() || key.id.as_deref() == id)
        };
        let mut fitting = self.keys.iter().filter(fits);
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(first)
    }
}

/// Where a provider's keys come from, and those at hand.
pub(super) struct Keys {
    name: String,
    issuer: Url,
    outbound: Outbound,
    timeout: Duration,
    lifetime: Duration,
    least_pause: Duration,
    current: RwLock<Option<(Instant, Arc<KeySet>)>>,
    /// Held while fetching; when that was last done.
    fetched: Mutex<Option<Instant>>,
}

impl Keys {
    /// Asks nobody yet.
    pub(super) fn new(name: &str, issuer: Url, config: &AuthConfig, outbound: Outbound) -> Self {
        Self {
            name: name.to_owned(),
            issuer,
            outbound,
            timeout: Duration::from_millis(config.provider_timeout_ms.max(1)),
            lifetime: Duration::from_secs(config.provider_keys_minutes.saturating_mul(60)),
            least_pause: Duration::from_secs(config.provider_refresh_seconds),
            current: RwLock::default(),
            fetched: Mutex::default(),
        }
    }

    /// The keys to check a token by that names this key. None: there are none, for the provider
    /// cannot be reached.
    pub(super) async fn set_for(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Option<Arc<KeySet>> {
        let known = self.younger_than(self.lifetime);
        if let Some(set) = known.filter(|set| set.find(id, algorithm).is_some()) {
            return Some(set);
        }
        let asked = Instant::now();
        let keys = Arc::clone(self);
        // A task of its own: a client that goes away must not stop what others wait for.
        let refreshed = tokio::spawn(async move { keys.refresh(asked).await }).await;
        if let Err(error) = refreshed {
            tracing::error!(provider = %self.name, %error, "fetching keys failed");
        }
        self.younger_than(MAX_AGE_UNREACHABLE.max(self.lifetime))
    }

    fn younger_than(&self, age: Duration) -> Option<Arc<KeySet>> {
        let current = self.current.read();
        let (at, set) = current.as_ref()?;
        (at.elapsed() <= age).then(|| Arc::clone(set))
    }

    /// Fetches the keys, unless that was done since `asked` or a moment ago.
    async fn refresh(&self, asked: Instant) {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_some_and(|at| at >= asked || at.elapsed() < self.least_pause) {
            return;
        }
        match self.fetch().await {
            Ok(set) => *self.current.write() = Some((Instant::now(), Arc::new(set))),
            Err(error) => {
                tracing::warn!(provider = %self.name, %error, "cannot fetch an identity provider's keys");
            }
        }
        *fetched = Some(Instant::now());
    }

    async fn fetch(&self) -> Result<KeySet, Unusable> {
        let deadline = Instant::now() + self.timeout;
        let document: Discovery = self.outbound.get(self.discovery(), self.timeout).await?;
        if !is_same(&document.issuer, self.issuer.as_str()) {
            return Err(Unusable::Issuer(document.issuer));
        }
        let address = Url::parse(&document.jwks_uri).ok();
        let address = address
            .filter(is_trustworthy)
            .ok_or(Unusable::KeysAddress)?;
        let rest = deadline.saturating_duration_since(Instant::now());
        let set: Jwks = self.outbound.get(address, rest).await?;
        let keys: Vec<_> = set.keys.iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(Unusable::NoKeys);
        }
        Ok(KeySet {
            issuer: document.issuer,
            keys,
        })
    }

    fn discovery(&self) -> Url {
        let mut url = self.issuer.clone();
        let path = url.path().trim_end_matches('/');
        url.set_path(&format!("{path}/.well-known/openid-configuration"));
        url
    }
}

/// Whether a document's issuer is the one it was asked for as. A slash at the end is a matter of
/// taste. Who signs for many tenants writes a gap where the address has a word such as `common`.
fn is_same(named: &str, configured: &str) -> bool {
    let trim = |issuer: &str| issuer.trim_end_matches('/').to_owned();
    let (named, configured) = (trim(named), trim(configured));
    match named.split_once(TENANT) {
        None => named == configured,
        Some((before, after)) => configured
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|word| !word.is_empty() && !word.contains('/')),
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

/// Why a provider's keys cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the discovery document is of another issuer: {0:?}")]
    Issuer(String),
    #[error("the address of the keys is none, or not https")]
    KeysAddress,
    #[error("there is no key that signs in a way that is understood")]
    NoKeys,
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";

    fn ec(change: Value) -> Value {
        let mut key = json!({"kty": "EC", "crv": "P-256", "x": X, "y": X, "kid": "1"});
        for (name, value) in change.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    fn signs(jwk: &Value) -> Vec<Algorithm> {
        Key::read(jwk).unwrap().algorithms
    }

    #[test]
    fn a_key_says_how_it_signs() {
        let rsa = |bytes: usize| {
            let modulus = [&[0][..], &vec![0xbb; bytes]].concat();
            json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
        };
        assert_eq!(signs(&ec(json!({}))), [Algorithm::ES256]);
        assert_eq!(signs(&ec(json!({"use": "sig", "alg": "ES256"}))).len(), 1);
        assert_eq!(signs(&ec(json!({"crv": "P-384"}))), [Algorithm::ES384]);
        assert_eq!(signs(&rsa(256)), RSA);
        for bad in [
            rsa(255),
            ec(json!({"use": "enc"})),
            ec(json!({"key_ops": ["encrypt"]})),
            ec(json!({"alg": "RS256"})),
            ec(json!({"alg": "HS256"})),
            ec(json!({"alg": "none"})),
            ec(json!({"crv": "P-521"})),
            ec(json!({"crv": "secp256k1"})),
            ec(json!({"x": "not base64!"})),
            json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({}),
            json!(7),
        ] {
            assert!(Key::read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_token_without_a_key_id_means_the_only_key() {
        let set = |keys: &[Value]| KeySet {
            issuer: String::new(),
            keys: keys.iter().filter_map(Key::read).collect(),
        };
        let one = set(&[ec(json!({}))]);
        assert!(one.find(None, Algorithm::ES256).is_some());
        assert!(one.find(Some("1"), Algorithm::ES256).is_some());
        assert!(one.find(Some("2"), Algorithm::ES256).is_none());
        assert!(one.find(Some("1"), Algorithm::RS256).is_none());
        let two = set(&[ec(json!({})), ec(json!({"kid": "2"}))]);
        assert!(two.find(None, Algorithm::ES256).is_none());
        assert!(two.find(Some("2"), Algorithm::ES256).is_some());
    }

    #[test]
    fn a_document_is_of_the_issuer_it_was_asked_for_as() {
        const COMMON: &str = "https://login.microsoftonline.com/common/v2.0";
        const MANY: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
        assert!(is_same("https://id.example", "https://id.example/"));
        assert!(is_same("https://id.example/", "https://id.example"));
        assert!(is_same(MANY, COMMON));
        for (named, configured) in [
            ("https://evil.example", "https://id.example"),
            ("https://evil.example/{tenantid}/v2.0", COMMON),
            (MANY, "https://login.microsoftonline.com/a/b/v2.0"),
            (MANY, "https://login.microsoftonline.com//v2.0"),
            ("{tenantid}", "https://id.example"),
            ("", "https://id.example"),
        ] {
            assert!(!is_same(named, configured), "{named} {configured}");
        }
    }
}
