//! A database for a test: SQLite in a temporary folder, or one of its own on PostgreSQL.

use std::path::PathBuf;

use asobi_game::PlayerId;
use sea_orm::ConnectionTrait;

use super::Db;
use crate::config::DatabaseConfig;
use crate::postgres::Postgres;

/// Where a test's data lies, until it is over.
pub(crate) struct Scratch {
    pub(crate) url: String,
    folder: Option<PathBuf>,
    _postgres: Option<Postgres>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        match Postgres::from_environment() {
            Some(postgres) => Self {
                url: postgres.url.clone(),
                folder: None,
                _postgres: Some(postgres),
            },
            None => Self::folder(),
        }
    }

    /// The database, with its tables.
    pub(crate) async fn open(&self) -> Db {
        let config = DatabaseConfig {
            url: self.url.clone().into(),
            ..DatabaseConfig::default()
        };
        Db::open(&config, &std::env::temp_dir()).await.unwrap()
    }

    fn folder() -> Self {
        let name = format!("asobi_test_{}", uuid::Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self {
            url: format!("sqlite://{}/test.db?mode=rwc", folder.display()),
            folder: Some(folder),
            _postgres: None,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// New players, in the order of their ids.
pub(crate) async fn add_players(db: &Db, count: usize) -> Vec<PlayerId> {
    let ids: Vec<String> = (0..count).map(|_| crate::text::new_id()).collect();
    let tx = db.write().await.unwrap();
    for some in ids.chunks(500) {
        let rows: Vec<String> = some
            .iter()
            .map(|id| format!("('{id}', 'p_{id}', 'Player', '{{}}', 0, 0)"))
            .collect();
        let insert = format!(
            "INSERT INTO players (id, username, display_name, metadata, inserted_at, updated_at) \
             VALUES {}",
            rows.join(", ")
        );
        tx.execute_unprepared(&insert).await.unwrap();
    }
    tx.commit().await.unwrap();
    ids.into_iter().map(PlayerId::from).collect()
}

/// Erases a player as the database sees it.
pub(crate) async fn erase_player(db: &Db, player: &PlayerId) {
    let tx = db.write().await.unwrap();
    let erase = format!("DELETE FROM players WHERE id = '{player}'");
    tx.execute_unprepared(&erase).await.unwrap();
    tx.commit().await.unwrap();
}
