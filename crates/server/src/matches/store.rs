//! What is kept of matches: snapshots of the running ones, records of the finished ones, votes.
//!
//! Simulation threads hand over and go on. One task writes what has come together in one
//! transaction; of a match's snapshots only the newest is written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use asobi_game::host::{MatchRecord, VoteRecord};
use asobi_game::matches::SavedMatch;
use asobi_game::{MatchId, PlayerId};
use parking_lot::Mutex;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use crate::clock;
use crate::db::{Db, Document, in_list, log_retry};
use crate::edge::error::{Outcome, database};
use crate::edge::params::Limit;
use crate::text::{is_id, is_storable};
use crate::votes;

use super::entities::{records, snapshots, stats};

/// How long writes gather before they are written together.
const GATHER: Duration = Duration::from_millis(50);

/// Pause after a failed write before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Rows of one statement; SQLite holds 32,766 values in one at most.
const ROWS: usize = 500;

/// Most results and votes that wait for a database that is away; the oldest go first.
const MAX_WAITING: usize = 10_000;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Db,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

/// What is to be written.
#[derive(Default)]
struct Waiting {
    snapshots: HashMap<MatchId, SavedMatch>,
    gone: HashSet<MatchId>,
    records: Vec<MatchRecord>,
    votes: Vec<VoteRecord>,
    flushed: Vec<oneshot::Sender<()>>,
}

/// Which finished matches to list.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RecordFilter {
    /// Only this mode.
    pub mode: Option<String>,
    /// Only this status.
    pub status: Option<String>,
    /// How many, 1 to 200.
    #[serde(default)]
    #[param(value_type = Option<u64>)]
    pub limit: Limit,
}

/// What a player's matches add up to.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Stats {
    games_played: i32,
    wins: i32,
    losses: i32,
    rating: f32,
}

impl Store {
    /// A store, with the task that writes.
    pub fn new(db: Db) -> Self {
        let store = Self {
            db,
            shared: Arc::default(),
        };
        tokio::spawn(store.clone().write_what_comes());
        store
    }

    /// Keeps a running match's newest snapshot.
    pub fn save(&self, saved: SavedMatch) {
        self.hand_over(|waiting| {
            waiting.gone.remove(&saved.id);
            waiting.snapshots.insert(saved.id.clone(), saved);
        });
    }

    /// Keeps a finished match's result; its snapshot goes.
    pub fn finish(&self, record: MatchRecord) {
        self.hand_over(|waiting| {
            waiting.snapshots.remove(&record.id);
            waiting.gone.insert(record.id.clone());
            waiting.records.push(record);
        });
    }

    /// Keeps a finished vote.
    pub fn keep_vote(&self, record: VoteRecord) {
        self.hand_over(|waiting| waiting.votes.push(record));
    }

    /// Drops a match's snapshot.
    pub fn forget(&self, id: MatchId) {
        self.hand_over(|waiting| {
            waiting.snapshots.remove(&id);
            waiting.gone.insert(id);
        });
    }

    /// Waits until everything handed over before is written.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.hand_over(|waiting| waiting.flushed.push(done));
        let _ = flushed.await;
    }

    fn hand_over(&self, add: impl FnOnce(&mut Waiting)) {
        add(&mut self.shared.waiting.lock());
        self.shared.wake.notify_one();
    }

    async fn write_what_comes(self) {
        loop {
            self.shared.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            let batch = std::mem::take(&mut *self.shared.waiting.lock());
            if let Err(error) = self.write(&batch).await {
                log_retry(&error, "matches not saved");
                self.put_back(batch);
                tokio::time::sleep(RETRY).await;
                self.shared.wake.notify_one();
                continue;
            }
            for done in batch.flushed {
                let _ = done.send(());
            }
        }
    }

    /// Puts a batch that was not written behind what has come since.
    fn put_back(&self, batch: Waiting) {
        let mut waiting = self.shared.waiting.lock();
        for (id, saved) in batch.snapshots {
            if !waiting.gone.contains(&id) {
                waiting.snapshots.entry(id).or_insert(saved);
            }
        }
        for id in batch.gone {
            if !waiting.snapshots.contains_key(&id) {
                waiting.gone.insert(id);
            }
        }
        prepend(&mut waiting.records, batch.records);
        prepend(&mut waiting.votes, batch.votes);
        waiting.flushed.extend(batch.flushed);
    }

    async fn write(&self, batch: &Waiting) -> Result<(), DbErr> {
        let transaction = self.db.write().await?;
        let saved: Vec<&SavedMatch> = batch.snapshots.values().collect();
        for saved in saved.chunks(ROWS) {
            write_snapshots(&transaction, saved).await?;
        }
        let gone: Vec<&str> = batch.gone.iter().map(MatchId::as_str).collect();
        for gone in gone.chunks(ROWS) {
            let gone = snapshots::Column::MatchId.is_in(in_list(gone.iter().copied()));
            let old = snapshots::Entity::delete_many().filter(gone);
            old.exec(&transaction).await?;
        }
        for record in &batch.records {
            write_record(&transaction, record).await?;
        }
        for votes in batch.votes.chunks(ROWS) {
            votes::keep(&transaction, votes).await?;
        }
        transaction.commit().await
    }

    /// The matches to take up again.
    pub async fn saved_matches(&self) -> anyhow::Result<Vec<SavedMatch>> {
        let rows = snapshots::Entity::find().all(self.db.read()).await?;
        let mut saved = Vec::new();
        for row in rows {
            match serde_json::from_str(row.meta.text()) {
                Ok(meta) => saved.push(SavedMatch {
                    id: MatchId::from(row.match_id),
                    mode: row.mode,
                    meta,
                    state: row.state.into(),
                }),
                Err(error) => {
                    tracing::error!(match_id = row.match_id, %error, "snapshot not readable; kept")
                }
            }
        }
        Ok(saved)
    }

    /// A finished match.
    pub async fn record(&self, id: &str) -> Outcome<Option<Value>> {
        if !is_id(id) {
            return Ok(None);
        }
        let row = records::Entity::find_by_id(id)
            .one(self.db.read())
            .await
            .map_err(database)?;
        Ok(row.map(|row| row.shown()))
    }

    /// A player's counters.
    pub async fn stats(&self, player: &PlayerId) -> Outcome<Option<Stats>> {
        let row = stats::Entity::find_by_id(player.as_str())
            .one(self.db.read())
            .await
            .map_err(database)?;
        Ok(row.map(|row| Stats {
            games_played: row.games_played,
            wins: row.wins,
            losses: row.losses,
            rating: row.rating,
        }))
    }

    /// Finished matches, newest first.
    pub async fn records(&self, filter: &RecordFilter) -> Outcome<Vec<Value>> {
        let wanted = [&filter.mode, &filter.status];
        if !wanted.into_iter().flatten().all(|text| is_storable(text)) {
            return Ok(Vec::new());
        }
        let mut query = records::Entity::find();
        if let Some(mode) = &filter.mode {
            query = query.filter(records::Column::Mode.eq(mode));
        }
        if let Some(status) = &filter.status {
            query = query.filter(records::Column::Status.eq(status));
        }
        let newest = query
            .order_by_desc(records::Column::InsertedAt)
            .limit(filter.limit.0);
        let rows = newest.all(self.db.read()).await.map_err(database)?;
        Ok(rows.into_iter().map(|row| row.shown()).collect())
    }
}

fn prepend<T>(to: &mut Vec<T>, mut earlier: Vec<T>) {
    earlier.append(to);
    let excess = earlier.len().saturating_sub(MAX_WAITING);
    earlier.drain(..excess);
    *to = earlier;
}

async fn write_snapshots(
    transaction: &DatabaseTransaction,
    saved: &[&SavedMatch],
) -> Result<(), DbErr> {
    let rows = saved.iter().map(|saved| snapshots::ActiveModel {
        match_id: Set(saved.id.to_string()),
        mode: Set(saved.mode.clone()),
        meta: Set(Document::new(&json!(saved.meta))),
        state: Set(saved.state.to_vec()),
        saved_at: Set(clock::database_time(saved.meta.saved_at)),
    });
    let newest = OnConflict::column(snapshots::Column::MatchId)
        .update_columns([
            snapshots::Column::Meta,
            snapshots::Column::State,
            snapshots::Column::SavedAt,
        ])
        .to_owned();
    snapshots::Entity::insert_many(rows)
        .on_conflict(newest)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// Keeps a result and moves its players' counters. The record's primary key makes that happen
/// once, however often the match ends.
async fn write_record(
    transaction: &DatabaseTransaction,
    record: &MatchRecord,
) -> Result<(), DbErr> {
    let result: Value = asobi_wire::json::read(&record.result).unwrap_or_else(|_| json!({}));
    let row = records::ActiveModel {
        id: Set(record.id.to_string()),
        mode: Set(record.mode.clone()),
        status: Set("finished".into()),
        players: Set(Document::new(&json!(record.players))),
        result: Set(Document::new(&result)),
        started_at: Set(record.started_at.map(clock::database_time)),
        finished_at: Set(clock::database_time(record.finished_at)),
        inserted_at: Set(clock::db_now()),
    };
    let once = OnConflict::column(records::Column::Id)
        .do_nothing()
        .to_owned();
    let written = records::Entity::insert(row)
        .on_conflict(once)
        .exec_without_returning(transaction)
        .await?;
    if written == 0 {
        return Ok(());
    }
    for player in record.players.iter().filter(|player| !player.is_bot()) {
        let (won, lost) = standing(&result, player);
        count_game(transaction, player, won, lost).await?;
    }
    Ok(())
}

/// Whether the result says a player won or lost: `winners`/`winner` and `losers`/`loser`.
/// Winners without losers make losers of everyone else.
fn standing(result: &Value, player: &PlayerId) -> (bool, bool) {
    let won = names(result, "winners", "winner", player);
    let lost = names(result, "losers", "loser", player);
    (won == Some(true), lost.unwrap_or(won == Some(false)))
}

/// Whether a list or a single field of the result names the player; `None` without either.
fn names(result: &Value, list: &str, single: &str, player: &PlayerId) -> Option<bool> {
    if let Some(list) = result[list].as_array() {
        return Some(list.iter().any(|id| id == player.as_str()));
    }
    Some(result[single].as_str()? == player.as_str())
}

/// Moves a player's counters. Every player has had them from the start; one erased meanwhile does
/// not get them back.
async fn count_game(
    transaction: &DatabaseTransaction,
    player: &PlayerId,
    won: bool,
    lost: bool,
) -> Result<(), DbErr> {
    let more = |column: stats::Column, by: i32| Expr::col(column).add(by);
    stats::Entity::update_many()
        .col_expr(
            stats::Column::GamesPlayed,
            more(stats::Column::GamesPlayed, 1),
        )
        .col_expr(
            stats::Column::Wins,
            more(stats::Column::Wins, i32::from(won)),
        )
        .col_expr(
            stats::Column::Losses,
            more(stats::Column::Losses, i32::from(lost)),
        )
        .col_expr(stats::Column::UpdatedAt, Expr::val(clock::db_now()))
        .filter(stats::Column::PlayerId.eq(player.as_str()))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Forgets a player's counters.
pub(super) async fn erase(
    transaction: &DatabaseTransaction,
    player: &PlayerId,
) -> Result<(), DbErr> {
    let own = stats::Entity::delete_many().filter(stats::Column::PlayerId.eq(player.as_str()));
    own.exec(transaction).await?;
    Ok(())
}
