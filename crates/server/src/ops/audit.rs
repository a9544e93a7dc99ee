//! The audit trail: who did what to whom, and how it ended.
//!
//! Rows are added and never changed. None refers to a player's row, so the record of an erasure
//! outlives its subject. Who records inside the transaction of the deed has either both or
//! neither.

use asobi_game::PlayerId;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};
use serde_json::json;

use crate::clock::db_now;
use crate::db::Document;
use crate::text::new_id;

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// What tells this actor from others of the same source.
    pub id: String,
    /// What a list shows.
    pub display: String,
    /// How the actor was let in.
    pub source: &'static str,
    /// Whether `id` was proven rather than claimed.
    pub attested: bool,
}

impl Actor {
    /// A player, acting on what is theirs. Their name would outlive them here, so it stays out.
    pub fn player(player: &PlayerId) -> Self {
        Self {
            id: player.to_string(),
            display: "self".into(),
            source: "player",
            attested: true,
        }
    }
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Entry {
    actor: Actor,
    action: &'static str,
    target_type: &'static str,
    target_id: Option<String>,
}

impl Entry {
    /// Something done to one target, with success.
    pub fn done(
        actor: Actor,
        action: &'static str,
        target_type: &'static str,
        target_id: impl Into<String>,
    ) -> Self {
        Self {
            actor,
            action,
            target_type,
            target_id: Some(target_id.into()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entries")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub actor_id: String,
    pub actor_display: String,
    pub actor_source: String,
    pub actor_attested: bool,
    pub action: String,
    pub target_type: String,
    pub target_id: Option<String>,
    /// `ok`, `partial` or `error`.
    pub outcome: String,
    pub succeeded_count: i32,
    pub failed_count: i32,
    pub details: Document,
    pub occurred_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Adds an entry.
pub async fn record(tx: &DatabaseTransaction, entry: Entry) -> Result<(), DbErr> {
    let row = ActiveModel {
        id: Set(new_id()),
        actor_id: Set(entry.actor.id),
        actor_display: Set(entry.actor.display),
        actor_source: Set(entry.actor.source.to_owned()),
        actor_attested: Set(entry.actor.attested),
        action: Set(entry.action.to_owned()),
        target_type: Set(entry.target_type.to_owned()),
        target_id: Set(entry.target_id),
        outcome: Set("ok".to_owned()),
        succeeded_count: Set(1),
        failed_count: Set(0),
        details: Set(Document::new(&json!({}))),
        occurred_at: Set(db_now()),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
