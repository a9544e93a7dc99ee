//! The SQL of profiles.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
};

use super::change::Change;
use super::entities::{ActiveModel, Column, Entity, Model};
use crate::clock::db_now;

/// The player of this id.
pub(super) async fn find(db: &impl ConnectionTrait, id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Writes the fields that change, and no others.
pub(super) async fn update(
    tx: &DatabaseTransaction,
    id: &str,
    change: Change,
) -> Result<(), DbErr> {
    if change.is_empty() {
        return Ok(());
    }
    let columns = ActiveModel {
        display_name: change.display_name.map_or(NotSet, Set),
        avatar_url: change.avatar_url.map_or(NotSet, Set),
        metadata: change.metadata.map_or(NotSet, Set),
        updated_at: Set(db_now()),
        ..Default::default()
    };
    let one = Entity::update_many().set(columns).filter(Column::Id.eq(id));
    one.exec(tx).await?;
    Ok(())
}
