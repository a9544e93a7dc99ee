//! The table of notifications, as `db/migrations/m0002` makes it.

// The derives write `pub` items; the module itself is private.
#![allow(unreachable_pub)]

use sea_orm::entity::prelude::*;

use crate::db::Document;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "notifications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub player_id: String,
    #[sea_orm(column_name = "type")]
    pub kind: String,
    pub subject: String,
    pub content: Document,
    pub read: bool,
    pub sent_at: i64,
    /// Whose deed it tells of.
    pub from_player_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
