//! Sessions: a family of tokens from one sign-in, its rotation and its end.

use asobi_wire::Code;
use sea_orm::DatabaseTransaction;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::{self, Player, RefreshRow};
use super::{Accounts, tokens};
use crate::clock::db_now;
use crate::edge::error::{Outcome, database};
use crate::text::{is_id, new_id};

/// What a sign-in answers with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignedIn {
    /// The player.
    pub player_id: String,
    /// Goes into `Authorization: Bearer` and `session.connect`.
    pub access_token: String,
    /// The access token again, for client SDKs from before it was called that.
    pub session_token: String,
    /// Buys the next pair, once.
    pub refresh_token: String,
    /// The name the player signs in with.
    pub username: String,
    /// The account is new.
    #[serde(skip_serializing_if = "is_false")]
    pub created: bool,
    /// The account has no other credential than the device.
    #[serde(skip_serializing_if = "is_false")]
    pub guest: bool,
    /// The account was a guest's until now.
    #[serde(skip_serializing_if = "is_false")]
    pub upgraded: bool,
}

// serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A family, and the player it belongs to.
type Family = (String, String);

impl Accounts {
    /// Exchanges a refresh token for a new pair. Each counts once: whoever presents one again
    /// has a stolen copy or was stolen from, so that ends the whole family.
    ///
    /// # Errors
    /// `unauthenticated` for a token that is unknown, used or expired; `forbidden` for a banned
    /// player.
    pub async fn refresh(&self, refresh_token: &str) -> Outcome<SignedIn> {
        let hash = tokens::refresh_token_hash(refresh_token);
        // Looked up outside the transaction: noise does not get to the one writer.
        let row = store::refresh_token(self.db.read(), &hash)
            .await
            .map_err(database)?
            .ok_or(Code::Unauthenticated)?;
        let now = db_now();
        if row.expires_at <= now {
            return Err(Code::Unauthenticated.into());
        }
        let tx = self.db.write().await.map_err(database)?;
        let player = store::lock_player(&tx, &row.player_id)
            .await
            .map_err(database)?
            .ok_or(Code::Unauthenticated)?;
        let first_use = store::burn_refresh_token(&tx, &hash, now)
            .await
            .map_err(database)?;
        if !first_use {
            tracing::warn!(player = %player.id, "a refresh token was presented twice");
            self.end_families(tx, vec![row.family_id], now).await?;
            return Err(Code::Unauthenticated.into());
        }
        // A guest who never closes the app is not one who stays away.
        if player.password_hash.is_none() {
            store::touch_guest(&tx, &player.id, now)
                .await
                .map_err(database)?;
        }
        let signed_in = self.hand_out(&tx, &player, &row.family_id, now).await?;
        tx.commit().await.map_err(database)?;
        Ok(signed_in)
    }

    /// Ends the sessions these tokens belong to. Tokens that are expired or not ours, or none
    /// at all, are no error.
    ///
    /// # Errors
    /// `internal` if the database fails.
    pub async fn logout(
        &self,
        refresh_token: Option<&str>,
        access_token: Option<&str>,
    ) -> Outcome<()> {
        let mut families = Vec::new();
        families.extend(access_token.and_then(|token| self.family_of_access(token)));
        if let Some(token) = refresh_token {
            families.extend(self.family_of_refresh(token).await?);
        }
        if families.is_empty() {
            return Ok(());
        }
        // Everybody locks players in the same order, so nobody waits in a circle.
        families.sort();
        families.dedup();
        let tx = self.db.write().await.map_err(database)?;
        for (player, _) in &families {
            store::lock_player(&tx, player).await.map_err(database)?;
        }
        let families = families.into_iter().map(|(_, family)| family).collect();
        self.end_families(tx, families, db_now()).await
    }

    fn family_of_access(&self, token: &str) -> Option<Family> {
        let claims = self.tokens.read(token)?;
        (is_id(&claims.sub) && is_id(&claims.fam)).then_some((claims.sub, claims.fam))
    }

    async fn family_of_refresh(&self, token: &str) -> Outcome<Option<Family>> {
        let hash = tokens::refresh_token_hash(token);
        let row = store::refresh_token(self.db.read(), &hash)
            .await
            .map_err(database)?;
        Ok(row.map(|row| (row.player_id, row.family_id)))
    }

    /// Begins a session: a pair of a family of its own.
    pub(super) async fn begin_session(
        &self,
        tx: &DatabaseTransaction,
        player: &Player,
        now: i64,
    ) -> Outcome<SignedIn> {
        self.hand_out(tx, player, &new_id(), now).await
    }

    /// The next pair of a family. Every sign-in comes through here, so here is where a ban is
    /// felt.
    async fn hand_out(
        &self,
        tx: &DatabaseTransaction,
        player: &Player,
        family: &str,
        now: i64,
    ) -> Outcome<SignedIn> {
        if player.banned_at.is_some() {
            return Err(Code::Forbidden.into());
        }
        let refresh_token = tokens::refresh_token();
        let row = RefreshRow {
            token_hash: tokens::refresh_token_hash(&refresh_token),
            family_id: family.to_owned(),
            player_id: player.id.clone(),
            issued_at: now,
            expires_at: now.saturating_add(self.refresh_lifetime_ms),
            used_at: None,
        };
        store::add_refresh_token(tx, row).await.map_err(database)?;
        let access_token = self.tokens.sign(&player.id, family, seconds(now));
        Ok(SignedIn {
            player_id: player.id.clone(),
            session_token: access_token.clone(),
            access_token,
            refresh_token,
            username: player.username.clone(),
            created: false,
            guest: false,
            upgraded: false,
        })
    }

    /// Ends families and the transaction, in which their players are locked.
    pub(super) async fn end_families(
        &self,
        tx: DatabaseTransaction,
        families: Vec<String>,
        now: i64,
    ) -> Outcome<()> {
        for family in &families {
            store::revoke_family(&tx, family, now)
                .await
                .map_err(database)?;
        }
        tx.commit().await.map_err(database)?;
        for family in families {
            self.tokens.revoke(family, seconds(now), seconds(now));
        }
        Ok(())
    }
}

/// Unix milliseconds as the database holds them, in the whole seconds of a JWT.
pub(super) fn seconds(ms: i64) -> u64 {
    u64::try_from(ms / 1_000).unwrap_or(0)
}
