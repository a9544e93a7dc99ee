//! The database: embedded SQLite or PostgreSQL, from one code base.
//!
//! Reads go to [`Db::read`]; whatever changes something goes through [`Db::write`], one
//! transaction a call. SQLite has one writer, so writes queue for one connection there and
//! never meet `SQLITE_BUSY`.

mod away;
mod document;
mod migrations;
#[cfg(test)]
pub(crate) mod scratch;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, SqlErr, Statement, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use self::away::Away;
use crate::config::DatabaseConfig;

pub use away::{is_away, log_retry};
pub use document::{Document, MAX_DEPTH, Unfit};

/// The file of the embedded database inside the data folder.
const SQLITE_FILE: &str = "asobi.db";

/// Names the lock under which one server of several brings the tables up to date.
const MIGRATION_LOCK: i64 = 0x61_73_6f_62_69;

/// A handle on the database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    /// None for SQLite: a file does not go away.
    away: Option<Away>,
}

impl Db {
    /// Opens the database and brings its tables up to date.
    pub async fn open(config: &DatabaseConfig, data_dir: &Path) -> anyhow::Result<Self> {
        let url = match config.url.expose() {
            "" => embedded_url(data_dir)?,
            url => url.to_owned(),
        };
        match url.starts_with("sqlite:") {
            true => Self::open_sqlite(&url, config).await,
            false => Self::open_postgres(&url, config).await,
        }
    }

    async fn open_sqlite(url: &str, config: &DatabaseConfig) -> anyhow::Result<Self> {
        let writer = connect(url, 1).await?;
        let reader = connect(url, config.max_connections).await?;
        migrate(&writer).await?;
        Ok(Self {
            reader,
            writer,
            away: None,
        })
    }

    async fn open_postgres(url: &str, config: &DatabaseConfig) -> anyhow::Result<Self> {
        // Of servers that start together one brings the tables up to date, and the others wait
        // for it. The lock goes with its connection, whatever happens to the process.
        let lock = connect(url, 1).await?;
        lock.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))
            .await
            .context("cannot lock the database's tables")?;
        let pool = connect(url, config.max_connections).await?;
        migrate(&pool).await?;
        lock.close().await.context("cannot open the database")?;
        Ok(Self {
            away: Some(Away::watch(pool.clone())),
            reader: pool.clone(),
            writer: pool,
        })
    }

    /// For reading.
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Begins a transaction; dropping it without a commit takes everything back.
    ///
    /// # Errors
    /// At once while the database is away.
    pub async fn write(&self) -> Result<DatabaseTransaction, DbErr> {
        self.check()?;
        self.writer.begin().await
    }

    /// Fails while the database is away. For reads on behalf of a connection or a match, which
    /// would stand still until the pool gives up.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn check(&self) -> Result<(), DbErr> {
        match self.is_away() {
            true => Err(away::error()),
            false => Ok(()),
        }
    }

    /// Whether the database did not answer when last asked, at most a few seconds ago. Requests
    /// need not find out one by one.
    pub fn is_away(&self) -> bool {
        self.away.as_ref().is_some_and(Away::is_away)
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        !self.is_away() && self.reader.ping().await.is_ok()
    }
}

async fn migrate(connection: &DatabaseConnection) -> anyhow::Result<()> {
    migrations::Migrator::up(connection, None)
        .await
        .context("cannot bring the database's tables up to date")
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

/// A list for `IN (...)`, its last value repeated up to the next power of two. Connections keep
/// the statements they have prepared; one for each length there may be would fill their memory.
pub fn in_list<T: Clone>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut list: Vec<T> = values.into_iter().collect();
    if let Some(last) = list.last().cloned() {
        list.resize(list.len().next_power_of_two(), last);
    }
    list
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
