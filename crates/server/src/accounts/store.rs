//! The SQL of accounts. Times are Unix milliseconds.
//!
//! Whatever changes a player's tokens first locks the player ([`lock_player`]). So a logout and
//! a refresh of the same player come one after the other, and a token minted by the one cannot
//! slip past the other. SQLite has a single writer and needs no such lock.

use sea_orm::sea_query::{ExprTrait, LockType, Query};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, SqlErr,
};
use serde_json::{Value, json};

use super::entities::{player_identities, player_stats, players, refresh_tokens, revoked_families};
use crate::text::new_id;

pub(super) use player_identities::Model as Identity;
pub(super) use players::Model as Player;
pub(super) use refresh_tokens::Model as RefreshRow;

type Result<T> = std::result::Result<T, DbErr>;

/// The provider of guests' device credentials.
pub(super) const GUEST: &str = "guest";

/// Whether a statement failed because the row was not the only one of its kind.
pub(super) fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// A player who does not exist yet, without metadata.
pub(super) fn new_player(
    username: &str,
    display_name: &str,
    password_hash: Option<String>,
    now: i64,
) -> Player {
    Player {
        id: new_id(),
        username: username.to_owned(),
        display_name: display_name.to_owned(),
        avatar_url: None,
        metadata: json!({}),
        password_hash,
        banned_at: None,
        inserted_at: now,
        updated_at: now,
    }
}

/// Adds a player and their statistics. [`is_duplicate`] means the username is taken.
pub(super) async fn add_player(tx: &DatabaseTransaction, player: &Player) -> Result<()> {
    players::Entity::insert(players::ActiveModel::from(player.clone()))
        .exec_without_returning(tx)
        .await?;
    let stats = player_stats::ActiveModel {
        player_id: Set(player.id.clone()),
        updated_at: Set(player.inserted_at),
    };
    player_stats::Entity::insert(stats)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The player of this id.
pub(super) async fn player(db: &impl ConnectionTrait, id: &str) -> Result<Option<Player>> {
    players::Entity::find_by_id(id).one(db).await
}

/// Which of these ids are players'.
pub(super) async fn players(db: &impl ConnectionTrait, ids: &[&str]) -> Result<Vec<String>> {
    players::Entity::find()
        .select_only()
        .column(players::Column::Id)
        .filter(players::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(db)
        .await
}

/// The player of this username.
pub(super) async fn player_named(
    db: &impl ConnectionTrait,
    username: &str,
) -> Result<Option<Player>> {
    players::Entity::find()
        .filter(players::Column::Username.eq(username))
        .one(db)
        .await
}

/// The player of this id, nobody else's to change until the transaction ends.
pub(super) async fn lock_player(tx: &DatabaseTransaction, id: &str) -> Result<Option<Player>> {
    players::Entity::find_by_id(id)
        // Not FOR UPDATE: rows that refer to the player may still be added meanwhile.
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await
}

/// The player of this id, who is about to be deleted: until the transaction ends, no row comes
/// to refer to them either.
pub(super) async fn lock_doomed(tx: &DatabaseTransaction, id: &str) -> Result<Option<Player>> {
    players::Entity::find_by_id(id)
        .lock(LockType::Update)
        .one(tx)
        .await
}

/// Deletes a player. False: there is none.
pub(super) async fn delete_player(tx: &DatabaseTransaction, id: &str) -> Result<bool> {
    let deleted = players::Entity::delete_by_id(id).exec(tx).await?;
    Ok(deleted.rows_affected == 1)
}

/// Gives a guest a name and a password. [`is_duplicate`] means the username is taken.
pub(super) async fn claim_player(
    tx: &DatabaseTransaction,
    id: &str,
    username: &str,
    display_name: &str,
    password_hash: &str,
    now: i64,
) -> Result<()> {
    players::Entity::update_many()
        .set(players::ActiveModel {
            username: Set(username.to_owned()),
            display_name: Set(display_name.to_owned()),
            password_hash: Set(Some(password_hash.to_owned())),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(players::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Who is known to this provider by this id.
pub(super) async fn identity(
    db: &impl ConnectionTrait,
    provider: &str,
    uid: &str,
) -> Result<Option<Identity>> {
    player_identities::Entity::find()
        .filter(player_identities::Column::Provider.eq(provider))
        .filter(player_identities::Column::ProviderUid.eq(uid))
        .one(db)
        .await
}

/// Every identity of a player.
pub(super) async fn identities_of(
    db: &impl ConnectionTrait,
    player_id: &str,
) -> Result<Vec<Identity>> {
    player_identities::Entity::find()
        .filter(player_identities::Column::PlayerId.eq(player_id))
        .all(db)
        .await
}

/// Adds an identity. [`is_duplicate`] means somebody has it already.
pub(super) async fn add_identity(
    tx: &DatabaseTransaction,
    player_id: &str,
    provider: &str,
    uid: &str,
    metadata: Value,
    now: i64,
) -> Result<()> {
    let identity = player_identities::ActiveModel {
        id: Set(new_id()),
        player_id: Set(player_id.to_owned()),
        provider: Set(provider.to_owned()),
        provider_uid: Set(uid.to_owned()),
        provider_metadata: Set(metadata),
        inserted_at: Set(now),
        updated_at: Set(now),
    };
    player_identities::Entity::insert(identity)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Notes that an identity was used, and what its provider says now.
pub(super) async fn refresh_identity(
    tx: &DatabaseTransaction,
    id: &str,
    metadata: Value,
    now: i64,
) -> Result<()> {
    player_identities::Entity::update_many()
        .set(player_identities::ActiveModel {
            provider_metadata: Set(metadata),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(player_identities::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// An identity, nobody else's to change until the transaction ends.
pub(super) async fn lock_identity(tx: &DatabaseTransaction, id: &str) -> Result<Option<Identity>> {
    player_identities::Entity::find_by_id(id)
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await
}

/// Notes that an identity was used, and its new verifier if it got one.
pub(super) async fn touch_identity(
    tx: &DatabaseTransaction,
    id: &str,
    renewed: Option<Value>,
    now: i64,
) -> Result<()> {
    player_identities::Entity::update_many()
        .set(player_identities::ActiveModel {
            provider_metadata: renewed.map_or(NotSet, Set),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(player_identities::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Whether a device is the one thing this player is known by, their password apart.
pub(super) async fn has_only_devices(db: &impl ConnectionTrait, player_id: &str) -> Result<bool> {
    let identities = identities_of(db, player_id).await?;
    let devices = identities.iter().filter(|one| one.provider == GUEST);
    Ok(!identities.is_empty() && devices.count() == identities.len())
}

/// Notes that a player who may be a guest gave a sign of life without their device.
pub(super) async fn touch_guest(tx: &DatabaseTransaction, player_id: &str, now: i64) -> Result<()> {
    player_identities::Entity::update_many()
        .set(player_identities::ActiveModel {
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(player_identities::Column::PlayerId.eq(player_id))
        .filter(player_identities::Column::Provider.eq(GUEST))
        .exec(tx)
        .await?;
    Ok(())
}

/// Guests without a real account whose device was not seen since `since`, the longest gone
/// first, at most `most`.
pub(super) async fn stale_guests(
    db: &impl ConnectionTrait,
    since: i64,
    most: u64,
) -> Result<Vec<String>> {
    use player_identities::Column;
    let without_password = players::Entity::find()
        .select_only()
        .column(players::Column::Id)
        .filter(players::Column::PasswordHash.is_null());
    let claimed_or_seen = player_identities::Entity::find()
        .select_only()
        .column(Column::PlayerId)
        .filter(Column::Provider.ne(GUEST).or(Column::UpdatedAt.gte(since)));
    player_identities::Entity::find()
        .select_only()
        .column(Column::PlayerId)
        .filter(Column::Provider.eq(GUEST))
        .filter(Column::UpdatedAt.lt(since))
        .filter(Column::PlayerId.in_subquery(without_password.into_query()))
        .filter(Column::PlayerId.not_in_subquery(claimed_or_seen.into_query()))
        .order_by_asc(Column::UpdatedAt)
        .limit(most)
        .into_tuple()
        .all(db)
        .await
}

/// Locks a guest for deletion, if [`stale_guests`] would still name them.
pub(super) async fn lock_stale_guest(
    tx: &DatabaseTransaction,
    id: &str,
    since: i64,
) -> Result<bool> {
    let player = lock_doomed(tx, id).await?;
    if player.is_none_or(|player| player.password_hash.is_some()) {
        return Ok(false);
    }
    let identities = player_identities::Entity::find()
        .filter(player_identities::Column::PlayerId.eq(id))
        .all(tx)
        .await?;
    let is_stale = |identity: &Identity| identity.provider == GUEST && identity.updated_at < since;
    Ok(!identities.is_empty() && identities.iter().all(is_stale))
}

/// Forgets what a player is known by to a provider.
pub(super) async fn remove_identities(
    tx: &DatabaseTransaction,
    player_id: &str,
    provider: &str,
) -> Result<()> {
    player_identities::Entity::delete_many()
        .filter(player_identities::Column::PlayerId.eq(player_id))
        .filter(player_identities::Column::Provider.eq(provider))
        .exec(tx)
        .await?;
    Ok(())
}

/// How many guests have no real account. An upgrade removes the device, so devices count them,
/// but those of players who have a provider as well.
pub(super) async fn count_guests(db: &impl ConnectionTrait) -> Result<u64> {
    let with_provider = Query::select()
        .column(player_identities::Column::PlayerId)
        .from(player_identities::Entity)
        .and_where(player_identities::Column::Provider.ne(GUEST))
        .to_owned();
    player_identities::Entity::find()
        .filter(player_identities::Column::Provider.eq(GUEST))
        .filter(player_identities::Column::PlayerId.not_in_subquery(with_provider))
        .count(db)
        .await
}

/// The refresh token of this hash.
pub(super) async fn refresh_token(
    db: &impl ConnectionTrait,
    hash: &str,
) -> Result<Option<RefreshRow>> {
    refresh_tokens::Entity::find_by_id(hash).one(db).await
}

/// Adds a refresh token.
pub(super) async fn add_refresh_token(tx: &DatabaseTransaction, row: RefreshRow) -> Result<()> {
    refresh_tokens::Entity::insert(refresh_tokens::ActiveModel::from(row))
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Uses a refresh token up. False: it was used before, or is gone.
pub(super) async fn burn_refresh_token(
    tx: &DatabaseTransaction,
    hash: &str,
    now: i64,
) -> Result<bool> {
    let burnt = refresh_tokens::Entity::update_many()
        .set(refresh_tokens::ActiveModel {
            used_at: Set(Some(now)),
            ..Default::default()
        })
        .filter(refresh_tokens::Column::TokenHash.eq(hash))
        .filter(refresh_tokens::Column::UsedAt.is_null())
        .exec(tx)
        .await?;
    Ok(burnt.rows_affected == 1)
}

/// The families a player's refresh tokens belong to.
pub(super) async fn families_of(tx: &DatabaseTransaction, player_id: &str) -> Result<Vec<String>> {
    refresh_tokens::Entity::find()
        .select_only()
        .column(refresh_tokens::Column::FamilyId)
        .distinct()
        .filter(refresh_tokens::Column::PlayerId.eq(player_id))
        .into_tuple()
        .all(tx)
        .await
}

/// Ends a family: its refresh tokens go, and the family is on record as revoked.
pub(super) async fn revoke_family(tx: &DatabaseTransaction, family: &str, now: i64) -> Result<()> {
    refresh_tokens::Entity::delete_many()
        .filter(refresh_tokens::Column::FamilyId.eq(family))
        .exec(tx)
        .await?;
    let revoked = revoked_families::ActiveModel {
        family_id: Set(family.to_owned()),
        revoked_at: Set(now),
    };
    revoked_families::Entity::insert(revoked)
        .on_conflict_do_nothing()
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Families revoked after `since`, and when.
pub(super) async fn revoked_since(
    db: &impl ConnectionTrait,
    since: i64,
) -> Result<Vec<(String, i64)>> {
    let rows = revoked_families::Entity::find()
        .filter(revoked_families::Column::RevokedAt.gt(since))
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.family_id, row.revoked_at))
        .collect())
}

/// Forgets refresh tokens that expired, and families that were revoked, before `before`.
pub(super) async fn prune(tx: &DatabaseTransaction, before: i64) -> Result<()> {
    refresh_tokens::Entity::delete_many()
        .filter(refresh_tokens::Column::ExpiresAt.lt(before))
        .exec(tx)
        .await?;
    revoked_families::Entity::delete_many()
        .filter(revoked_families::Column::RevokedAt.lt(before))
        .exec(tx)
        .await?;
    Ok(())
}
