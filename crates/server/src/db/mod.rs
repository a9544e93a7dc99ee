//! The database: embedded SQLite or PostgreSQL, from one code base.
//!
//! Reads go to [`Db::read`]; whatever changes something goes through [`Db::write`], one
//! transaction a call. SQLite has one writer, so writes queue for one connection there and
//! never meet `SQLITE_BUSY`.

mod document;
mod migrations;
#[cfg(test)]
pub(crate) mod testing;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, SqlErr, Statement, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use crate::config::DatabaseConfig;

pub use document::Document;

/// The file of the embedded database inside the data folder.
const SQLITE_FILE: &str = "asobi.db";

/// A handle on the database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl Db {
    /// Opens the database and brings its tables up to date.
    pub async fn open(config: &DatabaseConfig, data_dir: &Path) -> anyhow::Result<Self> {
        let url = match config.url.expose() {
            "" => embedded_url(data_dir)?,
            url => url.to_owned(),
        };
        let db = if url.starts_with("sqlite:") {
            let writer = connect(&url, 1).await?;
            let reader = connect(&url, config.max_connections).await?;
            Self { reader, writer }
        } else {
            let pool = connect(&url, config.max_connections).await?;
            Self {
                reader: pool.clone(),
                writer: pool,
            }
        };
        migrations::Migrator::up(&db.writer, None)
            .await
            .context("cannot bring the database's tables up to date")?;
        Ok(db)
    }

    /// For reading.
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Begins a transaction; dropping it without a commit takes everything back.
    pub async fn write(&self) -> Result<DatabaseTransaction, DbErr> {
        self.writer.begin().await
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        self.reader.ping().await.is_ok()
    }
}

/// Holds a name until the transaction ends; whoever asks for it meanwhile waits. For what has no
/// row yet that could be locked. SQLite has one writer, which is lock enough.
pub async fn hold(tx: &DatabaseTransaction, name: &str) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        let lock = Statement::from_sql_and_values(DbBackend::Postgres, sql, [name.into()]);
        tx.query_one_raw(lock).await?;
    }
    Ok(())
}

/// Whether a statement failed because what a row refers to is not there (any more).
pub fn is_orphan(error: &DbErr) -> bool {
    matches!(
        error.sql_err(),
        Some(SqlErr::ForeignKeyConstraintViolation(_))
    )
}

fn embedded_url(data_dir: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot create the data folder {}", data_dir.display()))?;
    // The folder holds players' data and, in dev, secrets: keep it out of version control
    // wherever it lands.
    let ignore = data_dir.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(&ignore, "*\n").context("cannot write to the data folder")?;
    }
    let path = std::path::absolute(data_dir.join(SQLITE_FILE))?;
    Ok(format!("sqlite://{}?mode=rwc", path.display()))
}

async fn connect(url: &str, max_connections: u32) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections.max(1))
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            // FULL: a commit is on disk when it is acknowledged, even if the machine loses power.
            sqlite
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5))
                .foreign_keys(true)
        });
    // The URL may hold a password: it stays out of the message.
    Database::connect(options)
        .await
        .context("cannot open the database")
}
