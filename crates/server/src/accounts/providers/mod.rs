//! Who vouches for players: identity providers by OpenID Connect ([`oidc`]), and Steam
//! ([`steam`]).
//!
//! A client brings what its platform gave it, an ID token or a ticket. What comes out is who the
//! provider says the player is, or a short label of why it says nothing.

mod claims;
mod keys;
mod oidc;
mod steam;

use std::collections::BTreeMap;

use asobi_wire::{ApiError, Code};
use serde_json::{Map, Value};

use self::oidc::Oidc;
use self::steam::Steam;
use super::store::GUEST;
use super::validate;
use crate::config::Config;
use crate::edge::error::Outcome;
use crate::outbound::Outbound;
use crate::text;

/// Longest id a provider may have for a player: what OpenID Connect allows a `sub`.
const MAX_UID_BYTES: usize = 255;
/// Longest address that is kept; none that can be written to is longer.
const MAX_EMAIL_BYTES: usize = 320;

/// The providers of this server.
pub(super) struct Providers {
    oidc: BTreeMap<String, Oidc>,
    steam: Option<Steam>,
}

/// Whom a provider vouches for.
#[derive(Debug, PartialEq)]
pub(super) struct Vouched {
    /// The provider's id of the player. It never changes.
    pub(super) uid: String,
    /// What the player is called there, if that can be shown to others.
    pub(super) display_name: Option<String>,
    /// What is kept about the player beside the id.
    pub(super) metadata: Map<String, Value>,
}

impl Vouched {
    /// None: no provider has such an id.
    fn new(uid: &str) -> Option<Self> {
        text::is_key(uid, MAX_UID_BYTES).then(|| Self {
            uid: uid.to_owned(),
            display_name: None,
            metadata: Map::new(),
        })
    }

    /// Takes the first of these names that can be shown. An e-mail address is no name: it is
    /// nobody else's to see.
    fn take_name(&mut self, names: &[Option<&str>]) {
        let named = names.iter().flatten().filter(|name| !name.contains('@'));
        let name = named
            .filter_map(|name| validate::display_name(name).ok())
            .next();
        if let Some(name) = &name {
            self.note("display_name", name.as_str());
        }
        self.display_name = name;
    }

    fn take_email(&mut self, email: Option<&str>) {
        if let Some(email) = email.filter(|email| text::is_key(email, MAX_EMAIL_BYTES)) {
            self.note("email", email);
        }
    }

    fn note(&mut self, key: &str, value: impl Into<Value>) {
        self.metadata.insert(key.to_owned(), value.into());
    }
}

/// Why a provider does not vouch for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rejected {
    /// It is no token, or not one this provider signed.
    InvalidToken,
    Expired,
    NotYetValid,
    WrongIssuer,
    WrongAudience,
    /// It is no Steam ticket, or not one of this game.
    InvalidTicket,
    /// The publisher banned the player on Steam.
    PublisherBanned,
    /// The provider could not be asked.
    Unavailable,
}

impl Rejected {
    fn label(self) -> &'static str {
        match self {
            Self::InvalidToken => "invalid_token",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::InvalidTicket => "invalid_ticket",
            Self::PublisherBanned => "publisher_banned",
            Self::Unavailable => "provider_unavailable",
        }
    }
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> Self {
        Self::from(Code::ProviderRejected).with("reason", rejected.label())
    }
}

impl Providers {
    /// The configured providers. One that cannot work is named in the log and left out: a slip
    /// in one way to sign in does not close the others.
    pub(super) fn new(config: &Config, outbound: &Outbound) -> Self {
        let mut oidc = BTreeMap::new();
        for (name, provider) in &config.oidc {
            let made = check_name(name)
                .and_then(|()| Oidc::new(name, provider, &config.auth, outbound.clone()));
            match made {
                Ok(provider) => {
                    oidc.insert(name.clone(), provider);
                }
                Err(problem) => {
                    tracing::error!(provider = %name, "identity provider disabled: {problem}");
                }
            }
        }
        let steam = Steam::new(config, outbound.clone()).unwrap_or_else(|problem| {
            tracing::error!(
                provider = steam::NAME,
                "identity provider disabled: {problem}"
            );
            None
        });
        Self { oidc, steam }
    }

    /// Whom a provider vouches for with this token.
    ///
    /// # Errors
    /// `auth.unsupported_provider`; `auth.provider_rejected` with a `reason`.
    pub(super) async fn verify(&self, provider: &str, token: &str) -> Outcome<Vouched> {
        let vouched = match (self.oidc.get(provider), &self.steam) {
            (Some(oidc), _) => oidc.verify(token).await,
            (None, Some(steam)) if provider == steam::NAME => steam.verify(token).await,
            _ => return Err(Code::UnsupportedProvider.into()),
        };
        Ok(vouched
            .inspect_err(|rejected| tracing::debug!(provider, ?rejected, "token rejected"))?)
    }
}

/// A provider's name begins usernames, and two names are taken.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name == GUEST || name == steam::NAME {
        return Err("the name is taken by another way to sign in");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !(1..=32).contains(&name.len()) || !name.chars().all(allowed) {
        return Err("a name must be 1 to 32 letters, digits, _ and -");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_mistaken_are_no_providers() {
        for good in ["google", "my-idp_2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["guest", "steam", "", "a b", "ä", &"x".repeat(33)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_shown_is_passed_over() {
        let mut vouched = Vouched::new("1").unwrap();
        let names = [
            None,
            Some("ada@example.org"),
            Some("a\u{202E}b"),
            Some(" Ada "),
        ];
        vouched.take_name(&names);
        assert_eq!(vouched.display_name.as_deref(), Some("Ada"));
        vouched.take_name(&[Some("")]);
        assert_eq!(vouched.display_name, None);
    }

    #[test]
    fn an_id_is_bounded() {
        assert!(Vouched::new(&"x".repeat(255)).is_some());
        for bad in ["", "a\0b", &"x".repeat(256)] {
            assert!(Vouched::new(bad).is_none());
        }
    }
}
