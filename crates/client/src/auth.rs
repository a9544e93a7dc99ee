//! Signing in: accounts, guests, tokens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Api, Result};

/// What signing in gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The player.
    pub player_id: String,
    /// Proves who one is, for a short time: REST's bearer token and the socket's.
    pub access_token: String,
    /// Gives a new pair of tokens, once.
    pub refresh_token: String,
    /// The player's name.
    pub username: String,
    /// Whether the account was made just now (guests only).
    #[serde(default)]
    pub created: bool,
    /// Whether the player is a guest.
    #[serde(default)]
    pub guest: bool,
    /// Whether the player was a guest until now.
    #[serde(default)]
    pub upgraded: bool,
}

/// A pair of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Proves who one is, for a short time.
    pub access_token: String,
    /// Gives a new pair of tokens, once.
    pub refresh_token: String,
}

/// A device's credential as a guest. Keep it like a password: whoever has it is the player.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which device.
    pub device_id: String,
    /// Its secret: base64 of at least 32 random bytes.
    pub device_secret: String,
}

impl Device {
    /// A new pair from the system's random numbers: a new guest.
    pub fn generate() -> Self {
        let mut bytes = [0; 48];
        rand::rng().fill_bytes(&mut bytes);
        Self {
            device_id: BASE64.encode(&bytes[..16]),
            device_secret: BASE64.encode(&bytes[16..]),
        }
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device")
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Makes an account. Refused with `auth.username_taken`, or `validation_failed` whose
    /// details name the fields.
    pub async fn register(&self, username: &str, password: &str) -> Result<Session> {
        self.credentials("register", username, password).await
    }

    /// Signs in. Refused with `auth.invalid_credentials`.
    pub async fn login(&self, username: &str, password: &str) -> Result<Session> {
        self.credentials("login", username, password).await
    }

    async fn credentials(&self, verb: &str, username: &str, password: &str) -> Result<Session> {
        let body = json!({"username": username, "password": password});
        self.post(&format!("/api/v1/auth/{verb}"), None, &body)
            .await
    }

    /// Trades a refresh token for a new pair. The old one is burnt; using it again revokes
    /// every token that came from the same sign-in.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens> {
        let body = json!({"refresh_token": refresh_token});
        self.post("/api/v1/auth/refresh", None, &body).await
    }

    /// Revokes the access token and, when given, the refresh token with all its kin.
    pub async fn logout(&self, access_token: &str, refresh_token: Option<&str>) -> Result<()> {
        let body = match refresh_token {
            Some(token) => json!({"refresh_token": token}),
            None => json!({}),
        };
        let path = "/api/v1/auth/logout";
        let _: Value = self.post(path, Some(access_token), &body).await?;
        Ok(())
    }

    /// Makes the guest of this device, or resumes it. Refused with `guest.disabled`,
    /// `guest.invalid_device_secret` and others.
    pub async fn guest(&self, device: &Device) -> Result<Session> {
        self.post("/api/v1/auth/guest", None, device).await
    }

    /// Gives the guest a name and a password. Its device pair and all its tokens stop working;
    /// the answer has new ones.
    pub async fn upgrade_guest(
        &self,
        access_token: &str,
        username: &str,
        password: &str,
    ) -> Result<Session> {
        let body = json!({"username": username, "password": password});
        let path = "/api/v1/auth/guest/upgrade";
        self.post(path, Some(access_token), &body).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_secret_is_long_new_and_not_shown() {
        let (one, other) = (Device::generate(), Device::generate());
        assert_ne!(one, other);
        let secret = BASE64.decode(&one.device_secret).expect("base64");
        assert_eq!(secret.len(), 32);
        assert!(!format!("{one:?}").contains(&one.device_secret));
    }
}
