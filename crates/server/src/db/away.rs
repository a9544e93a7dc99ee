//! Noticing that the database server is away, and that it is back.
//!
//! A pool that cannot connect keeps trying until its time is over. While the database is known
//! to be away nobody has to wait for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr, RuntimeErr};
use tokio::task::JoinHandle;

/// Time between two questions.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the database answers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Away {
    away: Arc<AtomicBool>,
    _asking: Arc<Asking>,
}

struct Asking(JoinHandle<()>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Away {
    /// Asks the database now and then, for as long as the answer lives.
    pub(super) fn watch(pool: DatabaseConnection) -> Self {
        let away = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(ask(pool, Arc::clone(&away)));
        Self {
            away,
            _asking: Arc::new(Asking(task)),
        }
    }

    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }
}

async fn ask(pool: DatabaseConnection, away: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let answered = tokio::time::timeout(PATIENCE, pool.ping()).await;
        // A pool that is merely busy is no database that is away.
        let is_gone = match answered {
            Ok(Ok(())) => false,
            Ok(Err(error)) => is_away(&error),
            Err(_) => true,
        };
        if away.swap(is_gone, Ordering::Relaxed) != is_gone {
            match is_gone {
                true => tracing::error!("the database is away; trying again every second"),
                false => tracing::info!("the database is back"),
            }
        }
    }
}

/// What a transaction begun while the database is away fails with.
pub(super) fn error() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

/// Logs that something failed which is tried again. While the database is away that is said
/// once, by whoever watches it, and not by everybody who waits for it.
pub fn log_retry(error: &DbErr, what: &str) {
    match is_away(error) {
        true => tracing::debug!(%error, "{what}; trying again"),
        false => tracing::error!(%error, "{what}; trying again"),
    }
}

/// Whether a statement failed because there is no database to speak to: nothing is wrong with
/// the statement, and later it may work.
pub fn is_away(error: &DbErr) -> bool {
    let cause = match error {
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => return true,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            cause
        }
        _ => return false,
    };
    match &**cause {
        SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::Protocol(_) => true,
        SqlxError::PoolTimedOut | SqlxError::PoolClosed => true,
        SqlxError::Database(error) => error.code().is_some_and(|code| is_shutdown(&code)),
        _ => false,
    }
}

/// PostgreSQL's codes for a server that stops, has crashed, or is not up yet; and for too many
/// connections. See its appendix A, class 57 and 53300.
fn is_shutdown(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | "53300")
}
