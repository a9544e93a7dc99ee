//! The account's part in an erasure: confirming it, deleting the player, ending every session.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};
use sea_orm::{DatabaseTransaction, DbErr};

use super::sessions::seconds;
use super::{Accounts, store};
use crate::clock::db_now;
use crate::edge::error::{Outcome, database};

/// What a player confirmed an erasure with: their password, or that they have none.
pub struct Confirmed {
    hash: Option<String>,
}

/// Sessions that are over on record, and are to be refused once that is committed.
#[must_use]
pub struct Ended {
    families: Vec<String>,
    at: i64,
}

/// Deletes the player, and with them whatever refers to them. False: they are gone already.
pub async fn erase(tx: &DatabaseTransaction, player: &PlayerId) -> Result<bool, DbErr> {
    store::delete_player(tx, player.as_str()).await
}

impl Accounts {
    /// Checks the password that confirms an erasure. A player who has none (a guest, or somebody
    /// of a provider) has nothing to show but their session.
    ///
    /// # Errors
    /// `unauthenticated` if the player is gone, `missing_field`, `player.confirmation_failed`,
    /// `rate_limited` when too many passwords wait to be hashed.
    pub async fn confirm_password(
        &self,
        player: &PlayerId,
        password: Option<&str>,
    ) -> Outcome<Confirmed> {
        let player = store::player(self.db.read(), player.as_str())
            .await
            .map_err(database)?
            .ok_or(Code::Unauthenticated)?;
        let Some(hash) = player.password_hash else {
            return Ok(Confirmed { hash: None });
        };
        let password =
            password.ok_or_else(|| ApiError::from(Code::MissingField).with("field", "password"))?;
        match self.passwords.verify(password, Some(hash.clone())).await? {
            true => Ok(Confirmed { hash: Some(hash) }),
            // Not a 401: a client answers that with a refresh and asks again.
            false => Err(Code::PlayerConfirmationFailed.into()),
        }
    }

    /// Locks the player for deletion: until the transaction ends nobody signs them in, and no row
    /// comes to refer to them.
    ///
    /// # Errors
    /// `unauthenticated` if the player is gone, `player.credentials_changed` if what was
    /// confirmed is no longer how they sign in.
    pub async fn lock_confirmed(
        &self,
        tx: &DatabaseTransaction,
        player: &PlayerId,
        confirmed: &Confirmed,
    ) -> Outcome<()> {
        let player = store::lock_doomed(tx, player.as_str())
            .await
            .map_err(database)?
            .ok_or(Code::Unauthenticated)?;
        match player.password_hash == confirmed.hash {
            true => Ok(()),
            false => Err(Code::PlayerCredentialsChanged.into()),
        }
    }

    /// Puts the end of all of a player's sessions on record. The player must be locked. Hand the
    /// result to [`Self::refuse`] after the commit.
    pub async fn revoke_all(
        &self,
        tx: &DatabaseTransaction,
        player: &PlayerId,
    ) -> Result<Ended, DbErr> {
        let at = db_now();
        let families = store::families_of(tx, player.as_str()).await?;
        for family in &families {
            store::revoke_family(tx, family, at).await?;
        }
        Ok(Ended { families, at })
    }

    /// Refuses the tokens of sessions that are over on record.
    pub fn refuse(&self, ended: Ended) {
        for family in ended.families {
            self.tokens
                .revoke(family, seconds(ended.at), seconds(ended.at));
        }
        // One of the guests may be gone.
        self.guests.forget_count();
    }
}
