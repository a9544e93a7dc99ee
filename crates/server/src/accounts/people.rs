//! What other domains ask about players: whether there is such a player, and what others see of
//! them.

use std::collections::HashMap;

use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::entities::players;

/// What others see of a player.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Person {
    /// The player.
    pub id: String,
    /// The name to sign in with, unique.
    pub username: String,
    /// The name to show.
    pub display_name: String,
    /// A picture.
    pub avatar_url: Option<String>,
}

/// Those of `ids` who are players, by id.
pub async fn people<'a>(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, Person>, DbErr> {
    let found = seen(ids).into_model::<Person>().all(db).await?;
    let by_id = found.into_iter().map(|person| (person.id.clone(), person));
    Ok(by_id.collect())
}

/// Those of `ids` who are players, in the order of their ids, nobody else's to change until the
/// transaction ends.
///
/// Two transactions that lock several rows must do it in the same order, or each waits for the
/// other: players first, in this order, then whatever else.
pub async fn lock<'a>(
    tx: &DatabaseTransaction,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Person>, DbErr> {
    let locked = seen(ids)
        .order_by_asc(players::Column::Id)
        // Not FOR UPDATE: rows that refer to the player may still be added meanwhile.
        .lock(LockType::NoKeyUpdate);
    locked.into_model::<Person>().all(tx).await
}

/// What to do about a player who is being erased right now, or given another username.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfBusy {
    /// Wait how it ends. For a transaction that holds nothing an erasure may want: that is, for one
    /// that has only just begun.
    Wait,
    /// Take them for nobody. An erasure locks the player first and their groups later, so who holds
    /// a group must not wait for a player.
    LeaveOut,
}

/// Those of `ids` who are players, in the order of their ids. They cannot be erased until the
/// transaction ends, so that rows may refer to them.
pub async fn hold<'a>(
    tx: &DatabaseTransaction,
    ids: impl IntoIterator<Item = &'a str>,
    if_busy: IfBusy,
) -> Result<Vec<String>, DbErr> {
    let players = players::Entity::find()
        .select_only()
        .column(players::Column::Id)
        .filter(players::Column::Id.is_in(ids))
        .order_by_asc(players::Column::Id);
    let held = match if_busy {
        IfBusy::Wait => players.lock(LockType::KeyShare),
        IfBusy::LeaveOut => {
            players.lock_with_behavior(LockType::KeyShare, LockBehavior::SkipLocked)
        }
    };
    held.into_tuple().all(tx).await
}

fn seen<'a>(ids: impl IntoIterator<Item = &'a str>) -> Select<players::Entity> {
    players::Entity::find()
        .select_only()
        .columns([
            players::Column::Id,
            players::Column::Username,
            players::Column::DisplayName,
            players::Column::AvatarUrl,
        ])
        .filter(players::Column::Id.is_in(ids))
}
