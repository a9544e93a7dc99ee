//! A PostgreSQL database of a test's own, dropped when the test is over.
//!
//! With `ASOBI_TEST_DATABASE_URL` set to a server, such as
//! `postgres://postgres@127.0.0.1:5432/postgres`, tests run on PostgreSQL instead of SQLite.

use std::process::Command;

/// A database on the server the environment names.
pub(crate) struct Postgres {
    server: String,
    name: String,
    /// Where it is.
    pub(crate) url: String,
}

impl Postgres {
    /// None: the tests run on SQLite.
    pub(crate) fn from_environment() -> Option<Self> {
        let server = std::env::var("ASOBI_TEST_DATABASE_URL").ok()?;
        let name = format!("asobi_test_{}", uuid::Uuid::now_v7().simple());
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        let database = Self {
            url: format!("{base}/{name}"),
            server,
            name,
        };
        assert!(
            database.run("CREATE DATABASE"),
            "PostgreSQL at {} makes no database",
            database.server
        );
        Some(database)
    }

    fn run(&self, statement: &str) -> bool {
        let force = if statement.starts_with("DROP") {
            " WITH (FORCE)"
        } else {
            ""
        };
        let statement = format!("{statement} {}{force}", self.name);
        let done = Command::new("psql")
            .args([self.server.as_str(), "-qc", &statement])
            .status();
        done.is_ok_and(|status| status.success())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.run("DROP DATABASE");
    }
}
