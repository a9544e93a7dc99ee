//! Guests: players whose only credential is their device, until they claim a real account.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};
use parking_lot::Mutex;
use sea_orm::{DatabaseTransaction, DbErr};

use super::devices::{Device, Peppers, Verdict};
use super::sessions::SignedIn;
use super::store::{self, Identity, Player};
use super::tokens::{hex, random_bytes};
use super::{Accounts, validate};
use crate::clock::db_now;
use crate::config::GuestConfig;
use crate::edge::error::{Outcome, database};
use crate::edge::limits::{Limiter, Rate, Seldom};

/// Told to whoever finds the limit of new guests reached, in seconds. Always the same: the
/// limit is one for all, and its true state would tell an attacker how to hold it shut with the
/// fewest requests. From the original.
const RETRY_AFTER_SECONDS: u32 = 5;

/// How long a count of guests is believed. Guests created here are added to it at once, so only
/// those of other nodes may be missed, and that for this long.
const COUNT_LASTS: Duration = Duration::from_secs(5);

/// Whether and how many guests are let in.
pub(super) struct Guests {
    declared: AtomicBool,
    peppers: Option<Peppers>,
    creations: Limiter<()>,
    max_unclaimed: u64,
    count: Mutex<Option<(Instant, u64)>>,
    complaint: Seldom,
}

impl Guests {
    pub(super) fn new(config: &GuestConfig) -> Self {
        Self {
            declared: AtomicBool::new(false),
            peppers: Peppers::new(config),
            creations: Limiter::new(Rate::per_second(config.creations_per_second)),
            max_unclaimed: config.max_unclaimed,
            count: Mutex::new(None),
            complaint: Seldom::default(),
        }
    }

    /// Takes the game's declaration.
    pub(super) fn declare(&self, guest_auth: bool) {
        if guest_auth && self.peppers.is_none() {
            tracing::warn!(
                "the game wants guests, but guest.pepper is missing or shorter than 32 bytes: \
                 guests stay off"
            );
        }
        self.declared.store(guest_auth, Ordering::Relaxed);
    }

    /// The peppers, if guests are on: the game declared them and the operator set one.
    fn peppers(&self) -> Outcome<&Peppers> {
        let declared = self.declared.load(Ordering::Relaxed);
        match &self.peppers {
            Some(peppers) if declared => Ok(peppers),
            _ => Err(Code::GuestDisabled.into()),
        }
    }

    fn take_creation(&self) -> Outcome<()> {
        self.creations.take(()).map_err(|wait| {
            if self.complaint.is_due() {
                tracing::warn!(?wait, "too many guests are being created");
            }
            ApiError::from(Code::GuestRateLimited).with("retry_after", RETRY_AFTER_SECONDS)
        })
    }

    fn believed_count(&self) -> Option<u64> {
        let count = *self.count.lock();
        count
            .filter(|(at, _)| at.elapsed() < COUNT_LASTS)
            .map(|(_, count)| count)
    }

    fn count_one_more(&self) {
        if let Some((_, count)) = self.count.lock().as_mut() {
            *count += 1;
        }
    }

    /// Counts anew next time: somebody became a guest, or is one no longer.
    pub(super) fn forget_count(&self) {
        *self.count.lock() = None;
    }
}

impl Accounts {
    /// Signs a device in: the guest it has been before, or else a new one.
    ///
    /// # Errors
    /// - `guest.disabled`, `guest.weak_device_secret`, `guest.invalid_device_id`
    /// - for a known device: `guest.invalid_device_secret`, `guest.revoked`,
    ///   `guest.already_upgraded`, `forbidden` (banned)
    /// - for a new one: `auth.registration_closed`, `guest.rate_limited`,
    ///   `guest.capacity_reached`, `guest.unavailable` if guests cannot be counted
    pub async fn guest(&self, device_id: &str, device_secret: &str) -> Outcome<SignedIn> {
        let peppers = self.guests.peppers()?;
        let device = Device::new(device_id, device_secret)?;
        if let Some(signed_in) = self.resume_guest(peppers, &device).await? {
            return Ok(signed_in);
        }
        if let Some(signed_in) = self.create_guest(peppers, &device).await? {
            return Ok(signed_in);
        }
        // Another request of the same device was faster: it is a known device now.
        self.resume_guest(peppers, &device)
            .await?
            .ok_or_else(|| Code::GuestDeviceAlreadyRegistered.into())
    }

    /// None: the device is nobody's.
    async fn resume_guest(&self, peppers: &Peppers, device: &Device) -> Outcome<Option<SignedIn>> {
        let identity = store::identity(self.db.read(), store::GUEST, &device.id)
            .await
            .map_err(database)?;
        let Some(identity) = identity else {
            return Ok(None);
        };
        // Noise does not get to the one writer.
        admitted(peppers, device, &identity)?;
        let now = db_now();
        let tx = self.db.write().await.map_err(database)?;
        let Some(player) = store::lock_player(&tx, &identity.player_id)
            .await
            .map_err(database)?
        else {
            // Erased a moment ago.
            return Ok(None);
        };
        if player.password_hash.is_some() {
            return Err(Code::GuestAlreadyUpgraded.into());
        }
        // Once more, now that nobody can change it: renewing must not undo a revocation.
        let Some(identity) = store::lock_identity(&tx, &identity.id)
            .await
            .map_err(database)?
        else {
            return Ok(None);
        };
        let outdated = admitted(peppers, device, &identity)?;
        let renewed = outdated.then(|| peppers.verifier(device));
        store::touch_identity(&tx, &identity.id, renewed, now)
            .await
            .map_err(database)?;
        let guest = store::has_only_devices(&tx, &player.id)
            .await
            .map_err(database)?;
        let signed_in = self.begin_session(&tx, &player, now).await?;
        tx.commit().await.map_err(database)?;
        Ok(Some(SignedIn { guest, ..signed_in }))
    }

    /// None: the device is known by now.
    async fn create_guest(&self, peppers: &Peppers, device: &Device) -> Outcome<Option<SignedIn>> {
        self.admission.passwordless()?;
        self.guests.take_creation()?;
        self.check_room_for_guests().await?;
        let now = db_now();
        let name = format!("guest_{}", hex(&random_bytes::<8>()));
        let player = store::new_player(&name, &name, None, now);
        let verifier = peppers.verifier(device);
        let tx = self.db.write().await.map_err(database)?;
        store::add_player(&tx, &player).await.map_err(database)?;
        let uid = device.id.as_str();
        match store::add_identity(&tx, &player.id, store::GUEST, uid, verifier, now).await {
            Err(error) if store::is_duplicate(&error) => {
                tx.rollback().await.map_err(database)?;
                return Ok(None);
            }
            result => result.map_err(database)?,
        }
        let signed_in = self.begin_session(&tx, &player, now).await?;
        tx.commit().await.map_err(database)?;
        self.guests.count_one_more();
        Ok(Some(SignedIn {
            created: true,
            guest: true,
            ..signed_in
        }))
    }

    pub(super) async fn check_room_for_guests(&self) -> Outcome<()> {
        let max = self.guests.max_unclaimed;
        if max == 0 {
            return Ok(());
        }
        let count = match self.guests.believed_count() {
            Some(count) => count,
            None => self.count_guests().await?,
        };
        if count >= max {
            if self.guests.complaint.is_due() {
                tracing::warn!(count, max, "there is no room for more guests");
            }
            return Err(Code::GuestCapacityReached.into());
        }
        Ok(())
    }

    /// Without a count nobody is let in: the bound is there for bad days.
    async fn count_guests(&self) -> Outcome<u64> {
        let count = store::count_guests(self.db.read()).await;
        let count = count.map_err(|error| {
            tracing::error!(%error, "guests cannot be counted");
            ApiError::from(Code::GuestUnavailable)
        })?;
        *self.guests.count.lock() = Some((Instant::now(), count));
        Ok(count)
    }

    /// Unclaimed guests not seen since `since` (Unix milliseconds), the longest gone first, at
    /// most `most`. None while guests are off: their devices could not come back.
    pub async fn stale_guests(&self, since: i64, most: u64) -> Outcome<Vec<PlayerId>> {
        if self.guests.peppers().is_err() {
            return Ok(Vec::new());
        }
        let stale = store::stale_guests(self.db.read(), since, most).await;
        Ok(stale
            .map_err(database)?
            .into_iter()
            .map(PlayerId::from)
            .collect())
    }

    /// Locks one of them for deletion. False: they have come back, or have an account now.
    pub async fn lock_stale_guest(
        &self,
        tx: &DatabaseTransaction,
        player: &PlayerId,
        since: i64,
    ) -> Result<bool, DbErr> {
        store::lock_stale_guest(tx, player.as_str(), since).await
    }

    /// Makes a guest a player with a name and a password. Their device and every token from
    /// before stop counting: whoever else had got hold of them cannot come in again.
    ///
    /// # Errors
    /// `player.not_found`, `guest.not_unclaimed`, `validation_failed`, `auth.username_taken`,
    /// `rate_limited` when too many passwords wait to be hashed, `forbidden` (banned).
    pub async fn upgrade(
        &self,
        player_id: &str,
        username: &str,
        password: &str,
    ) -> Outcome<SignedIn> {
        let player = store::player(self.db.read(), player_id)
            .await
            .map_err(database)?;
        let only_devices = store::has_only_devices(self.db.read(), player_id)
            .await
            .map_err(database)?;
        check_unclaimed(player, only_devices)?;
        validate::credentials(username, password).finish()?;
        let hash = self.passwords.hash(password).await?;

        let now = db_now();
        let tx = self.db.write().await.map_err(database)?;
        let player = self
            .claim_guest(&tx, player_id, username, &hash, now)
            .await?;
        let families = store::families_of(&tx, player_id).await.map_err(database)?;
        let signed_in = self.begin_session(&tx, &player, now).await?;
        self.end_families(tx, families, now).await?;
        self.guests.forget_count();
        Ok(SignedIn {
            upgraded: true,
            ..signed_in
        })
    }

    /// The player as claimed. Checks once more, now that nobody else can change the player.
    async fn claim_guest(
        &self,
        tx: &DatabaseTransaction,
        player_id: &str,
        username: &str,
        hash: &str,
        now: i64,
    ) -> Outcome<Player> {
        let player = store::lock_player(tx, player_id).await.map_err(database)?;
        let only_devices = store::has_only_devices(tx, player_id)
            .await
            .map_err(database)?;
        let guest = check_unclaimed(player, only_devices)?;
        // A guest nobody named goes by the new username.
        let display_name = match guest.display_name == guest.username {
            true => username.to_owned(),
            false => guest.display_name.clone(),
        };
        store::claim_player(tx, player_id, username, &display_name, hash, now)
            .await
            .map_err(|error| match store::is_duplicate(&error) {
                true => Code::UsernameTaken.into(),
                false => database(error),
            })?;
        store::remove_identities(tx, player_id, store::GUEST)
            .await
            .map_err(database)?;
        Ok(Player {
            username: username.to_owned(),
            display_name,
            ..guest
        })
    }
}

/// Whether a device may come in, and if so, whether its verifier is outdated.
fn admitted(peppers: &Peppers, device: &Device, identity: &Identity) -> Outcome<bool> {
    match peppers.judge(device, &identity.provider_metadata) {
        Verdict::Right { outdated } => Ok(outdated),
        Verdict::Wrong => Err(Code::GuestInvalidDeviceSecret.into()),
        Verdict::Revoked => Err(Code::GuestRevoked.into()),
    }
}

/// Only who has a device and nothing else is an unclaimed guest. A player of a provider has no
/// password either, and must not get one, and a new name, by this door.
fn check_unclaimed(player: Option<Player>, only_devices: bool) -> Outcome<Player> {
    let player = player.ok_or(Code::PlayerNotFound)?;
    match player.password_hash.is_none() && only_devices {
        true => Ok(player),
        false => Err(Code::GuestNotUnclaimed.into()),
    }
}
