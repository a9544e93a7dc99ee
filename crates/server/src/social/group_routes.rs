//! `/api/v1/groups`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Social;
use super::groups::{GroupForm, GroupView, OwnGroup};
use super::invites::{GroupInvite, Invited};
use super::members::GroupMember;
use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::json::Body;
use crate::edge::openapi::{Failures, Success};
use crate::edge::params::{Page, Path, Query};

type Answer<T> = Result<Json<T>, Failure>;

/// The routes, below `/api/v1`.
pub fn routes(social: Social) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create, own))
        .routes(routes!(own_invites))
        .routes(routes!(one, update))
        .routes(routes!(join))
        .routes(routes!(leave))
        .routes(routes!(members))
        .routes(routes!(set_role))
        .routes(routes!(kick))
        .routes(routes!(invite, invites))
        .routes(routes!(remove_invite))
        .with_state(social)
}

/// Makes a group, with the caller as its owner.
#[utoipa::path(
    post,
    path = "/groups",
    tag = "social",
    request_body = GroupForm,
    responses((status = 200, body = GroupView), Failures)
)]
async fn create(
    State(social): State<Social>,
    caller: Caller,
    Body(form): Body<GroupForm>,
) -> Answer<GroupView> {
    Ok(Json(social.create_group(&caller.player, form).await?))
}

#[derive(Serialize, ToSchema)]
struct GroupList {
    groups: Vec<OwnGroup>,
}

/// The groups the caller is in.
#[utoipa::path(
    get,
    path = "/groups",
    tag = "social",
    responses((status = 200, body = GroupList), Failures)
)]
async fn own(State(social): State<Social>, caller: Caller) -> Answer<GroupList> {
    let groups = social.groups_of(&caller.player).await?;
    Ok(Json(GroupList { groups }))
}

#[derive(Serialize, ToSchema)]
struct GroupInviteList {
    invites: Vec<GroupInvite>,
}

/// The caller's invitations into groups, and requests to join some; newest first.
#[utoipa::path(
    get,
    path = "/groups/invites",
    tag = "social",
    params(Page),
    responses((status = 200, body = GroupInviteList), Failures)
)]
async fn own_invites(
    State(social): State<Social>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Answer<GroupInviteList> {
    let invites = social.own_group_invites(&caller.player, &page).await?;
    Ok(Json(GroupInviteList { invites }))
}

/// A group.
#[utoipa::path(
    get,
    path = "/groups/{id}",
    tag = "social",
    params(("id" = String, Path)),
    responses((status = 200, body = GroupView), Failures)
)]
async fn one(
    State(social): State<Social>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Answer<GroupView> {
    Ok(Json(social.group(&id).await?))
}

/// Changes a group; for its admins and its owner.
#[utoipa::path(
    put,
    path = "/groups/{id}",
    tag = "social",
    params(("id" = String, Path)),
    request_body = GroupForm,
    responses((status = 200, body = GroupView), Failures)
)]
async fn update(
    State(social): State<Social>,
    caller: Caller,
    Path(id): Path<String>,
    Body(form): Body<GroupForm>,
) -> Answer<GroupView> {
    Ok(Json(social.update_group(&caller.player, &id, form).await?))
}

#[derive(Serialize, ToSchema)]
struct GroupJoined {
    success: bool,
    group_id: String,
}

/// Joins a group that is open or has invited the caller; asks to join any other.
#[utoipa::path(
    post,
    path = "/groups/{id}/join",
    tag = "social",
    params(("id" = String, Path)),
    responses((status = 200, body = GroupJoined), Failures)
)]
async fn join(
    State(social): State<Social>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<GroupJoined> {
    social.join_group(&caller.player, &id).await?;
    Ok(Json(GroupJoined {
        success: true,
        group_id: id,
    }))
}

/// Leaves a group. Whoever is not in it has left it already.
#[utoipa::path(
    post,
    path = "/groups/{id}/leave",
    tag = "social",
    params(("id" = String, Path)),
    responses((status = 200, body = Success), Failures)
)]
async fn leave(
    State(social): State<Social>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Success> {
    social.leave_group(&caller.player, &id).await?;
    Ok(Success::json())
}

#[derive(Serialize, ToSchema)]
struct GroupMemberList {
    members: Vec<GroupMember>,
}

/// The members of a group, the highest role first.
#[utoipa::path(
    get,
    path = "/groups/{id}/members",
    tag = "social",
    params(("id" = String, Path)),
    responses((status = 200, body = GroupMemberList), Failures)
)]
async fn members(
    State(social): State<Social>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Answer<GroupMemberList> {
    let members = social.group_members(&id).await?;
    Ok(Json(GroupMemberList { members }))
}

#[derive(Deserialize, ToSchema)]
struct NewGroupRole {
    /// `owner`, `admin`, `moderator` or `member`.
    role: String,
}

/// Gives a member another role.
#[utoipa::path(
    put,
    path = "/groups/{id}/members/{player_id}/role",
    tag = "social",
    params(("id" = String, Path), ("player_id" = String, Path)),
    request_body = NewGroupRole,
    responses((status = 200, body = GroupMember), Failures)
)]
async fn set_role(
    State(social): State<Social>,
    caller: Caller,
    Path((id, player)): Path<(String, String)>,
    Body(body): Body<NewGroupRole>,
) -> Answer<GroupMember> {
    let member = social
        .set_group_role(&caller.player, &id, &player, &body.role)
        .await?;
    Ok(Json(member))
}

/// Removes a member who stands lower than the caller.
#[utoipa::path(
    delete,
    path = "/groups/{id}/members/{player_id}",
    tag = "social",
    params(("id" = String, Path), ("player_id" = String, Path)),
    responses((status = 200, body = Success), Failures)
)]
async fn kick(
    State(social): State<Social>,
    caller: Caller,
    Path((id, player)): Path<(String, String)>,
) -> Answer<Success> {
    social
        .kick_group_member(&caller.player, &id, &player)
        .await?;
    Ok(Success::json())
}

#[derive(Deserialize, ToSchema)]
struct NewGroupInvite {
    /// The player to invite.
    player_id: String,
}

#[derive(Serialize, ToSchema)]
struct GroupInviteAnswer {
    success: bool,
    group_id: String,
    player_id: String,
    status: Invited,
}

/// Invites a player, or admits one who asked; for moderators and up.
#[utoipa::path(
    post,
    path = "/groups/{id}/invites",
    tag = "social",
    params(("id" = String, Path)),
    request_body = NewGroupInvite,
    responses((status = 200, body = GroupInviteAnswer), Failures)
)]
async fn invite(
    State(social): State<Social>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<NewGroupInvite>,
) -> Answer<GroupInviteAnswer> {
    let status = social.invite(&caller.player, &id, &body.player_id).await?;
    Ok(Json(GroupInviteAnswer {
        success: true,
        group_id: id,
        player_id: body.player_id,
        status,
    }))
}

/// The invitations and requests of a group, newest first; for moderators and up.
#[utoipa::path(
    get,
    path = "/groups/{id}/invites",
    tag = "social",
    params(("id" = String, Path), Page),
    responses((status = 200, body = GroupInviteList), Failures)
)]
async fn invites(
    State(social): State<Social>,
    caller: Caller,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Answer<GroupInviteList> {
    let invites = social.group_invites(&caller.player, &id, &page).await?;
    Ok(Json(GroupInviteList { invites }))
}

/// Declines an invitation or takes back a request of the caller's; or, for moderators and up,
/// takes back an invitation or refuses a request.
#[utoipa::path(
    delete,
    path = "/groups/{id}/invites/{player_id}",
    tag = "social",
    params(("id" = String, Path), ("player_id" = String, Path)),
    responses((status = 200, body = Success), Failures)
)]
async fn remove_invite(
    State(social): State<Social>,
    caller: Caller,
    Path((id, player)): Path<(String, String)>,
) -> Answer<Success> {
    social.remove_invite(&caller.player, &id, &player).await?;
    Ok(Success::json())
}
