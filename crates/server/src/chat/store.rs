//! The SQL of messages.

use asobi_game::PlayerId;
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::entities::chat_messages::{ActiveModel, Column, Entity};
use crate::db::in_list;

pub(super) use super::entities::chat_messages::Model as Message;

type Result<T> = std::result::Result<T, DbErr>;

/// Rows one statement names; a statement holds 32,766 values at most in SQLite.
pub(super) const ROWS: usize = 500;

/// Adds messages. One that is there already stays as it is: a batch whose commit was in doubt is
/// written again.
pub(super) async fn insert<'a>(
    tx: &DatabaseTransaction,
    messages: impl Iterator<Item = &'a Message>,
) -> Result<()> {
    let rows: Vec<&Message> = messages.collect();
    for rows in rows.chunks(ROWS) {
        let once = OnConflict::column(Column::Id).do_nothing().to_owned();
        let rows = rows.iter().map(|row| ActiveModel::from((*row).clone()));
        Entity::insert_many(rows)
            .on_conflict(once)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// The newest messages of a channel, or those before an id, newest first.
pub(super) async fn newest(
    db: &impl ConnectionTrait,
    channel: &str,
    before: Option<&str>,
    limit: u64,
) -> Result<Vec<Message>> {
    let mut query = Entity::find().filter(Column::ChannelId.eq(channel));
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    query.order_by_desc(Column::Id).limit(limit).all(db).await
}

/// Which of these players have messages they were not handed yet.
pub(super) async fn with_mail(
    db: &impl ConnectionTrait,
    players: &[PlayerId],
) -> Result<Vec<String>> {
    let found: Vec<Option<String>> = Entity::find()
        .select_only()
        .column(Column::RecipientId)
        .distinct()
        .filter(Column::RecipientId.is_in(in_list(players.iter().map(PlayerId::as_str))))
        .filter(Column::DeliveredAt.is_null())
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// The newest messages a player was not handed yet, oldest first.
pub(super) async fn undelivered(
    db: &impl ConnectionTrait,
    player: &str,
    limit: u64,
) -> Result<Vec<Message>> {
    let mut messages = Entity::find()
        .filter(Column::RecipientId.eq(player))
        .filter(Column::DeliveredAt.is_null())
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    messages.reverse();
    Ok(messages)
}

/// Notes that messages were handed over.
pub(super) async fn mark(tx: &DatabaseTransaction, ids: &[String], now: i64) -> Result<()> {
    for ids in ids.chunks(ROWS) {
        Entity::update_many()
            .col_expr(Column::DeliveredAt, Expr::value(now))
            .filter(Column::Id.is_in(in_list(ids)))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Gives up handing over a player's messages older than an id.
pub(super) async fn mark_older(
    tx: &DatabaseTransaction,
    player: &PlayerId,
    before: &str,
    now: i64,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::DeliveredAt, Expr::value(now))
        .filter(Column::RecipientId.eq(player.as_str()))
        .filter(Column::DeliveredAt.is_null())
        .filter(Column::Id.lt(before))
        .exec(tx)
        .await?;
    Ok(())
}

/// Deletes some of the messages older than an id; answers how many.
pub(super) async fn prune(tx: &DatabaseTransaction, before: &str, most: u64) -> Result<u64> {
    let oldest = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::Id.lt(before))
        .order_by(Column::Id, sea_orm::Order::Asc)
        .limit(most)
        .to_owned();
    let deleted = Entity::delete_many()
        .filter(Column::Id.in_subquery(oldest))
        .exec(tx)
        .await?;
    Ok(deleted.rows_affected)
}

/// Deletes what a player wrote, and what was written to them alone.
pub(super) async fn erase(tx: &DatabaseTransaction, player: &str) -> Result<()> {
    for column in [Column::SenderId, Column::RecipientId] {
        Entity::delete_many()
            .filter(column.eq(player))
            .exec(tx)
            .await?;
    }
    Ok(())
}
