//! The SQL of notifications.

use std::collections::BTreeSet;
use std::sync::Arc;

use asobi_game::PlayerId;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LockBehavior, LockType, Query, SelectStatement};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;

use super::entities::{ActiveModel, Column, Entity, Model};
use super::{Filter, Notice, Notification};
use crate::accounts::people::{self, IfBusy};
use crate::clock::{db_now, iso};
use crate::db::{Db, Document};
use crate::text::{is_id, new_id};

type Result<T> = std::result::Result<T, DbErr>;

/// Rows of one statement. Each holds a copy of the content, so it is not many.
const AT_ONCE: usize = 100;

/// Players whose lists are looked through in one statement.
const LISTS_AT_ONCE: usize = 500;

/// Rows cut in one statement.
const CUT_AT_ONCE: u64 = 1_000;

/// Adds a notification for each of `to` who is a player, each once, in a transaction that may hold
/// whatever. Push what comes back once it is committed: [`super::Notifications::push`].
pub async fn add(
    tx: &DatabaseTransaction,
    to: &[PlayerId],
    notice: &Notice,
) -> Result<Vec<Notification>> {
    add_to(tx, to, notice, IfBusy::LeaveOut).await
}

/// As [`add`].
pub(super) async fn add_to(
    tx: &DatabaseTransaction,
    to: &[PlayerId],
    notice: &Notice,
    if_busy: IfBusy,
) -> Result<Vec<Notification>> {
    let to: BTreeSet<&str> = to
        .iter()
        .map(PlayerId::as_str)
        .filter(|id| is_id(id))
        .collect();
    let to: Vec<&str> = to.into_iter().collect();
    let sent_at = db_now();
    let shown = Notification {
        id: String::new(),
        player_id: String::new().into(),
        kind: notice.kind.as_str().into(),
        subject: notice.subject.as_str().into(),
        content: notice.content.clone().into_raw().into(),
        read: false,
        sent_at: iso(sent_at).into(),
    };
    let mut added = Vec::with_capacity(to.len());
    for some in to.chunks(AT_ONCE) {
        let players = people::hold(tx, some.iter().copied(), if_busy).await?;
        if players.is_empty() {
            continue;
        }
        let new: Vec<_> = players
            .into_iter()
            .map(|player| Notification {
                id: new_id(),
                player_id: player.into(),
                kind: Arc::clone(&shown.kind),
                subject: Arc::clone(&shown.subject),
                content: Arc::clone(&shown.content),
                sent_at: Arc::clone(&shown.sent_at),
                read: false,
            })
            .collect();
        let rows = new.iter().map(|new| row(new, notice, sent_at));
        Entity::insert_many(rows).exec_without_returning(tx).await?;
        added.extend(new);
    }
    Ok(added)
}

fn row(new: &Notification, notice: &Notice, sent_at: i64) -> ActiveModel {
    ActiveModel {
        id: Set(new.id.clone()),
        player_id: Set(new.player_id.to_string()),
        kind: Set(notice.kind.clone()),
        subject: Set(notice.subject.clone()),
        content: Set(notice.content.clone()),
        read: Set(false),
        sent_at: Set(sent_at),
        from_player_id: Set(notice.from.clone()),
    }
}

/// Takes back what is not true any more: unread notifications of a type whose content has these
/// values.
pub async fn withdraw(
    tx: &DatabaseTransaction,
    from: &[&str],
    kind: &str,
    about: &[(&str, &str)],
) -> Result<()> {
    let unread = Entity::find()
        .filter(Column::PlayerId.is_in(from.iter().copied()))
        .filter(Column::Kind.eq(kind))
        .filter(Column::Read.eq(false));
    let is_about = |content: &Document| {
        let content: Value = serde_json::from_str(content.text()).unwrap_or_default();
        about.iter().all(|(key, value)| content[*key] == *value)
    };
    let rows = unread.all(tx).await?.into_iter();
    let ids: Vec<String> = rows
        .filter(|row| is_about(&row.content))
        .map(|row| row.id)
        .collect();
    if !ids.is_empty() {
        let gone = Entity::delete_many().filter(Column::Id.is_in(ids));
        gone.exec(tx).await?;
    }
    Ok(())
}

/// A player's notifications, newest first.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    player: &PlayerId,
    filter: &Filter,
) -> Result<Vec<Model>> {
    let mut query = Entity::find().filter(Column::PlayerId.eq(player.as_str()));
    match filter.read.as_deref() {
        Some("true") => query = query.filter(Column::Read.eq(true)),
        Some("false") => query = query.filter(Column::Read.eq(false)),
        _ => {}
    }
    if let Some(before) = &filter.before {
        query = query.filter(Column::Id.lt(before));
    }
    let newest = query.order_by_desc(Column::Id).limit(filter.limit.0);
    newest.all(db).await
}

/// The notification of this id, nobody else's to change until the transaction ends.
pub(super) async fn lock(tx: &DatabaseTransaction, id: &str) -> Result<Option<Model>> {
    Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// Marks one notification as read.
pub(super) async fn mark_read(tx: &DatabaseTransaction, id: &str) -> Result<()> {
    let read = Entity::update_many()
        .col_expr(Column::Read, Expr::val(true))
        .filter(Column::Id.eq(id));
    read.exec(tx).await?;
    Ok(())
}

/// Marks all of a player's notifications as read.
pub(super) async fn mark_all_read(tx: &DatabaseTransaction, player: &PlayerId) -> Result<()> {
    let read = Entity::update_many()
        .col_expr(Column::Read, Expr::val(true))
        .filter(Column::PlayerId.eq(player.as_str()))
        .filter(Column::Read.eq(false));
    read.exec(tx).await?;
    Ok(())
}

/// Removes one notification.
pub(super) async fn delete(tx: &DatabaseTransaction, id: &str) -> Result<()> {
    Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}

/// Cuts the lists of `players` to `most`: the oldest read ones go first, then the oldest. A few
/// lists in each transaction, so that others may write in between.
pub(super) async fn cut(db: &Db, players: &[&str], most: u64) -> Result<()> {
    for some in players.chunks(LISTS_AT_ONCE) {
        let long = too_long(db, some, most).await?;
        for some in long.chunks(AT_ONCE) {
            while cut_some(db, some, most).await? == CUT_AT_ONCE {}
        }
    }
    Ok(())
}

/// Those of `players` of whom there are more than `most` notifications.
async fn too_long(db: &Db, players: &[&str], most: u64) -> Result<Vec<String>> {
    let count = Expr::col(Column::Id).count();
    let long = Entity::find()
        .select_only()
        .column(Column::PlayerId)
        .filter(Column::PlayerId.is_in(players.iter().copied()))
        .group_by(Column::PlayerId)
        .having(count.gt(most));
    long.into_tuple().all(db.read()).await
}

/// How many went.
async fn cut_some(db: &Db, players: &[String], most: u64) -> Result<u64> {
    let tx = db.write().await?;
    let ids: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.in_subquery(excess(players, most)))
        .limit(CUT_AT_ONCE)
        // Whoever cuts the same list at the same time takes the same rows: leave them to them.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(&tx)
        .await?;
    let gone = ids.len() as u64;
    if gone > 0 {
        let rows = Entity::delete_many().filter(Column::Id.is_in(ids));
        rows.exec(&tx).await?;
    }
    tx.commit().await?;
    Ok(gone)
}

/// The ids of what is over `most` in each player's list.
fn excess(players: &[String], most: u64) -> SelectStatement {
    let place = "ROW_NUMBER() OVER (PARTITION BY player_id ORDER BY read, id DESC)";
    let ranked = Query::select()
        .column(Column::Id)
        .expr_as(Expr::cust(place), Alias::new("place"))
        .from(Entity)
        .and_where(Expr::col(Column::PlayerId).is_in(players))
        .to_owned();
    Query::select()
        .column(Column::Id)
        .from_subquery(ranked, Alias::new("ranked"))
        .and_where(Expr::col(Alias::new("place")).gt(most))
        .to_owned()
}
