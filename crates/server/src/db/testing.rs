//! A database for one test.
//!
//! It is SQLite in a temporary folder. With `ASOBI_TEST_DATABASE_URL` set to a PostgreSQL
//! server it is a database of its own there, dropped when the test is over.

use std::path::PathBuf;

use sea_orm::{ConnectionTrait, Database};

/// Where a test's data lies, until it is over.
pub(crate) struct Disk {
    pub(crate) url: String,
    kind: DiskKind,
}

enum DiskKind {
    Folder(PathBuf),
    Postgres { server: String, name: String },
}

impl Disk {
    pub(crate) async fn new() -> Self {
        let name = format!("asobi_test_{}", uuid::Uuid::now_v7().simple());
        match std::env::var("ASOBI_TEST_DATABASE_URL") {
            Ok(server) => Self::postgres(server, name).await,
            Err(_) => Self::folder(&name),
        }
    }

    fn folder(name: &str) -> Self {
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self {
            url: format!("sqlite://{}/test.db?mode=rwc", folder.display()),
            kind: DiskKind::Folder(folder),
        }
    }

    async fn postgres(server: String, name: String) -> Self {
        let db = Database::connect(&server).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        db.execute_unprepared(&create).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Self {
            url: format!("{base}/{name}"),
            kind: DiskKind::Postgres { server, name },
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        match &self.kind {
            DiskKind::Folder(folder) => {
                let _ = std::fs::remove_dir_all(folder);
            }
            DiskKind::Postgres { server, name } => {
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                let _ = std::process::Command::new("psql")
                    .args([server.as_str(), "-qc", &drop])
                    .status();
            }
        }
    }
}
