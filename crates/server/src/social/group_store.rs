//! The SQL of groups. Members and invitations of a group change only while the group is locked.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::entities::{group_invites, group_members, groups};
use super::roles::Role;
use crate::clock::db_now;
use crate::edge::params::Page;
use crate::text::new_id;

pub(super) use group_invites::Model as Invite;
pub(super) use group_members::Model as Member;
pub(super) use groups::Model as Group;

type Result<T> = std::result::Result<T, DbErr>;

impl Member {
    pub(super) fn role(&self) -> Role {
        Role::parse(&self.role).unwrap_or(Role::Member)
    }
}

impl Invite {
    /// Whether the player asked; otherwise somebody invited them.
    pub(super) fn is_request(&self) -> bool {
        self.invited_by.is_none()
    }
}

/// The group of this id.
pub(super) async fn group(db: &impl ConnectionTrait, id: &str) -> Result<Option<Group>> {
    groups::Entity::find_by_id(id).one(db).await
}

/// The group of this id, nobody else's to change until the transaction ends.
pub(super) async fn lock(tx: &DatabaseTransaction, id: &str) -> Result<Option<Group>> {
    let group = groups::Entity::find_by_id(id).lock(LockType::NoKeyUpdate);
    group.one(tx).await
}

/// The groups of these ids, by id.
pub(super) async fn groups<'a>(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, Group>> {
    let found = groups::Entity::find().filter(groups::Column::Id.is_in(ids));
    let found = found.all(db).await?.into_iter();
    Ok(found.map(|group| (group.id.clone(), group)).collect())
}

/// Adds a group.
pub(super) async fn insert_group(tx: &DatabaseTransaction, group: &Group) -> Result<()> {
    groups::Entity::insert(groups::ActiveModel::from(group.clone()))
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Writes what can change of a group.
pub(super) async fn update_group(tx: &DatabaseTransaction, group: &Group) -> Result<()> {
    let changed = groups::ActiveModel {
        name: Set(group.name.clone()),
        description: Set(group.description.clone()),
        max_members: Set(group.max_members),
        open: Set(group.open),
        metadata: Set(group.metadata.clone()),
        updated_at: Set(group.updated_at),
        ..Default::default()
    };
    groups::Entity::update_many()
        .set(changed)
        .filter(groups::Column::Id.eq(&group.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes a group, with all that belongs to it.
pub(super) async fn delete_group(tx: &DatabaseTransaction, id: &str) -> Result<()> {
    groups::Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}

fn members_of(group: &str) -> Select<group_members::Entity> {
    group_members::Entity::find().filter(group_members::Column::GroupId.eq(group))
}

/// A member of a group.
pub(super) async fn member(
    db: &impl ConnectionTrait,
    group: &str,
    player: &str,
) -> Result<Option<Member>> {
    let member = members_of(group).filter(group_members::Column::PlayerId.eq(player));
    member.one(db).await
}

/// The members of a group, the highest first and of the same role the earliest.
pub(super) async fn members(db: &impl ConnectionTrait, group: &str) -> Result<Vec<Member>> {
    // Ids sort by time too, and tell apart who joined in the same millisecond.
    let rows = members_of(group)
        .order_by_asc(group_members::Column::JoinedAt)
        .order_by_asc(group_members::Column::Id);
    let mut members = rows.all(db).await?;
    members.sort_by_key(|member| std::cmp::Reverse(member.role()));
    Ok(members)
}

/// How many members a group has.
pub(super) async fn count_members(db: &impl ConnectionTrait, group: &str) -> Result<u64> {
    members_of(group).count(db).await
}

/// How many members each of several groups has.
pub(super) async fn count_members_of<'a>(
    db: &impl ConnectionTrait,
    groups: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, u64>> {
    let counts: Vec<(String, i64)> = group_members::Entity::find()
        .select_only()
        .column(group_members::Column::GroupId)
        .column_as(group_members::Column::Id.count(), "members")
        .filter(group_members::Column::GroupId.is_in(groups))
        .group_by(group_members::Column::GroupId)
        .into_tuple()
        .all(db)
        .await?;
    let counts = counts.into_iter();
    Ok(counts.map(|(id, n)| (id, n.unsigned_abs())).collect())
}

fn memberships_of(player: &str) -> Select<group_members::Entity> {
    group_members::Entity::find().filter(group_members::Column::PlayerId.eq(player))
}

/// What a player is a member of, by the order of the groups' ids.
pub(super) async fn memberships(db: &impl ConnectionTrait, player: &str) -> Result<Vec<Member>> {
    let rows = memberships_of(player).order_by_asc(group_members::Column::GroupId);
    rows.all(db).await
}

/// How many groups a player is in.
pub(super) async fn count_groups(tx: &DatabaseTransaction, player: &str) -> Result<u64> {
    memberships_of(player).count(tx).await
}

/// Adds a member.
pub(super) async fn insert_member(
    tx: &DatabaseTransaction,
    group: &str,
    player: &str,
    role: Role,
) -> Result<Member> {
    let member = Member {
        id: new_id(),
        group_id: group.to_owned(),
        player_id: player.to_owned(),
        role: role.as_str().to_owned(),
        joined_at: db_now(),
    };
    group_members::Entity::insert(group_members::ActiveModel::from(member.clone()))
        .exec_without_returning(tx)
        .await?;
    Ok(member)
}

/// Removes a member.
pub(super) async fn delete_member(tx: &DatabaseTransaction, member: &Member) -> Result<()> {
    let row = group_members::Entity::delete_by_id(&member.id);
    row.exec(tx).await?;
    Ok(())
}

/// Gives a member a role.
pub(super) async fn set_role(tx: &DatabaseTransaction, member: &Member, role: Role) -> Result<()> {
    group_members::Entity::update_many()
        .col_expr(group_members::Column::Role, Expr::val(role.as_str()))
        .filter(group_members::Column::Id.eq(&member.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// What stands between a group and a player who is no member.
pub(super) async fn invite(
    tx: &DatabaseTransaction,
    group: &str,
    player: &str,
) -> Result<Option<Invite>> {
    let row = group_invites::Entity::find()
        .filter(group_invites::Column::GroupId.eq(group))
        .filter(group_invites::Column::PlayerId.eq(player));
    row.one(tx).await
}

/// Adds an invitation, or without `invited_by` a request.
pub(super) async fn insert_invite(
    tx: &DatabaseTransaction,
    group: &str,
    player: &str,
    invited_by: Option<&str>,
) -> Result<()> {
    let invite = Invite {
        id: new_id(),
        group_id: group.to_owned(),
        player_id: player.to_owned(),
        invited_by: invited_by.map(str::to_owned),
        inserted_at: db_now(),
    };
    group_invites::Entity::insert(group_invites::ActiveModel::from(invite))
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Removes an invitation or a request.
pub(super) async fn delete_invite(tx: &DatabaseTransaction, invite: &Invite) -> Result<()> {
    let row = group_invites::Entity::delete_by_id(&invite.id);
    row.exec(tx).await?;
    Ok(())
}

/// How many invitations, or requests, wait at a group.
pub(super) async fn count_invites(
    tx: &DatabaseTransaction,
    group: &str,
    requests: bool,
) -> Result<u64> {
    let by = group_invites::Column::InvitedBy;
    let kind = match requests {
        true => by.is_null(),
        false => by.is_not_null(),
    };
    let rows = group_invites::Entity::find()
        .filter(group_invites::Column::GroupId.eq(group))
        .filter(kind);
    rows.count(tx).await
}

/// Whose invitations and requests to list.
pub(super) enum Whose<'a> {
    Group(&'a str),
    Player(&'a str),
}

/// Invitations and requests, newest first.
pub(super) async fn invites(
    db: &impl ConnectionTrait,
    whose: Whose<'_>,
    page: &Page,
) -> Result<Vec<Invite>> {
    use group_invites::Column;
    let mut query = group_invites::Entity::find().filter(match whose {
        Whose::Group(id) => Column::GroupId.eq(id),
        Whose::Player(id) => Column::PlayerId.eq(id),
    });
    if let Some(before) = &page.before {
        query = query.filter(Column::Id.lt(before));
    }
    let newest = query.order_by_desc(Column::Id).limit(page.limit.0);
    newest.all(db).await
}
