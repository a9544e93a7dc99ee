//! Who comes into a closed group, who decides in it, and who has it in the end.

use asobi_wire::Code;
use serde_json::json;

use crate::rest::Guest;
use crate::server::{SOON, Server};

fn roles<const N: usize>(expected: [(&Guest, &str); N]) -> Vec<(String, String)> {
    let roles = expected.iter();
    roles
        .map(|(guest, role)| (guest.id.clone(), (*role).to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_group_notes_the_wish_and_admits_who_asked() {
    let server = Server::start();
    let ada = server.guest().await;
    let [a] = server.guests_of([&ada]);
    let [m, b, c] = server.guests().await;
    let group = a.group(json!({"name": "Crew", "open": true})).await;
    m.join(&group).await.ok();
    a.set_role(&group, &m, "moderator").await.ok();
    c.join(&group).await.ok();
    a.put(&format!("/groups/{group}"), json!({"open": false}))
        .await
        .ok();

    let details = b.join(&group).await.refused(Code::GroupClosed);
    assert_eq!(details["requested"], true);
    let details = b.join(&group).await.refused(Code::GroupClosed);
    assert_eq!(details["requested"], true);
    let pushed = ada
        .client
        .next_of("notification.new", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(pushed["type"], "group_join_request");
    assert_eq!(pushed["content"]["group_id"], group);
    assert_eq!(pushed["content"]["from_player_id"], b.id);
    assert_eq!(a.told().await, ["group_join_request"]);
    assert_eq!(m.told().await, ["group_join_request", "group_role_changed"]);
    assert!(c.told().await.is_empty());
    let path = format!("/groups/{group}/invites");
    assert_eq!(m.invites(&path).await, [(b.id.clone(), true)]);
    assert_eq!(b.invites("/groups/invites").await, [(b.id.clone(), true)]);

    let admitted = m.invite(&group, &b).await.ok();
    assert_eq!(admitted["status"], "joined");
    assert_eq!(b.told().await, ["group_joined"]);
    assert!(m.invites(&path).await.is_empty());
    m.invite(&group, &b).await.refused(Code::AlreadyMember);
    let expected = roles([
        (&a, "owner"),
        (&m, "moderator"),
        (&c, "member"),
        (&b, "member"),
    ]);
    assert_eq!(a.roles(&group).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_may_join_a_closed_group() {
    let server = Server::start();
    let [a, b, c] = server.guests().await;
    let group = a.group(json!({"name": "Crew", "max_members": 2})).await;
    for _ in 0..2 {
        let invited = a.invite(&group, &b).await.ok();
        assert_eq!(invited["status"], "invited");
    }
    a.invite(&group, &c).await.ok();
    assert_eq!(b.told().await, ["group_invite"]);
    let [row] = &b.get("/groups/invites").await.rows("invites")[..] else {
        panic!()
    };
    assert_eq!(row["group_id"], group);
    assert_eq!(row["group_name"], "Crew");
    assert_eq!(row["invited_by"], a.id);
    assert!(row["username"].is_string());
    let path = format!("/groups/{group}/invites");
    let newest = a.invites(&format!("{path}?limit=1")).await;
    assert_eq!(newest, [(c.id.clone(), false)]);
    b.join(&group).await.ok();
    c.join(&group).await.refused(Code::GroupFull);
    assert_eq!(a.invites(&path).await, [(c.id.clone(), false)]);
    b.invite(&group, &c).await.refused(Code::Forbidden);
    b.get(&path).await.refused(Code::Forbidden);
    c.get(&path).await.refused(Code::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_and_requests_are_taken_back_declined_and_refused() {
    let server = Server::start();
    let [a, b, c] = server.guests().await;
    let group = a.group(json!({"name": "Crew"})).await;
    let path = format!("/groups/{group}/invites");
    // Taken back by whom it came from: nothing stays.
    a.invite(&group, &b).await.ok();
    c.remove_invite(&group, &b).await.refused(Code::Forbidden);
    a.remove_invite(&group, &b).await.ok();
    assert!(b.told().await.is_empty());
    b.join(&group).await.refused(Code::GroupClosed);
    b.remove_invite(&group, &b).await.ok();
    assert!(a.told().await.is_empty());
    b.remove_invite(&group, &b)
        .await
        .refused(Code::InviteNotFound);
    a.remove_invite(&group, &b)
        .await
        .refused(Code::InviteNotFound);
    // Answered by whom it was for: word of it stays.
    a.invite(&group, &b).await.ok();
    b.remove_invite(&group, &b).await.ok();
    assert_eq!(b.told().await, ["group_invite"]);
    b.join(&group).await.refused(Code::GroupClosed);
    a.remove_invite(&group, &b).await.ok();
    assert_eq!(a.told().await, ["group_join_request"]);
    assert!(a.invites(&path).await.is_empty());
    // Who blocks whoever invites is not invited.
    b.answer(&a, "blocked").await;
    a.invite(&group, &b).await.refused(Code::SocialBlocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_decide_who_may_do_what() {
    let server = Server::start();
    let [owner, admin, other, moderator, member, stranger] = server.guests().await;
    let group = owner.group(json!({"name": "Crew", "open": true})).await;
    for guest in [&admin, &other, &moderator, &member] {
        guest.join(&group).await.ok();
    }
    let row = owner.set_role(&group, &admin, "admin").await.ok();
    assert_eq!(row["role"], "admin");
    assert_eq!(row["player_id"], admin.id);
    assert!(row["username"].is_string());
    assert_eq!(admin.told().await, ["group_role_changed"]);
    owner.set_role(&group, &other, "admin").await.ok();
    admin.set_role(&group, &moderator, "moderator").await.ok();
    moderator
        .set_role(&group, &member, "member")
        .await
        .refused(Code::Forbidden);

    let path = format!("/groups/{group}");
    for (guest, may) in [(&moderator, false), (&stranger, false), (&admin, true)] {
        let update = guest.put(&path, json!({"name": "Crew"})).await;
        match may {
            true => drop(update.ok()),
            false => drop(update.refused(Code::Forbidden)),
        }
    }
    // Nobody raises to their own height, nobody touches who stands as high, nobody rises alone.
    for (actor, target, role) in [
        (&admin, &member, "admin"),
        (&admin, &other, "member"),
        (&admin, &owner, "member"),
        (&admin, &member, "owner"),
        (&admin, &admin, "owner"),
        (&moderator, &moderator, "admin"),
        (&member, &member, "moderator"),
        (&stranger, &member, "moderator"),
        (&owner, &owner, "member"),
    ] {
        let change = actor.set_role(&group, target, role).await;
        change.refused(Code::Forbidden);
    }
    for (actor, target) in [
        (&admin, &other),
        (&admin, &owner),
        (&admin, &admin),
        (&moderator, &admin),
        (&moderator, &moderator),
        (&member, &member),
        (&stranger, &member),
    ] {
        actor.kick(&group, target).await.refused(Code::Forbidden);
    }
    other.set_role(&group, &other, "moderator").await.ok();
    moderator.kick(&group, &member).await.ok();
    moderator
        .kick(&group, &member)
        .await
        .refused(Code::MemberNotFound);

    owner.set_role(&group, &moderator, "owner").await.ok();
    let expected = roles([
        (&moderator, "owner"),
        (&owner, "admin"),
        (&admin, "admin"),
        (&other, "moderator"),
    ]);
    assert_eq!(stranger.roles(&group).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_leaves_has_an_heir_and_the_last_one_takes_the_group_along() {
    let server = Server::start();
    let [owner, first, second, admin] = server.guests().await;
    let group = owner.group(json!({"name": "Crew", "open": true})).await;
    for guest in [&first, &second, &admin] {
        guest.join(&group).await.ok();
    }
    owner.set_role(&group, &admin, "admin").await.ok();
    owner.leave(&group).await;
    let expected = roles([(&admin, "owner"), (&first, "member"), (&second, "member")]);
    assert_eq!(owner.roles(&group).await, expected);
    assert_eq!(admin.told().await, ["group_role_changed"]);
    admin.leave(&group).await;
    let expected = roles([(&first, "owner"), (&second, "member")]);
    assert_eq!(owner.roles(&group).await, expected);
    first.invite(&group, &owner).await.ok();
    second.leave(&group).await;
    first.leave(&group).await;
    first.leave(&group).await;
    owner
        .get(&format!("/groups/{group}"))
        .await
        .refused(Code::GroupNotFound);
    owner.join(&group).await.refused(Code::GroupNotFound);
    assert!(owner.invites("/groups/invites").await.is_empty());
}
