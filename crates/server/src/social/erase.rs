//! What an erasure does to groups: they are their members', and go on without the one who goes.
//!
//! Friendships and invitations go with the player's row. An invitation the player sent to
//! somebody else stays the group's; it keeps an id that names nobody.

use asobi_game::PlayerId;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::entities::group_members::{self, Column};

type Result<T> = std::result::Result<T, DbErr>;

mod groups {
    use sea_orm::entity::prelude::*;

    /// Of a group, that there is one.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "groups")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const OWNER: &str = "owner";

/// Roles below the owner's, the most senior first.
const SENIORITY: [&str; 3] = ["admin", "moderator", "member"];

/// Takes a player out of their groups. A group that loses its last member is deleted; one that
/// loses its owner gets the next senior member as owner.
///
/// The player must be locked for deletion: then they come into no other group meanwhile.
pub async fn erase(tx: &DatabaseTransaction, player: &PlayerId) -> Result<()> {
    let memberships = group_members::Entity::find()
        .filter(Column::PlayerId.eq(player.as_str()))
        // In the same order everywhere, so that two who go do not wait for each other.
        .order_by_asc(Column::GroupId)
        .all(tx)
        .await?;
    for membership in memberships {
        leave(tx, &membership).await?;
    }
    Ok(())
}

async fn leave(tx: &DatabaseTransaction, membership: &group_members::Model) -> Result<()> {
    groups::Entity::find_by_id(&membership.group_id)
        .lock(LockType::Update)
        .one(tx)
        .await?;
    group_members::Entity::delete_by_id(&membership.id)
        .exec(tx)
        .await?;
    let staying = group_members::Entity::find()
        .filter(Column::GroupId.eq(&membership.group_id))
        .all(tx)
        .await?;
    if staying.is_empty() {
        let empty = groups::Entity::delete_by_id(&membership.group_id);
        empty.exec(tx).await?;
        return Ok(());
    }
    match heir(&staying) {
        Some(heir) => promote(tx, &heir.id).await,
        None => Ok(()),
    }
}

/// Who becomes the owner: the most senior, among equals who came first. None: there is an owner.
fn heir(members: &[group_members::Model]) -> Option<&group_members::Model> {
    if members.iter().any(|member| member.role == OWNER) {
        return None;
    }
    let rank = |role: &str| SENIORITY.iter().position(|known| *known == role);
    members.iter().min_by_key(|member| {
        let rank = rank(&member.role).unwrap_or(SENIORITY.len());
        (rank, member.joined_at, &member.id)
    })
}

async fn promote(tx: &DatabaseTransaction, membership: &str) -> Result<()> {
    group_members::Entity::update_many()
        .set(group_members::ActiveModel {
            role: Set(OWNER.to_owned()),
            ..Default::default()
        })
        .filter(Column::Id.eq(membership))
        .exec(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, role: &str, joined_at: i64) -> group_members::Model {
        group_members::Model {
            id: id.into(),
            group_id: "g".into(),
            player_id: id.into(),
            role: role.into(),
            joined_at,
        }
    }

    #[test]
    fn rank_goes_before_age_and_age_before_chance() {
        let members = [
            member("a", "member", 1),
            member("b", "moderator", 9),
            member("d", "moderator", 3),
            member("c", "moderator", 3),
        ];
        assert_eq!(heir(&members).unwrap().id, "c");
        assert_eq!(heir(&members[..1]).unwrap().id, "a");
        let owned = [member("a", "admin", 1), member("b", "owner", 2)];
        assert_eq!(heir(&owned), None);
        assert_eq!(heir(&[]), None);
    }
}
