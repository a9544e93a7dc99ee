//! Who is in a group and as what: joining, leaving, roles, removal.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};
use sea_orm::{DatabaseTransaction, DbErr};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::group_store::{self as store, Group, Invite, Member};
use super::groups::{acting_member, lock_group};
use super::roles::Role;
use super::{Seen, Social, lock_caller};
use crate::chat::channel;
use crate::clock::iso;
use crate::edge::error::{Outcome, database};
use crate::notifications::{self, Notice, Notification};
use crate::text::is_id;

/// The type of notifications.
const ROLE_CHANGED: &str = "group_role_changed";

/// A member of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupMember {
    id: String,
    group_id: String,
    player_id: String,
    role: Role,
    #[schema(format = DateTime)]
    joined_at: String,
    #[serde(flatten)]
    seen: Seen,
}

impl Social {
    /// The members of a group, the highest first and of the same role the earliest.
    ///
    /// # Errors
    /// `social.group_not_found`.
    pub async fn group_members(&self, id: &str) -> Outcome<Vec<GroupMember>> {
        let db = self.db.read();
        if !is_id(id) || store::group(db, id).await.map_err(database)?.is_none() {
            return Err(Code::GroupNotFound.into());
        }
        let members = store::members(db, id).await.map_err(database)?;
        let ids = members.iter().map(|member| member.player_id.as_str());
        let mut seen = self.seen_by_id(db, ids).await?;
        let members = members.into_iter();
        Ok(members
            .filter_map(|member| {
                let seen = seen.remove(&member.player_id)?;
                Some(shown(member, seen))
            })
            .collect())
    }

    /// Makes a player a member: of an open group, or of one that invited them. At another one
    /// the wish is noted, for those who may invite.
    ///
    /// # Errors
    /// `rate_limited`, `social.group_not_found`, `social.already_member`, `social.group_closed`
    /// (`details.requested`: whether the wish is noted), `social.group_full`,
    /// `social.group_limit_reached`.
    pub async fn join_group(&self, player: &PlayerId, id: &str) -> Outcome<()> {
        self.spend_notice(player)?;
        let tx = self.db.write().await.map_err(database)?;
        let caller = lock_caller(&tx, player).await?;
        let group = lock_group(&tx, id).await?;
        check_no_member(&tx, &group, &caller.id).await?;
        let invite = store::invite(&tx, id, &caller.id).await.map_err(database)?;
        let is_invited = invite.as_ref().is_some_and(|invite| !invite.is_request());
        if !group.open && !is_invited {
            let requested = match invite {
                Some(_) => true,
                None => self.request(tx, &group, &caller).await?,
            };
            return Err(ApiError::from(Code::GroupClosed).with("requested", requested));
        }
        self.admit(&tx, &group, &caller.id, invite.as_ref()).await?;
        tx.commit().await.map_err(database)
    }

    /// Takes a player in, if there is a place; the invitation or request it answers goes. Player
    /// and group must be locked.
    pub(super) async fn admit(
        &self,
        tx: &DatabaseTransaction,
        group: &Group,
        player: &str,
        invite: Option<&Invite>,
    ) -> Outcome<()> {
        let members = store::count_members(tx, &group.id)
            .await
            .map_err(database)?;
        if members >= u64::from(group.max_members.unsigned_abs()) {
            return Err(Code::GroupFull.into());
        }
        self.check_group_limit(tx, player).await?;
        if let Some(invite) = invite {
            store::delete_invite(tx, invite).await.map_err(database)?;
        }
        store::insert_member(tx, &group.id, player, Role::Member)
            .await
            .map_err(database)?;
        Ok(())
    }

    /// Takes a player out of a group. Whoever is in no such group has left it already. An owner
    /// leaves the group to the member who stands highest, of these who joined first; without a
    /// member there is no group.
    ///
    /// # Errors
    /// `unauthenticated` if the player was erased.
    pub async fn leave_group(&self, player: &PlayerId, id: &str) -> Outcome<()> {
        let tx = self.db.write().await.map_err(database)?;
        lock_caller(&tx, player).await?;
        let told = match lock_group(&tx, id).await {
            Ok(group) => depart(&tx, &group, player, Some(player))
                .await
                .map_err(database)?,
            Err(error) if error.code == Code::GroupNotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        tx.commit().await.map_err(database)?;
        self.bus.drop_member(&channel::of_group(id), player);
        self.notifications.push(told).await;
        Ok(())
    }

    /// Gives a member another role. Made owner by the owner, the member takes the group over and
    /// the old owner becomes an admin.
    ///
    /// # Errors
    /// `social.invalid_role`, `rate_limited`, `social.group_not_found`, `social.member_not_found`,
    /// `forbidden`.
    pub async fn set_group_role(
        &self,
        player: &PlayerId,
        id: &str,
        target: &str,
        role: &str,
    ) -> Outcome<GroupMember> {
        let role = Role::parse(role).ok_or(Code::InvalidRole)?;
        self.spend_notice(player)?;
        let tx = self.db.write().await.map_err(database)?;
        lock_caller(&tx, player).await?;
        let group = lock_group(&tx, id).await?;
        let actor = acting_member(&tx, &group, player).await?;
        let member = target_member(&tx, &group, target).await?;
        let may = match actor.id == member.id {
            true => actor.role().may_become(role),
            false => actor.role().may_assign(member.role(), role),
        };
        if !may {
            return Err(Code::Forbidden.into());
        }
        let told = change_role(&tx, &group, &actor, &member, role, Some(player))
            .await
            .map_err(database)?;
        let mut seen = self.seen_by_id(&tx, [target]).await?;
        tx.commit().await.map_err(database)?;
        self.notifications.push(told).await;
        let seen = seen.remove(target).ok_or(Code::MemberNotFound)?;
        let role = role.as_str().to_owned();
        Ok(shown(Member { role, ..member }, seen))
    }

    /// Removes a member from a group.
    ///
    /// # Errors
    /// `social.group_not_found`, `social.member_not_found`, `forbidden`.
    pub async fn kick_group_member(
        &self,
        player: &PlayerId,
        id: &str,
        target: &str,
    ) -> Outcome<()> {
        let tx = self.db.write().await.map_err(database)?;
        let group = lock_group(&tx, id).await?;
        let actor = acting_member(&tx, &group, player).await?;
        let member = target_member(&tx, &group, target).await?;
        if !actor.role().may_kick(member.role()) {
            return Err(Code::Forbidden.into());
        }
        store::delete_member(&tx, &member).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        let kicked = PlayerId::from(member.player_id);
        self.bus.drop_member(&channel::of_group(id), &kicked);
        Ok(())
    }
}

/// Takes an erased player out of every group, as if they had left each. For the transaction of
/// the erasure, which must have locked the player before: then they join no group meanwhile.
/// New owners find their notification in the list; it is not pushed.
///
/// # Errors
/// Those of the database.
pub async fn hand_over_groups(tx: &DatabaseTransaction, player: &PlayerId) -> Result<(), DbErr> {
    for membership in store::memberships(tx, player.as_str()).await? {
        if let Some(group) = store::lock(tx, &membership.group_id).await? {
            depart(tx, &group, player, None).await?;
        }
    }
    Ok(())
}

/// Takes a player out of a locked group. `from` is as [`change_role`] has it.
async fn depart(
    tx: &DatabaseTransaction,
    group: &Group,
    player: &PlayerId,
    from: Option<&PlayerId>,
) -> Result<Vec<Notification>, DbErr> {
    let Some(member) = store::member(tx, &group.id, player.as_str()).await? else {
        return Ok(Vec::new());
    };
    store::delete_member(tx, &member).await?;
    if member.role() != Role::Owner {
        return Ok(Vec::new());
    }
    match store::members(tx, &group.id).await?.first() {
        Some(heir) => change_role(tx, group, &member, heir, Role::Owner, from).await,
        None => {
            store::delete_group(tx, &group.id).await?;
            Ok(Vec::new())
        }
    }
}

/// Gives a member of a locked group a role, and tells them that it is `from` this player, who must
/// be locked; none if that is nobody's to know. A group has one owner.
async fn change_role(
    tx: &DatabaseTransaction,
    group: &Group,
    actor: &Member,
    member: &Member,
    role: Role,
    from: Option<&PlayerId>,
) -> Result<Vec<Notification>, DbErr> {
    if member.role() == role {
        return Ok(Vec::new());
    }
    store::set_role(tx, member, role).await?;
    if role == Role::Owner {
        store::set_role(tx, actor, Role::Admin).await?;
    }
    if actor.id == member.id {
        return Ok(Vec::new());
    }
    let content = json!({
        "group_id": group.id, "group_name": group.name, "role": role,
        "from_player_id": from,
    });
    // Only the newest counts, and a member is not flooded by an admin who cannot decide.
    let about = [("group_id", group.id.as_str())];
    notifications::withdraw(tx, &[&member.player_id], ROLE_CHANGED, &about).await?;
    let mut notice = Notice::new(ROLE_CHANGED, "Your role in a group changed", &content);
    if let Some(from) = from {
        notice = notice.from(from.as_str());
    }
    notifications::add(tx, &[member.player_id.as_str().into()], &notice).await
}

/// Refuses who is in a locked group already.
pub(super) async fn check_no_member(
    tx: &DatabaseTransaction,
    group: &Group,
    player: &str,
) -> Outcome<()> {
    let member = store::member(tx, &group.id, player).await;
    match member.map_err(database)? {
        Some(_) => Err(Code::AlreadyMember.into()),
        None => Ok(()),
    }
}

async fn target_member(tx: &DatabaseTransaction, group: &Group, player: &str) -> Outcome<Member> {
    if !is_id(player) {
        return Err(Code::MemberNotFound.into());
    }
    let member = store::member(tx, &group.id, player)
        .await
        .map_err(database)?;
    member.ok_or_else(|| Code::MemberNotFound.into())
}

fn shown(member: Member, seen: Seen) -> GroupMember {
    GroupMember {
        role: member.role(),
        id: member.id,
        group_id: member.group_id,
        player_id: member.player_id,
        joined_at: iso(member.joined_at),
        seen,
    }
}
