//! Forgetting tokens that no longer matter.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::store;
use crate::clock::db_now;
use crate::db::Db;

/// Time between two looks for such rows.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Prunes the database for as long as it lives.
pub(super) struct Pruning(JoinHandle<()>);

impl Pruning {
    /// Starts. Rows stay for `keep_ms` (milliseconds) after they expired or were revoked.
    pub(super) fn start(db: Db, keep_ms: i64) -> Self {
        Self(tokio::spawn(async move {
            let mut every = tokio::time::interval(EVERY);
            loop {
                every.tick().await;
                if let Err(error) = prune(&db, keep_ms).await {
                    tracing::warn!(%error, "cannot prune tokens");
                }
            }
        }))
    }
}

impl Drop for Pruning {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Prunes once.
pub(super) async fn prune(db: &Db, keep_ms: i64) -> Result<(), sea_orm::DbErr> {
    let tx = db.write().await?;
    store::prune(&tx, db_now().saturating_sub(keep_ms)).await?;
    tx.commit().await
}
