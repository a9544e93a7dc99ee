//! Forgetting old messages.

use std::time::Duration;

use sea_orm::DbErr;
use tokio::task::JoinHandle;

use super::store;
use crate::clock::now_ms;
use crate::db::Db;

/// Time between two looks for old messages.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Messages deleted in one transaction: others wait for the database meanwhile.
const AT_ONCE: u64 = 500;

/// Pause between two such transactions.
const PAUSE: Duration = Duration::from_millis(50);

/// Prunes the database for as long as it lives.
pub(super) struct Pruning(JoinHandle<()>);

impl Pruning {
    /// Starts. Messages stay for `days`; none if they stay for ever.
    pub(super) fn start(db: Db, days: u64) -> Option<Self> {
        let keep_ms = days.saturating_mul(24 * 60 * 60 * 1_000);
        (days > 0).then(|| Self(tokio::spawn(prune_hourly(db, keep_ms))))
    }
}

impl Drop for Pruning {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn prune_hourly(db: Db, keep_ms: u64) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        match prune(&db, now_ms().saturating_sub(keep_ms)).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "old chat messages deleted"),
            Err(error) => tracing::warn!(%error, "cannot prune chat messages"),
        }
    }
}

/// Deletes the messages sent before a time (Unix milliseconds); answers how many.
pub(super) async fn prune(db: &Db, before_ms: u64) -> Result<u64, DbErr> {
    let before = first_id_of(before_ms);
    let mut deleted = 0;
    loop {
        let tx = db.write().await?;
        let some = store::prune(&tx, &before, AT_ONCE).await?;
        tx.commit().await?;
        deleted += some;
        if some < AT_ONCE {
            return Ok(deleted);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The least id a message of this time can have: there is an index on ids, and a UUIDv7 begins
/// with the time in 48 bits.
fn first_id_of(ms: u64) -> String {
    let time = format!("{:012x}", ms.min((1 << 48) - 1));
    format!("{}-{}-0000-0000-000000000000", &time[..8], &time[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_time_and_later_are_not_below_it() {
        let before = now_ms();
        let id = uuid::Uuid::now_v7().to_string();
        let bound = first_id_of(before);
        assert!(bound < id, "{bound} {id}");
        assert!(first_id_of(now_ms() + 1) > id);
        assert!(crate::text::is_id(&bound));
    }
}
