//! Settings of what stands outside the server: identity providers, Steam, a gate.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::Secret;

/// One identity provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OidcProvider {
    /// The provider's address, such as `https://accounts.google.com`. `https`, or `http` on this
    /// machine.
    pub issuer: String,
    /// Client ids whose tokens count; those of iOS, Android and the web differ.
    #[serde(deserialize_with = "texts")]
    pub client_ids: Vec<String>,
    /// One more client id, for when there is only one.
    #[serde(deserialize_with = "text")]
    pub client_id: String,
    /// Not used: an ID token is checked by the provider's public keys. Accepted because
    /// settings for the original hold it.
    #[serde(deserialize_with = "secret")]
    pub client_secret: Secret,
}

/// Sign-in with Steam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SteamConfig {
    /// Key of the Steam Web API, from the partner site. Empty: no sign-in with Steam.
    #[serde(deserialize_with = "secret")]
    pub api_key: Secret,
    /// The game's app id.
    #[serde(deserialize_with = "text")]
    pub app_id: String,
    /// What the game passes as the identity when it asks for a ticket, so that tickets made for
    /// another service do not count. Empty: not asked for.
    #[serde(deserialize_with = "text")]
    pub identity: String,
    /// Address of the Steam Web API. `https`, or `http` on this machine.
    pub api_url: String,
}

impl Default for SteamConfig {
    fn default() -> Self {
        Self {
            api_key: Secret::default(),
            app_id: String::new(),
            identity: String::new(),
            api_url: "https://api.steampowered.com".into(),
        }
    }
}

/// A service that is asked before anybody registers, plays as a guest or signs in through a
/// provider: a CAPTCHA, an attestation. It gets a POST with `{"ip", "path", "headers", "token"}`
/// and answers `{"allow": true}` or `{"allow": false, "reason": "..."}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateConfig {
    /// The service's address. Empty: nobody is asked.
    pub url: String,
    /// Longest the service may take to answer, in milliseconds.
    pub timeout_ms: u64,
    /// What to do when the service does not answer, or answers something else: `deny` or `skip`.
    pub on_error: GateFailure,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            timeout_ms: 5_000,
            on_error: GateFailure::Deny,
        }
    }
}

/// What a gate that fails means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GateFailure {
    /// Nobody comes in.
    Deny,
    /// Everybody comes in.
    Skip,
}

/// Text that may look like a number: ids often do, and the environment has no quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Number(u64),
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::Text(text) => text,
            Text::Number(number) => number.to_string(),
        }
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Text::deserialize(deserializer).map(String::from)
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<Text>::deserialize(deserializer)?;
    Ok(texts.into_iter().map(String::from).collect())
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    text(deserializer).map(Secret::from)
}
