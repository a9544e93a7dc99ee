//! Password hashes: argon2id, a few at a time.
//!
//! One hash takes `auth.hash_memory_kib` and tens of milliseconds. A flood of registrations
//! therefore queues, and past `auth.hashing_queue` is told to come back.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use super::bounded::{Bounded, Full};
use crate::config::AuthConfig;
use crate::edge::error::Outcome;
use crate::edge::limits::rate_limited;

/// When to come back after finding the queue full. A guess: it empties within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Hashes passwords.
pub(super) struct Passwords {
    argon2: Arc<Argon2<'static>>,
    pool: Bounded,
}

impl Passwords {
    /// Fails on settings argon2 does not take.
    pub(super) fn new(config: &AuthConfig) -> anyhow::Result<Self> {
        let params = Params::new(config.hash_memory_kib, config.hash_passes, 1, None)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("auth.hash_memory_kib and auth.hash_passes do not suit argon2")?;
        Ok(Self {
            argon2: Arc::new(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)),
            pool: Bounded::new(config.hashing_threads, config.hashing_queue),
        })
    }

    /// The hash of a password, as a PHC string. `rate_limited` when too many wait.
    pub(super) async fn hash(&self, password: &str) -> Outcome<String> {
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        self.run(move || {
            argon2
                .hash_password(password.as_bytes())
                .expect("a password of bounded length can be hashed")
                .to_string()
        })
        .await
    }

    /// Whether this is the password of that hash. Without a hash it is not, at the same cost:
    /// the time an answer takes does not tell whether there is such a player.
    pub(super) async fn verify(&self, password: &str, hash: Option<String>) -> Outcome<bool> {
        let Some(hash) = hash else {
            self.hash(password).await?;
            return Ok(false);
        };
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        self.run(move || {
            argon2
                .verify_password(password.as_bytes(), hash.as_str())
                .is_ok()
        })
        .await
    }

    /// The most hashes that were ever computed at once.
    pub(super) fn peak(&self) -> usize {
        self.pool.peak()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Outcome<T> {
        let done = self.pool.run(work).await;
        done.map_err(|Full| rate_limited(RETRY_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use asobi_wire::Code;

    use super::*;

    fn config(queue: usize) -> AuthConfig {
        AuthConfig {
            hash_memory_kib: 64,
            hash_passes: 1,
            hashing_queue: queue,
            ..AuthConfig::default()
        }
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let passwords = Passwords::new(&config(8)).unwrap();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let verify = |password| passwords.verify(password, Some(hash.clone()));
        assert!(verify("correct horse").await.unwrap());
        assert!(!verify("correct hors").await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        let broken = Some("not a hash".to_owned());
        assert!(!passwords.verify("correct horse", broken).await.unwrap());
    }

    #[tokio::test]
    async fn equal_passwords_have_different_hashes() {
        let passwords = Passwords::new(&config(8)).unwrap();
        let (one, two) = tokio::join!(passwords.hash("same"), passwords.hash("same"));
        assert_ne!(one.unwrap(), two.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_says_when_to_come_back() {
        let passwords = Passwords::new(&config(0)).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let busy = passwords.pool.run(move || held.recv());
        let second = async {
            let refused = passwords.hash("second").await;
            drop(release);
            refused.unwrap_err()
        };
        let (_, error) = tokio::join!(busy, second);
        assert_eq!(error.code, Code::RateLimited);
        assert_eq!(error.details()["retry_after"], 5);
    }

    #[test]
    fn settings_argon2_refuses_do_not_start() {
        let config = AuthConfig {
            hash_passes: 0,
            ..AuthConfig::default()
        };
        assert!(Passwords::new(&config).is_err());
    }
}
