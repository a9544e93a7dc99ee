//! Who may come into a closed group: invitations, and players' own requests.
//!
//! One row stands for either, and answers the other: a player who is invited joins; a player who
//! asked is admitted by an invitation.

use asobi_game::PlayerId;
use asobi_wire::Code;
use sea_orm::DatabaseTransaction;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::group_store::{self as store, Group, Invite, Whose};
use super::groups::{acting_member, lock_group};
use super::members::check_no_member;
use super::{Seen, Social};
use crate::accounts::people::{self, Person};
use crate::clock::iso;
use crate::edge::error::{Outcome, database};
use crate::edge::params::Page;
use crate::notifications::{self, Notice};
use crate::text::is_id;

/// Most invitations of a group that wait to be taken up, and as many requests.
const MAX_OPEN: u64 = 500;

/// Most members who are told of a request: those who stand highest.
const MAX_TOLD: usize = 50;

/// The types of notifications.
const INVITED: &str = "group_invite";
const REQUESTED: &str = "group_join_request";
const ADMITTED: &str = "group_joined";

/// An invitation or a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupInvite {
    id: String,
    group_id: String,
    group_name: String,
    /// Who may become a member.
    player_id: String,
    /// Who invited them; null if they asked themselves.
    invited_by: Option<String>,
    /// Whether they asked themselves.
    requested: bool,
    #[schema(format = DateTime)]
    inserted_at: String,
    #[serde(flatten)]
    seen: Seen,
}

/// What came of an invitation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = GroupInviteStatus)]
pub enum Invited {
    /// The player may join now.
    Invited,
    /// The player had asked, and is a member now.
    Joined,
}

impl Social {
    /// Invites a player into a group, or admits one who asked. Inviting again changes nothing.
    ///
    /// # Errors
    /// `rate_limited`, `social.group_not_found`, `forbidden`, `player.not_found`, `social.blocked` (the player
    /// blocks whoever invites), `social.already_member`, `social.invite_limit_reached`; when
    /// admitting `social.group_full` and `social.group_limit_reached`.
    pub async fn invite(&self, player: &PlayerId, id: &str, target: &str) -> Outcome<Invited> {
        self.spend_notice(player)?;
        let tx = self.db.write().await.map_err(database)?;
        // Locked before the group, as everywhere, though it matters only if they may invite.
        let both = [Some(player.as_str()), Some(target).filter(|id| is_id(id))];
        let locked = people::lock(&tx, both.into_iter().flatten()).await;
        let locked = locked.map_err(database)?;
        let group = lock_group(&tx, id).await?;
        if !acting_member(&tx, &group, player)
            .await?
            .role()
            .may_invite()
        {
            return Err(Code::Forbidden.into());
        }
        let target = locked.iter().find(|person| person.id == target);
        let target = target.ok_or(Code::PlayerNotFound)?;
        let is_blocked = super::store::is_blocked(&tx, &target.id, player.as_str()).await;
        if is_blocked.map_err(database)? {
            return Err(Code::SocialBlocked.into());
        }
        check_no_member(&tx, &group, &target.id).await?;
        self.invite_locked(tx, player, &group, target).await
    }

    async fn invite_locked(
        &self,
        tx: DatabaseTransaction,
        player: &PlayerId,
        group: &Group,
        target: &Person,
    ) -> Outcome<Invited> {
        let open = store::invite(&tx, &group.id, &target.id)
            .await
            .map_err(database)?;
        let (outcome, kind, subject) = match open {
            Some(open) if open.is_request() => {
                self.admit(&tx, group, &target.id, Some(&open)).await?;
                (Invited::Joined, ADMITTED, "You are a member of a group now")
            }
            Some(_) => return Ok(Invited::Invited),
            None => {
                insert_invite(&tx, group, &target.id, player).await?;
                (Invited::Invited, INVITED, "Invitation to a group")
            }
        };
        let content = json!({
            "group_id": group.id, "group_name": group.name, "from_player_id": player,
        });
        let to = [PlayerId::from(target.id.as_str())];
        let notice = Notice::new(kind, subject, &content).from(player.as_str());
        let told = notifications::add(&tx, &to, &notice).await;
        let told = told.map_err(database)?;
        tx.commit().await.map_err(database)?;
        self.notifications.push(told).await;
        Ok(outcome)
    }

    /// Notes that a player wants to join a closed group, and tells those who may admit them and
    /// have not blocked them.
    /// False: too many wait already, and nothing is noted.
    pub(super) async fn request(
        &self,
        tx: DatabaseTransaction,
        group: &Group,
        caller: &Person,
    ) -> Outcome<bool> {
        let waiting = store::count_invites(&tx, &group.id, true)
            .await
            .map_err(database)?;
        if waiting >= MAX_OPEN {
            return Ok(false);
        }
        store::insert_invite(&tx, &group.id, &caller.id, None)
            .await
            .map_err(database)?;
        let content = json!({
            "group_id": group.id, "group_name": group.name,
            "from_player_id": caller.id, "from_username": caller.username,
        });
        let notice = Notice::new(REQUESTED, "Request to join a group", &content).from(&caller.id);
        let mut staff = staff(&tx, group).await?;
        let blockers = super::store::blockers(&tx, &staff, &caller.id).await;
        let blockers = blockers.map_err(database)?;
        staff.retain(|player| !blockers.iter().any(|id| id == player.as_str()));
        let told = notifications::add(&tx, &staff, &notice).await;
        let told = told.map_err(database)?;
        tx.commit().await.map_err(database)?;
        self.notifications.push(told).await;
        Ok(true)
    }

    /// The invitations and requests of a group, newest first, for those who may invite.
    ///
    /// # Errors
    /// `social.group_not_found`, `forbidden`.
    pub async fn group_invites(
        &self,
        player: &PlayerId,
        id: &str,
        page: &Page,
    ) -> Outcome<Vec<GroupInvite>> {
        let db = self.db.read();
        if !is_id(id) || store::group(db, id).await.map_err(database)?.is_none() {
            return Err(Code::GroupNotFound.into());
        }
        let actor = store::member(db, id, player.as_str())
            .await
            .map_err(database)?;
        if !actor.is_some_and(|actor| actor.role().may_invite()) {
            return Err(Code::Forbidden.into());
        }
        self.invites(Whose::Group(id), page).await
    }

    /// A player's invitations and requests, newest first.
    pub async fn own_group_invites(
        &self,
        player: &PlayerId,
        page: &Page,
    ) -> Outcome<Vec<GroupInvite>> {
        self.invites(Whose::Player(player.as_str()), page).await
    }

    async fn invites(&self, whose: Whose<'_>, page: &Page) -> Outcome<Vec<GroupInvite>> {
        let db = self.db.read();
        let rows = store::invites(db, whose, page).await.map_err(database)?;
        let players = rows.iter().map(|row| row.player_id.as_str());
        let seen = self.seen_by_id(db, players).await?;
        let groups = rows.iter().map(|row| row.group_id.as_str());
        let groups = store::groups(db, groups).await.map_err(database)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let group = groups.get(&row.group_id)?;
                let seen = seen.get(&row.player_id)?.clone();
                Some(shown(row, group, seen))
            })
            .collect())
    }

    /// Ends an invitation or a request: the player's own, or, for those who may invite, anybody's.
    ///
    /// # Errors
    /// `social.group_not_found`, `forbidden`, `social.invite_not_found`.
    pub async fn remove_invite(&self, player: &PlayerId, id: &str, target: &str) -> Outcome<()> {
        let tx = self.db.write().await.map_err(database)?;
        let group = lock_group(&tx, id).await?;
        let own = player.as_str() == target;
        if !own
            && !acting_member(&tx, &group, player)
                .await?
                .role()
                .may_invite()
        {
            return Err(Code::Forbidden.into());
        }
        let invite = match is_id(target) {
            true => store::invite(&tx, id, target).await.map_err(database)?,
            false => None,
        };
        let invite = invite.ok_or(Code::InviteNotFound)?;
        store::delete_invite(&tx, &invite).await.map_err(database)?;
        if own == invite.is_request() {
            take_back(&tx, &group, &invite).await?;
        }
        tx.commit().await.map_err(database)
    }
}

async fn insert_invite(
    tx: &DatabaseTransaction,
    group: &Group,
    target: &str,
    by: &PlayerId,
) -> Outcome<()> {
    let open = store::count_invites(tx, &group.id, false)
        .await
        .map_err(database)?;
    if open >= MAX_OPEN {
        return Err(Code::InviteLimitReached.into());
    }
    store::insert_invite(tx, &group.id, target, Some(by.as_str()))
        .await
        .map_err(database)
}

/// Removes the notifications of what was taken back before it was answered: who takes back what
/// they asked leaves nothing behind, however often they do.
async fn take_back(tx: &DatabaseTransaction, group: &Group, invite: &Invite) -> Outcome<()> {
    let of_group = ("group_id", group.id.as_str());
    let result = match invite.is_request() {
        true => {
            let staff = staff(tx, group).await?;
            let staff: Vec<&str> = staff.iter().map(PlayerId::as_str).collect();
            let about = [of_group, ("from_player_id", invite.player_id.as_str())];
            notifications::withdraw(tx, &staff, REQUESTED, &about).await
        }
        false => notifications::withdraw(tx, &[&invite.player_id], INVITED, &[of_group]).await,
    };
    result.map_err(database)
}

/// Those who are told of requests.
async fn staff(tx: &DatabaseTransaction, group: &Group) -> Outcome<Vec<PlayerId>> {
    let members = store::members(tx, &group.id).await.map_err(database)?;
    let staff = members.iter().filter(|member| member.role().may_invite());
    let ids = staff.map(|member| PlayerId::from(member.player_id.as_str()));
    Ok(ids.take(MAX_TOLD).collect())
}

fn shown(row: Invite, group: &Group, seen: Seen) -> GroupInvite {
    GroupInvite {
        requested: row.is_request(),
        id: row.id,
        group_id: row.group_id,
        group_name: group.name.clone(),
        player_id: row.player_id,
        invited_by: row.invited_by,
        inserted_at: iso(row.inserted_at),
        seen,
    }
}
