//! The SQL of when players were last seen.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
};

use super::entities::players::{Column, Entity};
use crate::db::in_list;

type Result<T> = std::result::Result<T, DbErr>;

/// Players one statement names.
const ROWS: usize = 500;

/// When these players were last seen (Unix milliseconds), if ever; players that are none are
/// left out.
pub(super) async fn last_seen(
    db: &impl ConnectionTrait,
    players: &[&str],
) -> Result<HashMap<String, Option<i64>>> {
    let rows = Entity::find()
        .filter(Column::Id.is_in(in_list(players.iter().copied())))
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.last_seen_at))
        .collect())
}

/// Notes that these players were seen.
///
/// Rows that another transaction holds are passed over: waiting for many rows at once, in
/// whatever order, could lock that other transaction up. Who is passed over is seen again soon.
pub(super) async fn seen(tx: &DatabaseTransaction, players: &[&str], now: i64) -> Result<()> {
    for players in players.chunks(ROWS) {
        let free: Vec<String> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Id.is_in(in_list(players.iter().copied())))
            .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
            .into_tuple()
            .all(tx)
            .await?;
        Entity::update_many()
            .col_expr(Column::LastSeenAt, Expr::value(now))
            .filter(Column::Id.is_in(in_list(free)))
            .exec(tx)
            .await?;
    }
    Ok(())
}
