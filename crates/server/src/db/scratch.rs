//! A database for a test.
//!
//! It is SQLite in a temporary folder. With `ASOBI_TEST_DATABASE_URL` set to a PostgreSQL server
//! it is a database of its own there, dropped when the test is over.

use std::path::PathBuf;

use asobi_game::PlayerId;
use sea_orm::{ConnectionTrait, Database};

use super::Db;
use crate::config::DatabaseConfig;

/// Where a test's data lies, until it is over.
pub(crate) struct Scratch {
    pub(crate) url: String,
    kind: Kind,
}

enum Kind {
    Folder(PathBuf),
    Postgres { server: String, name: String },
}

impl Scratch {
    pub(crate) async fn new() -> Self {
        let name = format!("asobi_test_{}", uuid::Uuid::now_v7().simple());
        match std::env::var("ASOBI_TEST_DATABASE_URL") {
            Ok(server) => Self::postgres(server, name).await,
            Err(_) => Self::folder(&name),
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

    fn folder(name: &str) -> Self {
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self {
            url: format!("sqlite://{}/test.db?mode=rwc", folder.display()),
            kind: Kind::Folder(folder),
        }
    }

    async fn postgres(server: String, name: String) -> Self {
        let db = Database::connect(&server).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        db.execute_unprepared(&create).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Self {
            url: format!("{base}/{name}"),
            kind: Kind::Postgres { server, name },
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match &self.kind {
            Kind::Folder(folder) => {
                let _ = std::fs::remove_dir_all(folder);
            }
            Kind::Postgres { server, name } => {
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                let _ = std::process::Command::new("psql")
                    .args([server.as_str(), "-qc", &drop])
                    .status();
            }
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
