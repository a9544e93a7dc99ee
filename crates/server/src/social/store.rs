//! The SQL of friends and groups.

use asobi_game::PlayerId;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
};

use super::entities::{friendships, group_members};

type Result<T> = std::result::Result<T, DbErr>;

/// The statuses of a row in `friendships`.
pub(super) mod status {
    pub(in super::super) const ACCEPTED: &str = "accepted";
    pub(in super::super) const BLOCKED: &str = "blocked";
}

/// Whether `by` has blocked `other`.
pub(super) async fn is_blocked(db: &impl ConnectionTrait, by: &str, other: &str) -> Result<bool> {
    let rows = friendships::Entity::find()
        .filter(friendships::Column::PlayerId.eq(by))
        .filter(friendships::Column::FriendId.eq(other))
        .filter(friendships::Column::Status.eq(status::BLOCKED));
    Ok(rows.count(db).await? > 0)
}

/// Whether the player is a member of the group.
pub(super) async fn is_member(
    db: &impl ConnectionTrait,
    group: &str,
    player: &str,
) -> Result<bool> {
    let rows = group_members::Entity::find()
        .filter(group_members::Column::GroupId.eq(group))
        .filter(group_members::Column::PlayerId.eq(player));
    Ok(rows.count(db).await? > 0)
}

/// The accepted friendships of several players.
pub(super) async fn accepted(
    db: &impl ConnectionTrait,
    players: &[PlayerId],
) -> Result<Vec<friendships::Model>> {
    let ids = || players.iter().map(PlayerId::as_str);
    friendships::Entity::find()
        .filter(friendships::Column::Status.eq(status::ACCEPTED))
        .filter(
            Condition::any()
                .add(friendships::Column::PlayerId.is_in(ids()))
                .add(friendships::Column::FriendId.is_in(ids())),
        )
        .all(db)
        .await
}
