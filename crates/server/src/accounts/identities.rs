//! Players whom a provider vouches for: signing in, and linking providers to an account.

use asobi_wire::Code;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Accounts;
use super::providers::Vouched;
use super::sessions::SignedIn;
use super::store::{self, Identity};
use super::tokens::{hex, random_bytes};
use crate::clock::db_now;
use crate::edge::error::{Outcome, database};
use crate::text;

/// Longest name a provider can have had; a longer one is none that is linked.
const MAX_PROVIDER_BYTES: usize = 64;

/// What of a provider's name fits into a username of 32 characters beside 14 of ours.
const SHORT_NAME: usize = 18;

/// A provider that was linked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Linked {
    provider: String,
    provider_uid: String,
    linked: bool,
}

impl Accounts {
    /// Signs in whom a provider vouches for: the player of this identity, or else a new one.
    ///
    /// # Errors
    /// `auth.unsupported_provider`, `auth.provider_rejected`, `forbidden` (banned); for a new
    /// player `auth.registration_closed`; `auth.already_registering` when others keep making and
    /// unmaking the identity meanwhile.
    pub async fn oauth(&self, provider: &str, token: &str) -> Outcome<SignedIn> {
        let vouched = self.providers.verify(provider, token).await?;
        // Twice: another first sign-in of the same identity may be faster, and then there is a
        // player to find.
        for _ in 0..2 {
            let known = store::identity(self.db.read(), provider, &vouched.uid)
                .await
                .map_err(database)?;
            let signed_in = match known {
                Some(identity) => self.resume_vouched(&identity, &vouched).await?,
                None => self.create_vouched(provider, &vouched).await?,
            };
            if let Some(signed_in) = signed_in {
                return Ok(signed_in);
            }
        }
        Err(Code::AlreadyRegistering.into())
    }

    /// None: the identity is the player's no longer.
    async fn resume_vouched(
        &self,
        known: &Identity,
        vouched: &Vouched,
    ) -> Outcome<Option<SignedIn>> {
        let now = db_now();
        let tx = self.db.write().await.map_err(database)?;
        let Some(player) = store::lock_player(&tx, &known.player_id)
            .await
            .map_err(database)?
        else {
            return Ok(None);
        };
        let identity = store::identity(&tx, &known.provider, &known.provider_uid)
            .await
            .map_err(database)?;
        let Some(identity) = identity.filter(|identity| identity.player_id == player.id) else {
            return Ok(None);
        };
        let metadata = refreshed(&identity, vouched);
        store::refresh_identity(&tx, &identity.id, metadata, now)
            .await
            .map_err(database)?;
        let signed_in = self.begin_session(&tx, &player, now).await?;
        tx.commit().await.map_err(database)?;
        Ok(Some(signed_in))
    }

    /// None: somebody has the identity by now.
    async fn create_vouched(&self, provider: &str, vouched: &Vouched) -> Outcome<Option<SignedIn>> {
        self.admission.passwordless()?;
        let now = db_now();
        let username = username(provider);
        let shown = vouched.display_name.as_deref().unwrap_or(&username);
        let player = store::new_player(&username, shown, None, now);
        let tx = self.db.write().await.map_err(database)?;
        store::add_player(&tx, &player).await.map_err(database)?;
        let metadata = Value::Object(vouched.metadata.clone());
        match store::add_identity(&tx, &player.id, provider, &vouched.uid, metadata, now).await {
            Err(error) if store::is_duplicate(&error) => {
                tx.rollback().await.map_err(database)?;
                return Ok(None);
            }
            result => result.map_err(database)?,
        }
        let signed_in = self.begin_session(&tx, &player, now).await?;
        tx.commit().await.map_err(database)?;
        Ok(Some(SignedIn {
            created: true,
            ..signed_in
        }))
    }

    /// Lets a player sign in through one more provider. Once more is no error. A guest who does
    /// so has a real account.
    ///
    /// # Errors
    /// `auth.unsupported_provider`, `auth.provider_rejected`, `auth.provider_already_linked`
    /// when the identity is another player's, `player.not_found`, `forbidden` (banned).
    pub async fn link(&self, player_id: &str, provider: &str, token: &str) -> Outcome<Linked> {
        let vouched = self.providers.verify(provider, token).await?;
        if !self.add_or_refresh(player_id, provider, &vouched).await? {
            // Another request was faster: whose is it?
            let owner = store::identity(self.db.read(), provider, &vouched.uid)
                .await
                .map_err(database)?;
            if owner.is_none_or(|owner| owner.player_id != player_id) {
                return Err(Code::ProviderAlreadyLinked.into());
            }
        }
        self.guests.forget_count();
        Ok(Linked {
            provider: provider.to_owned(),
            provider_uid: vouched.uid,
            linked: true,
        })
    }

    /// False: somebody added the same identity meanwhile.
    async fn add_or_refresh(
        &self,
        player_id: &str,
        provider: &str,
        vouched: &Vouched,
    ) -> Outcome<bool> {
        let now = db_now();
        let tx = self.db.write().await.map_err(database)?;
        let player = store::lock_player(&tx, player_id)
            .await
            .map_err(database)?
            .ok_or(Code::PlayerNotFound)?;
        if player.banned_at.is_some() {
            return Err(Code::Forbidden.into());
        }
        let known = store::identity(&tx, provider, &vouched.uid)
            .await
            .map_err(database)?;
        let written = match known {
            Some(identity) if identity.player_id == player_id => {
                let metadata = refreshed(&identity, vouched);
                store::refresh_identity(&tx, &identity.id, metadata, now).await
            }
            Some(_) => return Err(Code::ProviderAlreadyLinked.into()),
            None => {
                let metadata = Value::Object(vouched.metadata.clone());
                store::add_identity(&tx, player_id, provider, &vouched.uid, metadata, now).await
            }
        };
        match written {
            Err(error) if store::is_duplicate(&error) => {
                tx.rollback().await.map_err(database)?;
                return Ok(false);
            }
            result => result.map_err(database)?,
        }
        tx.commit().await.map_err(database)?;
        Ok(true)
    }

    /// Takes a provider off an account. The player keeps at least one way to sign in: a
    /// password, another provider, or a guest's device.
    ///
    /// # Errors
    /// `auth.identity_not_found`, `auth.last_auth_method`, `player.not_found`.
    pub async fn unlink(&self, player_id: &str, provider: &str) -> Outcome<()> {
        if !text::is_key(provider, MAX_PROVIDER_BYTES) {
            return Err(Code::IdentityNotFound.into());
        }
        let tx = self.db.write().await.map_err(database)?;
        // Locked, so that two providers taken off at once do not leave none.
        let player = store::lock_player(&tx, player_id)
            .await
            .map_err(database)?
            .ok_or(Code::PlayerNotFound)?;
        let identities = store::identities_of(&tx, player_id)
            .await
            .map_err(database)?;
        let is_it = |identity: &Identity| identity.provider == provider;
        if !identities.iter().any(is_it) {
            return Err(Code::IdentityNotFound.into());
        }
        if player.password_hash.is_none() && identities.iter().all(is_it) {
            return Err(Code::LastAuthMethod.into());
        }
        store::remove_identities(&tx, player_id, provider)
            .await
            .map_err(database)?;
        tx.commit().await.map_err(database)?;
        self.guests.forget_count();
        Ok(())
    }
}

/// What is known about a player at a provider, with what it says now. What it does not say this
/// time, such as a name Steam did not give out, stays.
fn refreshed(identity: &Identity, vouched: &Vouched) -> Value {
    let known = identity.provider_metadata.as_object();
    let mut metadata: Map<_, _> = known.cloned().unwrap_or_default();
    metadata.extend(vouched.metadata.clone());
    Value::Object(metadata)
}

/// A username nobody has: `google_3f9a01bc_77e2`. It tells nothing of the player's id there.
fn username(provider: &str) -> String {
    let short = &provider[..provider.len().min(SHORT_NAME)];
    let (one, other) = (random_bytes::<4>(), random_bytes::<2>());
    format!("{short}_{}_{}", hex(&one), hex(&other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::validate;

    #[test]
    fn a_made_username_is_one_a_player_could_have_chosen() {
        for provider in ["x", "google", &"a".repeat(32)] {
            let name = username(provider);
            assert!(validate::username(&name).is_ok(), "{name}");
            assert_ne!(name, username(provider));
        }
        assert_eq!(username("steam").len(), "steam_xxxxxxxx_yyyy".len());
    }
}
