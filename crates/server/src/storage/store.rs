//! The SQL of storage.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::entities::{objects, saves};
use super::objects::Perm;
use objects::{ActiveModel, Column, Entity, Model};

type Result<T> = std::result::Result<T, DbErr>;

/// Values of one listing, in bytes of JSON, after which it stops.
const LISTING_BYTES: usize = 4 * 1024 * 1024;

/// Objects loaded at a time for a listing.
const LOADED_AT_ONCE: usize = 32;

/// What an object is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To show it.
    Reading,
    /// To change or delete it: nobody else does until the transaction ends.
    Writing,
}

impl Purpose {
    /// Who may, by the object's own word.
    pub(super) fn perm_of(self, row: &Model) -> &str {
        match self {
            Self::Reading => &row.read_perm,
            Self::Writing => &row.write_perm,
        }
    }

    fn column(self) -> Column {
        match self {
            Self::Reading => Column::ReadPerm,
            Self::Writing => Column::WritePerm,
        }
    }

    fn lock(self, select: Select<Entity>) -> Select<Entity> {
        match self {
            Self::Reading => select,
            Self::Writing => select.lock(LockType::Update),
        }
    }
}

// Cloud saves.

/// A player's slots, by name: name, version and time.
pub(super) async fn saves(
    db: &impl ConnectionTrait,
    player: &str,
) -> Result<Vec<(String, i32, i64)>> {
    saves::Entity::find()
        .select_only()
        .columns([
            saves::Column::Slot,
            saves::Column::Version,
            saves::Column::UpdatedAt,
        ])
        .filter(saves::Column::PlayerId.eq(player))
        .order_by_asc(saves::Column::Slot)
        .into_tuple()
        .all(db)
        .await
}

/// A slot.
pub(super) async fn save(
    db: &impl ConnectionTrait,
    player: &str,
    slot: &str,
) -> Result<Option<saves::Model>> {
    saves::Entity::find()
        .filter(saves::Column::PlayerId.eq(player))
        .filter(saves::Column::Slot.eq(slot))
        .one(db)
        .await
}

/// How many slots a player uses.
pub(super) async fn count_saves(db: &impl ConnectionTrait, player: &str) -> Result<u64> {
    let own = saves::Entity::find().filter(saves::Column::PlayerId.eq(player));
    own.count(db).await
}

/// Writes a slot as it is now to be. Its player is locked.
pub(super) async fn write_save(tx: &DatabaseTransaction, save: &saves::Model) -> Result<()> {
    let newer = OnConflict::column(saves::Column::Id)
        .update_columns([
            saves::Column::Data,
            saves::Column::Version,
            saves::Column::UpdatedAt,
        ])
        .to_owned();
    saves::Entity::insert(saves::ActiveModel::from(save.clone()))
        .on_conflict(newer)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Empties a slot. False: it was.
pub(super) async fn delete_save(
    tx: &DatabaseTransaction,
    player: &str,
    slot: &str,
) -> Result<bool> {
    let deleted = saves::Entity::delete_many()
        .filter(saves::Column::PlayerId.eq(player))
        .filter(saves::Column::Slot.eq(slot))
        .exec(tx)
        .await?;
    Ok(deleted.rows_affected > 0)
}

// Objects.

/// The object of this owner; an empty one is the game.
pub(super) async fn object(
    db: &impl ConnectionTrait,
    collection: &str,
    key: &str,
    owner: &str,
    purpose: Purpose,
) -> Result<Option<Model>> {
    let of_owner = at(collection, key).filter(Column::Owner.eq(owner));
    purpose.lock(of_owner).one(db).await
}

/// The oldest object of a player that everybody may use for this.
pub(super) async fn oldest_public(
    db: &impl ConnectionTrait,
    collection: &str,
    key: &str,
    purpose: Purpose,
) -> Result<Option<Model>> {
    let public = at(collection, key)
        .filter(purpose.column().eq(Perm::Public.as_str()))
        .filter(Column::Owner.ne(""))
        .order_by_asc(Column::Id)
        .limit(1);
    purpose.lock(public).one(db).await
}

/// Whether any player has an object here.
pub(super) async fn is_owned(
    db: &impl ConnectionTrait,
    collection: &str,
    key: &str,
) -> Result<bool> {
    let owned = at(collection, key).filter(Column::Owner.ne("")).limit(1);
    let id: Option<String> = owned
        .select_only()
        .column(Column::Id)
        .into_tuple()
        .one(db)
        .await?;
    Ok(id.is_some())
}

/// How many objects a player owns.
pub(super) async fn count_objects(db: &impl ConnectionTrait, player: &str) -> Result<u64> {
    let own = Entity::find().filter(Column::PlayerId.eq(player));
    own.count(db).await
}

/// The version of an object; 0: there is none.
pub(super) async fn version(
    db: &impl ConnectionTrait,
    collection: &str,
    key: &str,
    owner: &str,
) -> Result<i32> {
    let version: Option<i32> = at(collection, key)
        .filter(Column::Owner.eq(owner))
        .select_only()
        .column(Column::Version)
        .into_tuple()
        .one(db)
        .await?;
    Ok(version.unwrap_or(0))
}

/// Writes a locked object as it is now to be.
pub(super) async fn rewrite_object(tx: &DatabaseTransaction, row: &Model) -> Result<()> {
    let changed = ActiveModel {
        value: Set(row.value.clone()),
        version: Set(row.version),
        read_perm: Set(row.read_perm.clone()),
        write_perm: Set(row.write_perm.clone()),
        updated_at: Set(row.updated_at),
        ..Default::default()
    };
    Entity::update_many()
        .set(changed)
        .filter(Column::Id.eq(&row.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes a value, whether or not there is one. An object that is there keeps its permissions.
pub(super) async fn upsert_object(tx: &DatabaseTransaction, row: Model) -> Result<bool> {
    let mut newer = OnConflict::columns([Column::Owner, Column::Collection, Column::Key]);
    newer
        .update_columns([Column::Value, Column::UpdatedAt])
        // One more than the version of the row that is there.
        .value(Column::Version, Expr::col((Entity, Column::Version)).add(1));
    Entity::insert(ActiveModel::from(row))
        .on_conflict(newer)
        .exec_without_returning(tx)
        .await?;
    Ok(true)
}

/// Adds an object. False: there is one.
pub(super) async fn insert_object(tx: &DatabaseTransaction, row: Model) -> Result<bool> {
    let new = OnConflict::columns([Column::Owner, Column::Collection, Column::Key])
        .do_nothing()
        .to_owned();
    let added = Entity::insert(ActiveModel::from(row))
        .on_conflict(new)
        .exec_without_returning(tx)
        .await?;
    Ok(added == 1)
}

/// Writes the value of an object that has this version. False: none has.
pub(super) async fn update_object(
    tx: &DatabaseTransaction,
    row: &Model,
    version: i32,
) -> Result<bool> {
    let value = ActiveModel {
        value: Set(row.value.clone()),
        updated_at: Set(row.updated_at),
        ..Default::default()
    };
    let updated = Entity::update_many()
        .set(value)
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Collection.eq(&row.collection))
        .filter(Column::Key.eq(&row.key))
        .filter(Column::Owner.eq(&row.owner))
        .filter(Column::Version.eq(version))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Deletes an object.
pub(super) async fn delete_object(tx: &DatabaseTransaction, id: &str) -> Result<()> {
    Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}

/// Deletes the object of an owner, if it has this version. False: there is none such.
pub(super) async fn delete_at(
    tx: &DatabaseTransaction,
    collection: &str,
    key: &str,
    owner: &str,
    version: Option<i32>,
) -> Result<bool> {
    let mut delete = Entity::delete_many()
        .filter(Column::Collection.eq(collection))
        .filter(Column::Key.eq(key))
        .filter(Column::Owner.eq(owner));
    if let Some(version) = version {
        delete = delete.filter(Column::Version.eq(version));
    }
    Ok(delete.exec(tx).await?.rows_affected == 1)
}

/// The newest objects of a collection that a player may read, by id. Two questions, each with an
/// index of its own: an `OR` would look at everybody's objects.
pub(super) async fn readable_ids(
    db: &impl ConnectionTrait,
    player: &str,
    collection: &str,
    before: Option<&str>,
    limit: u64,
) -> Result<Vec<String>> {
    let own = Entity::find()
        .filter(Column::Owner.eq(player))
        .filter(Column::Collection.eq(collection));
    let public = Entity::find()
        .filter(Column::Collection.eq(collection))
        .filter(Column::ReadPerm.eq(Perm::Public.as_str()))
        .filter(Column::Owner.is_not_in(["", player]));
    let newest = |select: Select<Entity>| {
        let select = match before {
            Some(before) => select.filter(Column::Id.lt(before)),
            None => select,
        };
        select
            .order_by_desc(Column::Id)
            .limit(limit)
            .select_only()
            .column(Column::Id)
            .into_tuple::<String>()
    };
    let mut ids = newest(own).all(db).await?;
    ids.extend(newest(public).all(db).await?);
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(ids)
}

/// The objects of an owner in a collection, by key.
pub(super) async fn ids_by_key(
    db: &impl ConnectionTrait,
    owner: &str,
    collection: &str,
    after_key: Option<&str>,
    limit: u64,
) -> Result<Vec<String>> {
    let mut select = Entity::find()
        .filter(Column::Owner.eq(owner))
        .filter(Column::Collection.eq(collection));
    if let Some(after) = after_key {
        select = select.filter(Column::Key.gt(after));
    }
    select
        .order_by_asc(Column::Key)
        .limit(limit)
        .select_only()
        .column(Column::Id)
        .into_tuple()
        .all(db)
        .await
}

/// The objects of these ids, in their order, as many as make a listing of bearable size.
pub(super) async fn load(db: &impl ConnectionTrait, ids: &[String]) -> Result<Vec<Model>> {
    let (mut loaded, mut bytes) = (Vec::new(), 0);
    for ids in ids.chunks(LOADED_AT_ONCE) {
        let rows = Entity::find()
            .filter(Column::Id.is_in(ids.iter().map(String::as_str)))
            .all(db)
            .await?;
        let mut rows: HashMap<String, Model> =
            rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        // One that was deleted meanwhile is passed over.
        for row in ids.iter().filter_map(|id| rows.remove(id)) {
            bytes += row.value.size();
            loaded.push(row);
        }
        if bytes >= LISTING_BYTES {
            break;
        }
    }
    Ok(loaded)
}

fn at(collection: &str, key: &str) -> Select<Entity> {
    Entity::find()
        .filter(Column::Collection.eq(collection))
        .filter(Column::Key.eq(key))
}
