//! Access tokens, which are signed and verified without the database, and refresh tokens, which
//! are random and known to the database by their hash only.
//!
//! Both name the family they belong to: all that came from one sign-in. Ending a family deletes
//! its refresh tokens and, because a signed token cannot be taken back, remembers the family in
//! memory until the last of its access tokens has expired.

use std::collections::HashMap;

use anyhow::{bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::RwLock;
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{AuthConfig, Config};
use crate::sweep::Sweep;

/// Least length of the signing key in bytes: that of the signature, as RFC 7518 (3.2) asks.
const MIN_KEY_BYTES: usize = Config::MIN_SECRET_BYTES;

/// Random bytes in a refresh token.
const REFRESH_TOKEN_BYTES: usize = 32;

/// What an access token says. Times are Unix seconds, as in every JWT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// The player.
    pub(super) sub: String,
    /// The family.
    pub(super) fam: String,
    /// When it was issued.
    pub(super) iat: u64,
    /// When it ends.
    pub(super) exp: u64,
}

/// Signs and verifies access tokens.
pub(super) struct AccessTokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    lifetime_seconds: u64,
    revoked: RwLock<Revoked>,
}

/// Families whose access tokens are refused, and until when that matters (Unix seconds).
#[derive(Default)]
struct Revoked {
    families: HashMap<String, u64>,
    sweep: Sweep,
}

impl AccessTokens {
    /// Fails if the signing key is missing or short.
    pub(super) fn new(config: &AuthConfig) -> anyhow::Result<Self> {
        let secret = config.token_secret.expose().as_bytes();
        if secret.is_empty() {
            bail!(
                "auth.token_secret is not set: it signs access tokens, at least {MIN_KEY_BYTES} random bytes"
            );
        }
        ensure!(
            secret.len() >= MIN_KEY_BYTES,
            "auth.token_secret is too short: it must be at least {MIN_KEY_BYTES} bytes"
        );
        // Expiry is judged in `verify`, against a clock that tests can turn.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        Ok(Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            validation,
            lifetime_seconds: config.access_token_minutes.saturating_mul(60),
            revoked: RwLock::default(),
        })
    }

    /// How long a token lives, in seconds.
    pub(super) fn lifetime_seconds(&self) -> u64 {
        self.lifetime_seconds
    }

    /// A token for a player. `now` is Unix seconds.
    pub(super) fn sign(&self, player: &str, family: &str, now: u64) -> String {
        let claims = Claims {
            sub: player.to_owned(),
            fam: family.to_owned(),
            iat: now,
            exp: now.saturating_add(self.lifetime_seconds),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .expect("plain claims can be signed with a shared key")
    }

    /// What a token of ours says, be it expired or revoked. None: it is not ours.
    pub(super) fn read(&self, token: &str) -> Option<Claims> {
        jsonwebtoken::decode(token, &self.verifying, &self.validation)
            .ok()
            .map(|token| token.claims)
    }

    /// What a token says, if it counts at `now` (Unix seconds).
    pub(super) fn verify(&self, token: &str, now: u64) -> Option<Claims> {
        let claims = self.read(token)?;
        // The second end is for tokens from before the lifetime was shortened: revocations are
        // kept for the present lifetime only.
        let end = claims
            .exp
            .min(claims.iat.saturating_add(self.lifetime_seconds));
        let live = now < end && !self.is_revoked(&claims.fam);
        live.then_some(claims)
    }

    /// Whether a family's tokens are refused.
    pub(super) fn is_revoked(&self, family: &str) -> bool {
        self.revoked.read().families.contains_key(family)
    }

    /// Refuses a family's tokens from here on. `revoked_at` and `now` are Unix seconds.
    pub(super) fn revoke(&self, family: String, revoked_at: u64, now: u64) {
        let mut locked = self.revoked.write();
        let Revoked { families, sweep } = &mut *locked;
        sweep.look(families, |_, until| *until > now);
        // Both times are rounded down, hence one second more.
        let until = revoked_at.saturating_add(self.lifetime_seconds + 1);
        families.insert(family, until);
    }
}

/// A fresh refresh token.
pub(super) fn refresh_token() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<REFRESH_TOKEN_BYTES>())
}

/// What the database knows a refresh token by. A fast hash will do: the token is random.
pub(super) fn refresh_token_hash(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// Bytes nobody can guess, from the operating system.
pub(super) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn tokens(minutes: u64) -> AccessTokens {
        AccessTokens::new(&AuthConfig {
            token_secret: "k".repeat(32).into(),
            access_token_minutes: minutes,
            ..AuthConfig::default()
        })
        .unwrap()
    }

    fn unsigned(header: &str, claims: &Claims, signature: &str) -> String {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let claims = serde_json::to_vec(claims).unwrap();
        format!("{}.{}.{signature}", part(header.as_bytes()), part(&claims))
    }

    #[test]
    fn a_token_lives_for_its_lifetime() {
        let tokens = tokens(60);
        let token = tokens.sign("ada", "f", NOW);
        assert_eq!(tokens.verify(&token, NOW).unwrap().sub, "ada");
        assert!(tokens.verify(&token, NOW + 3_599).is_some());
        assert!(tokens.verify(&token, NOW + 3_600).is_none());
        assert_eq!(tokens.read(&token).unwrap().fam, "f");
    }

    #[test]
    fn a_shorter_lifetime_ends_tokens_from_before_it() {
        let token = tokens(60).sign("ada", "f", NOW);
        assert!(tokens(10).verify(&token, NOW + 599).is_some());
        assert!(tokens(10).verify(&token, NOW + 600).is_none());
    }

    #[test]
    fn forgeries_are_refused() {
        let tokens = tokens(60);
        let token = tokens.sign("ada", "f", NOW);
        let signature = token.rsplit('.').next().unwrap();
        let claims = Claims {
            sub: "eve".into(),
            ..tokens.read(&token).unwrap()
        };
        let forged = [
            unsigned(r#"{"alg":"none"}"#, &claims, ""),
            unsigned(r#"{"alg":"none"}"#, &claims, signature),
            unsigned(r#"{"alg":"HS256","typ":"JWT"}"#, &claims, signature),
            unsigned(r#"{"alg":"HS512","typ":"JWT"}"#, &claims, signature),
            token[..token.len() - 1].to_owned(),
            format!("{token}x"),
            String::new(),
            "..".to_owned(),
            "Bearer".to_owned(),
            "\u{202E}\0".to_owned(),
        ];
        for token in forged {
            assert_eq!(tokens.verify(&token, NOW), None, "{token}");
        }
    }

    #[test]
    fn another_key_signs_for_nobody() {
        let other = AccessTokens::new(&AuthConfig {
            token_secret: "o".repeat(32).into(),
            ..AuthConfig::default()
        })
        .unwrap();
        let token = other.sign("ada", "f", NOW);
        assert_eq!(tokens(60).verify(&token, NOW), None);
    }

    #[test]
    fn a_short_or_missing_key_does_not_start() {
        for secret in ["", "short", &"k".repeat(31)] {
            let config = AuthConfig {
                token_secret: secret.to_owned().into(),
                ..AuthConfig::default()
            };
            assert!(AccessTokens::new(&config).is_err());
        }
    }

    #[test]
    fn revoking_ends_a_family_and_only_that() {
        let tokens = tokens(60);
        let (one, two) = (tokens.sign("ada", "1", NOW), tokens.sign("ada", "2", NOW));
        tokens.revoke("1".into(), NOW, NOW);
        assert!(tokens.verify(&one, NOW).is_none());
        assert!(tokens.verify(&two, NOW).is_some());
    }

    #[test]
    fn memory_of_revocations_is_swept_when_their_tokens_have_expired() {
        let tokens = tokens(1);
        for n in 0..10_000 {
            tokens.revoke(n.to_string(), NOW + n, NOW + n);
        }
        let kept = tokens.revoked.read().families.len();
        assert!((60..2_000).contains(&kept), "{kept}");
    }

    #[test]
    fn refresh_tokens_are_random_and_hashed() {
        let token = refresh_token();
        assert_eq!(token.len(), 43);
        assert_ne!(token, refresh_token());
        assert_eq!(
            refresh_token_hash("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
