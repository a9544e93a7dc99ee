//! What the tables of all migrations have in common.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string;

pub(super) fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).to_owned()
}

/// A primary key of text.
pub(super) fn key(name: &'static str) -> ColumnDef {
    string(name).primary_key().take()
}

/// Rows of a player go with the player.
pub(super) fn owner(from: &'static str) -> ForeignKeyCreateStatement {
    reference(from, "player_id", "players")
}

/// Rows go with what `column` refers to.
pub(super) fn reference(
    from: &'static str,
    column: &'static str,
    to: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(from, column)
        .to(to, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

pub(super) fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}
