//! Where a test's server keeps its data.
//!
//! In its data folder. With `ASOBI_TEST_DATABASE_URL` set to a PostgreSQL server it is a database
//! of its own there, dropped when the test is over.

use std::process::Command;

/// A database on a PostgreSQL server.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// A new one, if the tests are to use PostgreSQL.
    pub(crate) fn new() -> Option<Self> {
        let server = std::env::var("ASOBI_TEST_DATABASE_URL").ok()?;
        let name = format!("asobi_e2e_{}", uuid::Uuid::now_v7().simple());
        let database = Self { server, name };
        assert!(database.sql(&format!("CREATE DATABASE {}", database.name)));
        Some(database)
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    fn sql(&self, statement: &str) -> bool {
        let psql = Command::new("psql")
            .args([self.server.as_str(), "-qc", statement])
            .status();
        psql.is_ok_and(|status| status.success())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.sql(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
