//! What is kept of votes.

use asobi_game::host::VoteRecord;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, QuerySelect};
use serde_json::json;

use crate::clock::{self, iso};
use crate::db::{Db, Document};

use super::SHOWN;
use super::shown::{ShownVote, status};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "votes")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: String,
    match_id: String,
    template: String,
    method: String,
    options: Document,
    votes_cast: Document,
    result: Option<Document>,
    distribution: Document,
    turnout: f32,
    eligible_count: i32,
    window_ms: i64,
    opened_at: i64,
    closed_at: i64,
    inserted_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes finished votes; one that is there already stays as it is.
pub(super) async fn insert(
    transaction: &DatabaseTransaction,
    votes: &[VoteRecord],
) -> Result<(), DbErr> {
    let once = OnConflict::column(Column::Id).do_nothing().to_owned();
    let insert = Entity::insert_many(votes.iter().map(row)).on_conflict(once);
    insert.exec_without_returning(transaction).await?;
    Ok(())
}

/// The votes of a match, newest first.
pub(super) async fn of_match(db: &Db, match_id: &str) -> Result<Vec<ShownVote>, DbErr> {
    let newest = Entity::find()
        .filter(Column::MatchId.eq(match_id))
        .order_by_desc(Column::ClosedAt)
        .order_by_desc(Column::Id)
        .limit(SHOWN as u64);
    Ok(newest
        .all(db.read())
        .await?
        .into_iter()
        .map(shown)
        .collect())
}

/// One vote.
pub(super) async fn find(db: &Db, id: &str) -> Result<Option<ShownVote>, DbErr> {
    Ok(Entity::find_by_id(id).one(db.read()).await?.map(shown))
}

fn row(vote: &VoteRecord) -> ActiveModel {
    ActiveModel {
        id: Set(vote.result.vote_id.clone()),
        match_id: Set(vote.match_id.to_string()),
        // PostgreSQL refuses a NUL in text, and one vote must not hold up what is written with it.
        template: Set(vote.request.template.replace('\0', "\u{FFFD}")),
        method: Set(vote.request.method.as_str().into()),
        options: Set(Document::new(&json!(vote.request.options))),
        votes_cast: Set(Document::new(&json!(vote.votes_cast))),
        result: Set(Some(Document::new(&json!(vote.result)))),
        distribution: Set(Document::new(&json!(vote.result.distribution))),
        turnout: Set(vote.result.turnout as f32),
        eligible_count: Set(i32::try_from(vote.eligible).unwrap_or(i32::MAX)),
        window_ms: Set(clock::database_time(vote.request.window_ms)),
        opened_at: Set(clock::database_time(vote.opened_at)),
        closed_at: Set(clock::database_time(vote.closed_at)),
        inserted_at: Set(clock::db_now()),
    }
}

fn shown(row: Model) -> ShownVote {
    ShownVote {
        status: status(row.result.as_ref()),
        id: row.id,
        match_id: row.match_id,
        template: row.template,
        method: row.method,
        options: row.options,
        votes_cast: Some(row.votes_cast),
        result: row.result,
        distribution: row.distribution,
        turnout: f64::from(row.turnout),
        eligible_count: row.eligible_count,
        window_ms: row.window_ms,
        opened_at: iso(row.opened_at),
        closed_at: Some(iso(row.closed_at)),
        inserted_at: Some(iso(row.inserted_at)),
    }
}
