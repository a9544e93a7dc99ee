//! Who may create an account here.
//!
//! The operator's `auth.registration` wins; without one the game's declaration counts; without
//! either everybody may. Players who have an account are never affected.

use anyhow::Context;
use asobi_wire::Code;
use parking_lot::RwLock;

use crate::edge::error::Outcome;

/// How new players are received. From the original.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Posture {
    Open,
    OauthOnly,
    Closed,
}

impl Posture {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "open" => Some(Self::Open),
            "oauth_only" => Some(Self::OauthOnly),
            "closed" => Some(Self::Closed),
            _ => None,
        }
    }
}

/// The posture in force.
pub(super) struct Admission {
    operator: Option<Posture>,
    game: RwLock<Option<Posture>>,
}

impl Admission {
    /// From `auth.registration`; empty leaves it to the game. An operator who misspells what
    /// closes the door must not find it open, so that fails.
    pub(super) fn new(setting: &str) -> anyhow::Result<Self> {
        let operator = match setting {
            "" => None,
            text => Some(
                Posture::parse(text)
                    .context("auth.registration must be open, oauth_only, closed or empty")?,
            ),
        };
        Ok(Self {
            operator,
            game: RwLock::new(None),
        })
    }

    /// Takes the game's declaration. One that is not known counts as none, as in the original.
    pub(super) fn declare(&self, text: Option<&str>) {
        let posture = text.and_then(Posture::parse);
        if let (Some(text), None) = (text, posture) {
            tracing::error!(
                registration = text,
                "the game's `registration` must be open, oauth_only or closed: taken as open"
            );
        }
        *self.game.write() = posture;
    }

    /// Whether a player may register with a password.
    pub(super) fn password(&self) -> Outcome<()> {
        match self.posture() {
            Posture::Open => Ok(()),
            Posture::OauthOnly => Err(Code::PasswordRegistrationDisabled.into()),
            Posture::Closed => Err(Code::RegistrationClosed.into()),
        }
    }

    /// Whether a new player without a password may come in: a guest, or one of a provider.
    pub(super) fn passwordless(&self) -> Outcome<()> {
        match self.posture() {
            Posture::Open | Posture::OauthOnly => Ok(()),
            Posture::Closed => Err(Code::RegistrationClosed.into()),
        }
    }

    fn posture(&self) -> Posture {
        self.operator.or(*self.game.read()).unwrap_or(Posture::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_wins_over_the_game() {
        let admission = Admission::new("closed").unwrap();
        admission.declare(Some("open"));
        assert_eq!(admission.posture(), Posture::Closed);
    }

    #[test]
    fn the_game_decides_where_the_operator_does_not() {
        let admission = Admission::new("").unwrap();
        assert_eq!(admission.posture(), Posture::Open);
        admission.declare(Some("oauth_only"));
        assert_eq!(
            admission.password().unwrap_err().code,
            Code::PasswordRegistrationDisabled
        );
        assert!(admission.passwordless().is_ok());
        admission.declare(Some("closed"));
        assert_eq!(
            admission.passwordless().unwrap_err().code,
            Code::RegistrationClosed
        );
        admission.declare(None);
        assert_eq!(admission.posture(), Posture::Open);
    }

    #[test]
    fn a_misspelling_stops_the_operator_but_not_the_game() {
        assert!(Admission::new("close").is_err());
        let admission = Admission::new("").unwrap();
        admission.declare(Some("close"));
        assert_eq!(admission.posture(), Posture::Open);
    }
}
