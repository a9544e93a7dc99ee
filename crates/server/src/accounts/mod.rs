//! Accounts: who the players are and how they sign in.
//!
//! Start here: the verbs of passwords are below, those of sessions (refresh, logout) in
//! [`sessions`], those of guests in [`guests`], those of an erasure in [`erasure`], those of who
//! signs in through a provider in [`identities`]. Who vouches for them is in [`providers`]; before
//! new players stands a [`gate`]. Behaviour and error codes are those of the
//! original's authentication guide.

mod admission;
mod bounded;
mod devices;
mod entities;
mod erasure;
mod gate;
mod guests;
mod identities;
mod passwords;
pub mod people;
mod providers;
mod pruning;
pub mod routes;
mod sessions;
mod store;
mod tokens;
mod validate;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_wire::Code;
use sea_orm::DatabaseTransaction;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use self::admission::Admission;
use self::gate::Gate;
use self::guests::Guests;
use self::passwords::Passwords;
use self::providers::Providers;
use self::pruning::Pruning;
use self::sessions::seconds;
use self::tokens::AccessTokens;
use crate::clock::db_now;
use crate::config::Config;
use crate::db::Db;
use crate::edge::caller::Caller;
use crate::edge::error::{Outcome, database};
use crate::outbound::Outbound;
use crate::text::is_id;

pub use erasure::{Confirmed, Ended, erase};
pub use identities::Linked;
pub use sessions::SignedIn;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Everything about accounts. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    db: Db,
    passwords: Arc<Passwords>,
    tokens: Arc<AccessTokens>,
    refresh_lifetime_ms: i64,
    admission: Arc<Admission>,
    guests: Arc<Guests>,
    providers: Arc<Providers>,
    gate: Option<Arc<Gate>>,
    _pruning: Arc<Pruning>,
}

/// A registration.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewPlayer {
    /// The name to sign in with, unique.
    pub username: String,
    /// The password.
    pub password: String,
    /// What others see; the username if none is given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub display_name: Option<Value>,
}

/// Makes sure of a player until the transaction ends: nobody erases them meanwhile, and whoever
/// else makes sure of them waits. For what counts rows of a player before it adds one.
///
/// # Errors
/// `player.not_found`
pub async fn lock_player(tx: &DatabaseTransaction, player: &PlayerId) -> Outcome<()> {
    let row = store::lock_player(tx, player.as_str()).await;
    row.map_err(database)?.ok_or(Code::PlayerNotFound)?;
    Ok(())
}

impl Accounts {
    /// Opens the accounts of a database and takes up its revocations.
    ///
    /// # Errors
    /// If `auth.token_secret` is missing or short, `auth.registration` is not known, `gate.url`
    /// is no address, argon2 does not take its settings, or the database does not answer.
    pub async fn open(db: Db, config: &Config) -> anyhow::Result<Self> {
        let tokens = AccessTokens::new(&config.auth)?;
        // One second more: tokens count whole seconds.
        let lifetime = tokens.lifetime_seconds().saturating_add(1);
        let access_lifetime_ms = milliseconds(lifetime, 1_000);
        load_revocations(&db, &tokens, access_lifetime_ms).await?;
        let outbound = Outbound::default();
        Ok(Self {
            passwords: Arc::new(Passwords::new(&config.auth)?),
            tokens: Arc::new(tokens),
            refresh_lifetime_ms: milliseconds(config.auth.refresh_token_days, DAY_MS),
            admission: Arc::new(Admission::new(&config.auth.registration)?),
            guests: Arc::new(Guests::new(&config.guest)),
            providers: Arc::new(Providers::new(config, &outbound)),
            gate: Gate::new(&config.gate, outbound)?.map(Arc::new),
            _pruning: Arc::new(Pruning::start(db.clone(), access_lifetime_ms)),
            db,
        })
    }

    /// Takes what the game declares: whether guests may play, and who may register. Call it at
    /// start and after each reload; until then guests are off.
    pub fn set_game(&self, guest_auth: bool, registration: Option<String>) {
        self.guests.declare(guest_auth);
        self.admission.declare(registration.as_deref());
    }

    /// Who an access token stands for. Asks no database.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn verify(&self, access_token: &str) -> Outcome<Caller> {
        let claims = self
            .tokens
            .verify(access_token, seconds(db_now()))
            // Whatever asks the database for a caller may rely on it.
            .filter(|claims| is_id(&claims.sub))
            .ok_or(Code::Unauthenticated)?;
        Ok(Caller {
            player: PlayerId::from(claims.sub),
            family: claims.fam,
        })
    }

    /// Whether all of these are ids of players. They may be any text.
    ///
    /// # Errors
    /// `internal` if the database fails.
    pub async fn exist(&self, ids: &[&str]) -> Outcome<bool> {
        if !ids.iter().all(|id| is_id(id)) {
            return Ok(false);
        }
        self.db.check().map_err(database)?;
        let found = store::players(self.db.read(), ids).await;
        let found = found.map_err(database)?;
        Ok(ids.iter().all(|id| found.iter().any(|found| found == id)))
    }

    /// Whether a caller's session was ended since their token was verified.
    pub fn is_revoked(&self, caller: &Caller) -> bool {
        self.tokens.is_revoked(&caller.family)
    }

    /// Creates a player with a password, and signs them in.
    ///
    /// # Errors
    /// `auth.registration_closed`, `auth.password_registration_disabled`, `validation_failed`,
    /// `auth.username_taken`, `rate_limited` when too many passwords wait to be hashed.
    pub async fn register(&self, new: NewPlayer) -> Outcome<SignedIn> {
        self.admission.password()?;
        let display_name = display_name(&new);
        let mut fields = validate::credentials(&new.username, &new.password);
        let shown = display_name.ok_or("must be text");
        let name = fields.take("display_name", shown.and_then(validate::display_name));
        fields.finish()?;

        let hash = self.passwords.hash(&new.password).await?;
        let now = db_now();
        let player = store::new_player(&new.username, &name, Some(hash), now);
        let tx = self.db.write().await.map_err(database)?;
        store::add_player(&tx, &player).await.map_err(|error| {
            match store::is_duplicate(&error) {
                true => Code::UsernameTaken.into(),
                false => database(error),
            }
        })?;
        let signed_in = self.begin_session(&tx, &player, now).await?;
        tx.commit().await.map_err(database)?;
        Ok(signed_in)
    }

    /// Signs a player in by name and password.
    ///
    /// # Errors
    /// `auth.invalid_credentials`, `forbidden` (banned), `rate_limited` when too many passwords
    /// wait to be hashed.
    pub async fn login(&self, username: &str, password: &str) -> Outcome<SignedIn> {
        // A name nobody can have does not get to the database, which may not even hold it.
        let player = match validate::username(username) {
            Ok(()) => store::player_named(self.db.read(), username)
                .await
                .map_err(database)?,
            Err(_) => None,
        };
        let hash = player
            .as_ref()
            .and_then(|player| player.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        let player = player.filter(|_| right).ok_or(Code::InvalidCredentials)?;
        let tx = self.db.write().await.map_err(database)?;
        // Read again: hashing took a while, and the player may have been banned or erased.
        let player = store::lock_player(&tx, &player.id)
            .await
            .map_err(database)?
            .ok_or(Code::InvalidCredentials)?;
        let signed_in = self.begin_session(&tx, &player, db_now()).await?;
        tx.commit().await.map_err(database)?;
        Ok(signed_in)
    }

    /// The most password hashes that were ever computed at once.
    pub fn peak_hashes(&self) -> usize {
        self.passwords.peak()
    }
}

/// Takes up the revocations that still refuse a token.
async fn load_revocations(
    db: &Db,
    tokens: &AccessTokens,
    access_lifetime_ms: i64,
) -> anyhow::Result<()> {
    let now = db_now();
    let since = now.saturating_sub(access_lifetime_ms);
    for (family, at) in store::revoked_since(db.read(), since).await? {
        tokens.revoke(family, seconds(at), seconds(now));
    }
    Ok(())
}

fn milliseconds(count: u64, each: i64) -> i64 {
    i64::try_from(count)
        .unwrap_or(i64::MAX)
        .saturating_mul(each)
}

/// The display name. None: it is not text.
fn display_name(new: &NewPlayer) -> Option<&str> {
    match &new.display_name {
        None | Some(Value::Null) => Some(&new.username),
        Some(Value::String(name)) => Some(name),
        Some(_) => None,
    }
}
