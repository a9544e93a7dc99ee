//! The database's tables, in the steps they came.

use sea_orm_migration::prelude::*;

mod m0001_accounts_and_matches;
mod m0002_social_and_storage;
mod shape;

/// Brings the tables up to date at start.
pub(super) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_accounts_and_matches::Migration),
            Box::new(m0002_social_and_storage::Migration),
        ]
    }
}
