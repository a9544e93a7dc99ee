//! The end of a player: everything of theirs goes, in one transaction.
//!
//! [`forget`] is the one place a player is deleted. Rows that refer to the player's go with it
//! (`ON DELETE CASCADE`); a domain that holds more than that offers an `erase` and stands in the
//! list. What stays are bare ids, in results of matches, votes and the audit trail: they name
//! nobody any more.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};
use sea_orm::{DatabaseTransaction, DbErr};

use super::Players;
use crate::accounts::{self, Accounts, Confirmed, Ended};
use crate::db::is_away;
use crate::edge::error::Outcome;
use crate::edge::limits::rate_limited;
use crate::ops::audit::{self, Actor, Entry};
use crate::session::outbox::Closing;
use crate::{chat, matches, social};

/// The audit trail's name of the deed, from the original.
const ACTION: &str = "players.erase";

/// Deletes a locked player, as every domain knows them.
pub(super) async fn forget(
    tx: &DatabaseTransaction,
    accounts: &Accounts,
    player: &PlayerId,
) -> Result<Ended, DbErr> {
    social::hand_over_groups(tx, player).await?;
    chat::erase(tx, player).await?;
    matches::erase(tx, player).await?;
    let ended = accounts.revoke_all(tx, player).await?;
    accounts::erase(tx, player).await?;
    Ok(ended)
}

impl Players {
    /// Erases the player who asks for it. Whoever has a password must give it.
    ///
    /// # Errors
    /// `rate_limited`, `missing_field` (no password given), `player.confirmation_failed`,
    /// `player.credentials_changed` while this went on, `unauthenticated` (gone already),
    /// `not_ready` while the database is away, `player.erase_failed`. With none of them was
    /// anything deleted.
    pub async fn erase_self(&self, player: &PlayerId, password: Option<&str>) -> Outcome<()> {
        self.erasures.take(player.clone()).map_err(rate_limited)?;
        let confirmed = self.accounts.confirm_password(player, password).await?;
        self.erase_confirmed(player, &confirmed).await
    }

    /// The second half of [`Self::erase_self`].
    pub(super) async fn erase_confirmed(
        &self,
        player: &PlayerId,
        confirmed: &Confirmed,
    ) -> Outcome<()> {
        let failed = |error| failed(player, &error);
        let tx = self.db.write().await.map_err(failed)?;
        self.accounts.lock_confirmed(&tx, player, confirmed).await?;
        let ended = forget(&tx, &self.accounts, player).await.map_err(failed)?;
        let entry = Entry::done(Actor::player(player), ACTION, "player", player.as_str());
        audit::record(&tx, entry).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        self.bid_farewell(player, ended);
        tracing::info!(%player, "a player erased their account");
        Ok(())
    }

    /// What follows on a committed erasure: nothing of the player goes on.
    pub(super) fn bid_farewell(&self, player: &PlayerId, ended: Ended) {
        self.accounts.refuse(ended);
        self.parties.forget(player);
        self.matchmaking.leave(player);
        self.matches.leave(player);
        self.bus.revoke(player, Closing::ERASED);
    }
}

fn failed(player: &PlayerId, error: &DbErr) -> ApiError {
    if is_away(error) {
        return Code::NotReady.into();
    }
    tracing::error!(%player, %error, "a player could not be erased");
    Code::PlayerEraseFailed.into()
}
