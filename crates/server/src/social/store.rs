//! The SQL of friends. Counts and rows of a pair are only true while both players are locked.

use asobi_game::PlayerId;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::entities::friendships::{ActiveModel, Column, Entity};
use super::friends::Filter;
use crate::clock::db_now;
use crate::db::in_list;
use crate::text::new_id;

pub(super) use super::entities::friendships::Model as Row;

type Result<T> = std::result::Result<T, DbErr>;

/// The statuses of a row in `friendships`.
pub(super) mod status {
    pub(in super::super) const PENDING: &str = "pending";
    pub(in super::super) const ACCEPTED: &str = "accepted";
    pub(in super::super) const BLOCKED: &str = "blocked";
}

/// Whether `by` has blocked `other`.
pub(super) async fn is_blocked(db: &impl ConnectionTrait, by: &str, other: &str) -> Result<bool> {
    let rows = Entity::find()
        .filter(Column::PlayerId.eq(by))
        .filter(Column::FriendId.eq(other))
        .filter(Column::Status.eq(status::BLOCKED));
    Ok(rows.count(db).await? > 0)
}

/// Those of `players` who have blocked `other`.
pub(super) async fn blockers(
    db: &impl ConnectionTrait,
    players: &[PlayerId],
    other: &str,
) -> Result<Vec<String>> {
    Entity::find()
        .select_only()
        .column(Column::PlayerId)
        .filter(Column::PlayerId.is_in(players.iter().map(PlayerId::as_str)))
        .filter(Column::FriendId.eq(other))
        .filter(Column::Status.eq(status::BLOCKED))
        .into_tuple()
        .all(db)
        .await
}

/// The accepted friendships of several players.
pub(super) async fn accepted(db: &impl ConnectionTrait, players: &[PlayerId]) -> Result<Vec<Row>> {
    let ids = || in_list(players.iter().map(PlayerId::as_str));
    Entity::find()
        .filter(Column::Status.eq(status::ACCEPTED))
        .filter(
            Condition::any()
                .add(Column::PlayerId.is_in(ids()))
                .add(Column::FriendId.is_in(ids())),
        )
        .all(db)
        .await
}

/// What concerns a player, newest first: their own rows, and others' that are no block.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    player: &str,
    filter: &Filter,
) -> Result<Vec<Row>> {
    let theirs = Condition::all()
        .add(Column::FriendId.eq(player))
        .add(Column::Status.ne(status::BLOCKED));
    let either = Condition::any()
        .add(Column::PlayerId.eq(player))
        .add(theirs);
    let mut query = Entity::find().filter(either);
    if let Some(status) = &filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(before) = &filter.before {
        query = query.filter(Column::Id.lt(before));
    }
    let newest = query.order_by_desc(Column::Id).limit(filter.limit.0);
    newest.all(db).await
}

/// What stands between two players, in either's name.
pub(super) async fn between(tx: &DatabaseTransaction, a: &str, b: &str) -> Result<Vec<Row>> {
    let named = |from: &str, to: &str| {
        Condition::all()
            .add(Column::PlayerId.eq(from))
            .add(Column::FriendId.eq(to))
    };
    Entity::find()
        .filter(Condition::any().add(named(a, b)).add(named(b, a)))
        .all(tx)
        .await
}

/// How many friends a player has, requests sent counted in.
pub(super) async fn count_friends(tx: &DatabaseTransaction, player: &str) -> Result<u64> {
    let accepted = Condition::all()
        .add(Column::FriendId.eq(player))
        .add(Column::Status.eq(status::ACCEPTED));
    let own = Condition::all()
        .add(Column::PlayerId.eq(player))
        .add(Column::Status.ne(status::BLOCKED));
    let rows = Entity::find().filter(Condition::any().add(own).add(accepted));
    rows.count(tx).await
}

/// How many requests wait for a player's answer.
pub(super) async fn count_requests(tx: &DatabaseTransaction, player: &str) -> Result<u64> {
    let rows = Entity::find()
        .filter(Column::FriendId.eq(player))
        .filter(Column::Status.eq(status::PENDING));
    rows.count(tx).await
}

/// How many others a player blocks.
pub(super) async fn count_blocks(tx: &DatabaseTransaction, player: &str) -> Result<u64> {
    let rows = Entity::find()
        .filter(Column::PlayerId.eq(player))
        .filter(Column::Status.eq(status::BLOCKED));
    rows.count(tx).await
}

/// Adds a row in `player`'s name.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    player: &str,
    friend: &str,
    status: &str,
) -> Result<Row> {
    let now = db_now();
    let row = Row {
        id: new_id(),
        player_id: player.to_owned(),
        friend_id: friend.to_owned(),
        status: status.to_owned(),
        inserted_at: now,
        updated_at: now,
    };
    Entity::insert(ActiveModel::from(row.clone()))
        .exec_without_returning(tx)
        .await?;
    Ok(row)
}

/// Makes a request a friendship.
pub(super) async fn accept(tx: &DatabaseTransaction, row: &Row) -> Result<Row> {
    let accepted = Row {
        status: status::ACCEPTED.to_owned(),
        updated_at: db_now(),
        ..row.clone()
    };
    Entity::update_many()
        .col_expr(Column::Status, Expr::val(status::ACCEPTED))
        .col_expr(Column::UpdatedAt, Expr::val(accepted.updated_at))
        .filter(Column::Id.eq(&row.id))
        .exec(tx)
        .await?;
    Ok(accepted)
}

/// Removes a row.
pub(super) async fn delete(tx: &DatabaseTransaction, row: &Row) -> Result<()> {
    Entity::delete_by_id(&row.id).exec(tx).await?;
    Ok(())
}
