//! Groups: making one, reading it, changing it.

use asobi_game::PlayerId;
use asobi_wire::Code;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::group_store::{self as store, Group, Member};
use super::roles::Role;
use super::{Social, lock_caller};
use crate::clock::{db_now, iso};
use crate::db::Document;
use crate::edge::error::{Outcome, database};
use crate::edge::fields::Fields;
use crate::text;

/// A group's name, in characters. From the original, as the other bounds here.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=64;
/// Longest description in bytes.
const MAX_DESCRIPTION_BYTES: usize = 1_024;
/// Largest metadata in bytes of JSON.
const MAX_METADATA_BYTES: usize = 16 * 1024;
/// What `max_members` may be.
const MAX_MEMBERS: std::ops::RangeInclusive<i64> = 2..=1_000;
/// What it is for whom does not say.
const DEFAULT_MAX_MEMBERS: i32 = 50;

/// A group as anybody sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupView {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// How many members it takes.
    max_members: i32,
    /// How many it has.
    member_count: u64,
    /// Whether anybody may join.
    open: bool,
    /// Who made it; null once their account is erased.
    creator_id: Option<String>,
    #[schema(value_type = Object)]
    metadata: Document,
    #[schema(format = DateTime)]
    inserted_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A group as one of its members sees it in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnGroup {
    #[serde(flatten)]
    group: GroupView,
    /// The caller's role.
    role: Role,
    #[schema(format = DateTime)]
    joined_at: String,
}

/// A new group, or what changes of one. What is not there, or null, stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct GroupForm {
    /// 2 to 64 characters; a new group needs one.
    #[schema(value_type = Option<String>)]
    name: Option<Value>,
    /// Up to 1024 bytes; empty for none.
    #[schema(value_type = Option<String>)]
    description: Option<Value>,
    /// 2 to 1000, and not under the members there are; 50 without it.
    #[schema(value_type = Option<u32>)]
    max_members: Option<Value>,
    /// Whether anybody may join; false without it.
    #[schema(value_type = Option<bool>)]
    open: Option<Value>,
    /// An object of up to 16 KB, for the game's own use.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// A form that passed.
#[derive(Debug, Default, PartialEq)]
struct Changes {
    name: Option<String>,
    description: Option<Option<String>>,
    max_members: Option<i32>,
    open: Option<bool>,
    metadata: Option<Document>,
}

impl GroupForm {
    /// # Errors
    /// `validation_failed`.
    fn check(self) -> Outcome<Changes> {
        let mut fields = Fields::default();
        let changes = Changes {
            name: take(&mut fields, "name", self.name, name),
            description: take(&mut fields, "description", self.description, description),
            max_members: take(&mut fields, "max_members", self.max_members, max_members),
            open: take(&mut fields, "open", self.open, open),
            metadata: take(&mut fields, "metadata", self.metadata, metadata),
        };
        fields.finish()?;
        Ok(changes)
    }
}

type Checked<T> = Result<T, &'static str>;

fn take<T>(
    fields: &mut Fields,
    field: &str,
    value: Option<Value>,
    check: fn(Value) -> Checked<T>,
) -> Option<T> {
    fields.take(field, value.map(check).transpose())
}

fn name(value: Value) -> Checked<String> {
    let name = value.as_str().ok_or("must be text")?;
    text::name(name, *NAME_CHARS.start(), *NAME_CHARS.end())
}

fn description(value: Value) -> Checked<Option<String>> {
    let Value::String(text) = value else {
        return Err("must be text");
    };
    if text.len() > MAX_DESCRIPTION_BYTES {
        return Err("is too long");
    }
    if !text::is_prose(&text) {
        return Err("may not have control characters");
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn max_members(value: Value) -> Checked<i32> {
    let number = value.as_i64().filter(|number| MAX_MEMBERS.contains(number));
    let number = number.and_then(|number| i32::try_from(number).ok());
    number.ok_or("must be a whole number from 2 to 1000")
}

fn open(value: Value) -> Checked<bool> {
    value.as_bool().ok_or("must be true or false")
}

fn metadata(value: Value) -> Checked<Document> {
    Document::object(&value, MAX_METADATA_BYTES)
}

impl GroupView {
    pub(super) fn new(group: Group, member_count: u64) -> Self {
        Self {
            id: group.id,
            name: group.name,
            description: group.description,
            max_members: group.max_members,
            member_count,
            open: group.open,
            creator_id: group.creator_id,
            metadata: group.metadata,
            inserted_at: iso(group.inserted_at),
            updated_at: iso(group.updated_at),
        }
    }
}

impl Social {
    /// Makes a group, with the player as its owner.
    ///
    /// # Errors
    /// `validation_failed`, `missing_field` (no name), `social.group_limit_reached`.
    pub async fn create_group(&self, player: &PlayerId, form: GroupForm) -> Outcome<GroupView> {
        let changes = form.check()?;
        let name = changes
            .name
            .ok_or_else(|| asobi_wire::ApiError::from(Code::MissingField).with("field", "name"))?;
        let tx = self.db.write().await.map_err(database)?;
        let creator = lock_caller(&tx, player).await?;
        self.check_group_limit(&tx, &creator.id).await?;
        let now = db_now();
        let group = Group {
            id: text::new_id(),
            name,
            description: changes.description.flatten(),
            max_members: changes.max_members.unwrap_or(DEFAULT_MAX_MEMBERS),
            open: changes.open.unwrap_or(false),
            creator_id: Some(creator.id.clone()),
            metadata: changes
                .metadata
                .unwrap_or_else(|| Document::new(&json!({}))),
            inserted_at: now,
            updated_at: now,
        };
        store::insert_group(&tx, &group).await.map_err(database)?;
        store::insert_member(&tx, &group.id, &creator.id, Role::Owner)
            .await
            .map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok(GroupView::new(group, 1))
    }

    /// A group.
    ///
    /// # Errors
    /// `social.group_not_found`.
    pub async fn group(&self, id: &str) -> Outcome<GroupView> {
        let db = self.db.read();
        let group = match text::is_id(id) {
            true => store::group(db, id).await.map_err(database)?,
            false => None,
        };
        let group = group.ok_or(Code::GroupNotFound)?;
        let count = store::count_members(db, id).await.map_err(database)?;
        Ok(GroupView::new(group, count))
    }

    /// The groups a player is in, the one joined last first.
    pub async fn groups_of(&self, player: &PlayerId) -> Outcome<Vec<OwnGroup>> {
        let db = self.db.read();
        let mut memberships = store::memberships(db, player.as_str())
            .await
            .map_err(database)?;
        memberships.sort_by(|a, b| b.id.cmp(&a.id));
        let ids = || memberships.iter().map(|member| member.group_id.as_str());
        let mut groups = store::groups(db, ids()).await.map_err(database)?;
        let counts = store::count_members_of(db, ids()).await.map_err(database)?;
        Ok(memberships
            .iter()
            .filter_map(|member| {
                let group = groups.remove(&member.group_id)?;
                let count = counts.get(&group.id).copied().unwrap_or_default();
                Some(OwnGroup {
                    group: GroupView::new(group, count),
                    role: member.role(),
                    joined_at: iso(member.joined_at),
                })
            })
            .collect())
    }

    /// Changes a group.
    ///
    /// # Errors
    /// `validation_failed` (also for fewer places than members), `social.group_not_found`,
    /// `forbidden`.
    pub async fn update_group(
        &self,
        player: &PlayerId,
        id: &str,
        form: GroupForm,
    ) -> Outcome<GroupView> {
        let changes = form.check()?;
        let tx = self.db.write().await.map_err(database)?;
        let group = lock_group(&tx, id).await?;
        let actor = acting_member(&tx, &group, player).await?;
        if !actor.role().may_update() {
            return Err(Code::Forbidden.into());
        }
        let count = store::count_members(&tx, id).await.map_err(database)?;
        let group = changed(group, changes);
        check_places(&group, count)?;
        store::update_group(&tx, &group).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok(GroupView::new(group, count))
    }

    /// Refuses one more group to a player, who must be locked.
    pub(super) async fn check_group_limit(
        &self,
        tx: &DatabaseTransaction,
        player: &str,
    ) -> Outcome<()> {
        let groups = store::count_groups(tx, player).await.map_err(database)?;
        match groups >= self.max_groups {
            true => Err(Code::GroupLimitReached.into()),
            false => Ok(()),
        }
    }
}

fn changed(group: Group, changes: Changes) -> Group {
    Group {
        name: changes.name.unwrap_or(group.name),
        description: changes.description.unwrap_or(group.description),
        max_members: changes.max_members.unwrap_or(group.max_members),
        open: changes.open.unwrap_or(group.open),
        metadata: changes.metadata.unwrap_or(group.metadata),
        updated_at: db_now(),
        ..group
    }
}

fn check_places(group: &Group, members: u64) -> Outcome<()> {
    let mut fields = Fields::default();
    let fits = u64::from(group.max_members.unsigned_abs()) >= members;
    let result = fits
        .then_some(())
        .ok_or("is less than the members there are");
    fields.check("max_members", result);
    fields.finish()
}

/// The group of this id, nobody else's to change until the transaction ends.
///
/// # Errors
/// `social.group_not_found`.
pub(super) async fn lock_group(tx: &DatabaseTransaction, id: &str) -> Outcome<Group> {
    if !text::is_id(id) {
        return Err(Code::GroupNotFound.into());
    }
    let group = store::lock(tx, id).await.map_err(database)?;
    group.ok_or_else(|| Code::GroupNotFound.into())
}

/// The caller as a member of the group.
///
/// # Errors
/// `forbidden` if they are none.
pub(super) async fn acting_member(
    tx: &DatabaseTransaction,
    group: &Group,
    player: &PlayerId,
) -> Outcome<Member> {
    let member = store::member(tx, &group.id, player.as_str())
        .await
        .map_err(database)?;
    member.ok_or_else(|| Code::Forbidden.into())
}
