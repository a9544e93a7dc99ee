//! Groups: making and changing them, joining open ones, and their bounds.

use asobi_wire::Code;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::friends::NO_IDS;
use crate::rest::{Answer, Guest};
use crate::server::{GAME, Server};

impl Guest {
    /// A new group of one's own. Its id.
    pub(crate) async fn group(&self, form: Value) -> String {
        let group = self.post("/groups", form).await.ok();
        group["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn join(&self, group: &str) -> Answer {
        self.post(&format!("/groups/{group}/join"), json!({})).await
    }

    pub(crate) async fn leave(&self, group: &str) {
        let left = self
            .send("POST", &format!("/groups/{group}/leave"), "")
            .await;
        assert_eq!(left.ok(), json!({"success": true}));
    }

    pub(crate) async fn invite(&self, group: &str, player: &Guest) -> Answer {
        let path = format!("/groups/{group}/invites");
        self.post(&path, json!({"player_id": player.id})).await
    }

    pub(crate) async fn set_role(&self, group: &str, player: &Guest, role: &str) -> Answer {
        let path = format!("/groups/{group}/members/{}/role", player.id);
        self.put(&path, json!({"role": role})).await
    }

    pub(crate) async fn kick(&self, group: &str, player: &Guest) -> Answer {
        self.delete(&format!("/groups/{group}/members/{}", player.id))
            .await
    }

    pub(crate) async fn remove_invite(&self, group: &str, player: &Guest) -> Answer {
        self.delete(&format!("/groups/{group}/invites/{}", player.id))
            .await
    }

    /// Players and their roles, in the order of the list.
    pub(crate) async fn roles(&self, group: &str) -> Vec<(String, String)> {
        let members = self.get(&format!("/groups/{group}/members")).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let members = members.rows("members");
        members
            .iter()
            .map(|row| (text(&row["player_id"]), text(&row["role"])))
            .collect()
    }

    pub(crate) async fn invites(&self, path: &str) -> Vec<(String, bool)> {
        let rows = self.get(path).await.rows("invites");
        rows.iter()
            .map(|row| {
                let player = row["player_id"].as_str().unwrap().to_owned();
                (player, row["requested"].as_bool().unwrap())
            })
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_read_and_changed() {
    let server = Server::start();
    let [a, b] = server.guests().await;
    let group = a.post("/groups", json!({"name": " Crew "})).await.ok();
    assert_eq!(group["name"], "Crew");
    assert_eq!(group["description"], Value::Null);
    assert_eq!(group["max_members"], 50);
    assert_eq!(group["member_count"], 1);
    assert_eq!(group["open"], false);
    assert_eq!(group["creator_id"], a.id);
    assert_eq!(group["metadata"], json!({}));
    let path = format!("/groups/{}", group["id"].as_str().unwrap());
    assert_eq!(b.get(&path).await.ok(), group);

    let form = json!({
        "name": "Die Mannschaft", "description": "Two\nlines", "max_members": 2,
        "open": true, "metadata": {"colour": "red", "list": [1, null, 1e300]},
    });
    let changed = a.put(&path, form.clone()).await.ok();
    for (field, value) in form.as_object().unwrap() {
        assert_eq!(changed[field], *value);
    }
    assert_eq!(b.get(&path).await.ok(), changed);
    for nothing in [json!({}), json!({"name": null, "open": null})] {
        let mut same = a.put(&path, nothing).await.ok();
        same["updated_at"] = changed["updated_at"].clone();
        assert_eq!(same, changed);
    }
    let cleared = a.put(&path, json!({"description": ""})).await.ok();
    assert_eq!(cleared["description"], Value::Null);

    let own = a.get("/groups").await.rows("groups");
    assert_eq!(own[0]["id"], group["id"]);
    assert_eq!(own[0]["role"], "owner");
    assert_eq!(own[0]["member_count"], 1);
    assert!(own[0]["joined_at"].is_string());
    assert!(b.get("/groups").await.rows("groups").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_group_takes_whoever_comes_until_it_is_full() {
    let server = Server::start();
    let ada = server.guest().await;
    let [a] = server.guests_of([&ada]);
    let [b, c] = server.guests().await;
    let form = json!({"name": "Crew", "open": true, "max_members": 2});
    let group = a.group(form).await;
    let joined = b.join(&group).await.ok();
    assert_eq!(joined, json!({"success": true, "group_id": group}));
    b.join(&group).await.refused(Code::AlreadyMember);
    c.join(&group).await.refused(Code::GroupFull);
    let members = c
        .get(&format!("/groups/{group}/members"))
        .await
        .rows("members");
    assert_eq!(members[0]["player_id"], a.id);
    assert_eq!(members[0]["group_id"], group);
    assert_eq!(members[0]["online"], true);
    assert_eq!(members[1]["online"], false);
    assert_eq!(members[1]["username"], members[1]["display_name"]);
    assert!(members[1]["joined_at"].is_string());
    let path = format!("/groups/{group}");
    a.put(&path, json!({"max_members": 3})).await.ok();
    c.join(&group).await.ok();
    let shrink = a.put(&path, json!({"max_members": 2})).await;
    shrink.refused_field("max_members");
    b.leave(&group).await;
    b.leave(&group).await;
    a.put(&path, json!({"max_members": 2})).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_who_want_the_last_place_one_gets_it() {
    let server = Server::start();
    let [owner] = server.guests().await;
    let guests = server.guests::<20>().await;
    for _ in 0..4 {
        let form = json!({"name": "Crew", "open": true, "max_members": 2});
        let group = owner.group(form).await;
        let mut inside = 0;
        for answer in join_all(guests.iter().map(|guest| guest.join(&group))).await {
            match answer.status {
                200 => inside += 1,
                _ => drop(answer.refused(Code::GroupFull)),
            }
        }
        assert_eq!(inside, 1);
        assert_eq!(owner.roles(&group).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_player_joins_once_however_often_they_ask_at_once() {
    let server = Server::start();
    let [owner, guest] = server.guests().await;
    let group = owner.group(json!({"name": "Crew", "open": true})).await;
    let closed = owner.group(json!({"name": "Closed"})).await;
    let answers = join_all((0..8).map(|_| guest.join(&group))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    for answer in join_all((0..8).map(|_| guest.join(&closed))).await {
        assert_eq!(answer.refused(Code::GroupClosed)["requested"], true);
    }
    assert_eq!(owner.told().await, ["group_join_request"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_is_in_so_many_groups_and_no_more() {
    let server = Server::with(GAME, &[("ASOBI_SOCIAL__MAX_GROUPS", "2")]);
    let [a, b] = server.guests().await;
    let form = || json!({"name": "Crew", "open": true});
    let open = [a.group(form()).await, a.group(form()).await];
    a.post("/groups", form())
        .await
        .refused(Code::GroupLimitReached);
    for group in &open {
        b.join(group).await.ok();
    }
    a.leave(&open[0]).await;
    let closed = a.group(json!({"name": "Closed"})).await;
    b.join(&closed).await.refused(Code::GroupClosed);
    a.invite(&closed, &b).await.refused(Code::GroupLimitReached);
    b.leave(&open[1]).await;
    assert_eq!(a.invite(&closed, &b).await.ok()["status"], "joined");
    // Many at once do not slip past it.
    let groups = join_all((0..6).map(|_| b.post("/groups", form()))).await;
    assert!(groups.iter().all(|answer| answer.status == 409));
    b.leave(&open[0]).await;
    let groups = join_all((0..6).map(|_| b.post("/groups", form()))).await;
    assert_eq!(
        groups.iter().filter(|answer| answer.status == 200).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_forms_name_the_field() {
    let server = Server::start();
    let [a] = server.guests().await;
    let group = a.group(json!({"name": "Crew"})).await;
    let path = format!("/groups/{group}");
    for (field, value) in [
        ("name", json!("x")),
        ("name", json!("x".repeat(65))),
        ("name", json!("a\0b")),
        ("name", json!("\u{202e}abc")),
        ("name", json!("a\nb")),
        ("name", json!("   ")),
        ("name", json!(7)),
        ("name", json!({"a": 1})),
        ("description", json!("x".repeat(1025))),
        ("description", json!("ä".repeat(513))),
        ("description", json!("a\0b")),
        ("description", json!([])),
        ("max_members", json!(1)),
        ("max_members", json!(0)),
        ("max_members", json!(-5)),
        ("max_members", json!(1001)),
        ("max_members", json!(2.5)),
        ("max_members", json!(1e300)),
        ("max_members", json!(u64::MAX)),
        ("max_members", json!("50")),
        ("open", json!(1)),
        ("open", json!("yes")),
        ("metadata", json!([])),
        ("metadata", json!("{}")),
        ("metadata", json!({"a": "x".repeat(16 * 1024)})),
    ] {
        let mut form = json!({"name": "Crew"});
        form[field] = value;
        a.post("/groups", form.clone()).await.refused_field(field);
        a.put(&path, form).await.refused_field(field);
    }
    let details = a
        .post("/groups", json!({}))
        .await
        .refused(Code::MissingField);
    assert_eq!(details["field"], "name");
    a.post("/groups", json!({"name": null}))
        .await
        .refused(Code::MissingField);
    for (method, path) in [("POST", "/groups"), ("PUT", path.as_str())] {
        a.send(method, path, "{").await.refused(Code::InvalidJson);
        a.send(method, path, "7")
            .await
            .refused(Code::InvalidPayload);
    }
    let groups = a.get("/groups").await.rows("groups");
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0]["updated_at"], groups[0]["inserted_at"]);
    // As everywhere: what is the game's own may hold any JSON.
    let metadata = json!({"a\0": [{"b": "\0\u{202e}"}]});
    let changed = a.put(&path, json!({ "metadata": metadata })).await.ok();
    assert_eq!(changed["metadata"], metadata);
    assert_eq!(a.get(&path).await.ok()["metadata"], metadata);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_name_nothing_have_their_code() {
    let server = Server::start();
    let [a, b] = server.guests().await;
    let group = a.group(json!({"name": "Crew"})).await;
    for id in NO_IDS {
        for (method, path, body) in [
            ("GET", "", ""),
            ("PUT", "", "{\"name\":\"Crew\"}"),
            ("POST", "/join", ""),
            ("GET", "/members", ""),
            ("PUT", "/members/x/role", "{\"role\":\"admin\"}"),
            ("DELETE", "/members/x", ""),
            ("GET", "/invites", ""),
            ("POST", "/invites", "{\"player_id\":\"x\"}"),
            ("DELETE", "/invites/x", ""),
        ] {
            let answer = a.send(method, &format!("/groups/{id}{path}"), body).await;
            answer.refused(Code::GroupNotFound);
        }
        a.leave(id).await;
        let member = format!("/groups/{group}/members/{id}");
        a.delete(&member).await.refused(Code::MemberNotFound);
        let role = a
            .put(&format!("{member}/role"), json!({"role": "admin"}))
            .await;
        role.refused(Code::MemberNotFound);
        let invite = a.delete(&format!("/groups/{group}/invites/{id}")).await;
        invite.refused(Code::InviteNotFound);
    }
    a.kick(&group, &b).await.refused(Code::MemberNotFound);
    for role in ["", "god", "Owner", "admin\0"] {
        a.set_role(&group, &a, role)
            .await
            .refused(Code::InvalidRole);
    }
    let path = format!("/groups/{group}/members/{}/role", a.id);
    for body in [json!({}), json!({"role": 1})] {
        a.put(&path, body).await.refused(Code::MissingField);
    }
    let path = format!("/groups/{group}/invites");
    for id in ["", "nobody", "a\0b", &b.id.to_uppercase()] {
        let invite = a.post(&path, json!({"player_id": id})).await;
        invite.refused(Code::PlayerNotFound);
    }
    for body in [json!({}), json!({"player_id": [b.id]})] {
        a.post(&path, body).await.refused(Code::MissingField);
    }
    for path in [path.as_str(), "/groups/invites"] {
        let list = a.get(&format!("{path}?before=%00")).await;
        list.refused(Code::InvalidPayload);
    }
    a.invite(&group, &a).await.refused(Code::AlreadyMember);
}

/// Whoever was blocked does not come back as somebody who wants to join.
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_player_does_not_knock_at_the_groups_of_who_blocks() {
    let server = Server::start();
    let [ada, bob, moderator] = server.guests().await;
    let group = ada.post("/groups", json!({"name": "Crew"})).await.ok();
    let group = format!("/groups/{}", group["id"].as_str().unwrap());
    let invited = json!({ "player_id": moderator.id });
    ada.post(&format!("{group}/invites"), invited).await.ok();
    moderator.post(&format!("{group}/join"), "").await.ok();
    let role = format!("{group}/members/{}/role", moderator.id);
    ada.put(&role, json!({"role": "moderator"})).await.ok();
    let block = json!({"status": "blocked"});
    ada.put(&format!("/friends/{}", bob.id), block).await.ok();
    bob.post(&format!("{group}/join"), "")
        .await
        .refused(Code::GroupClosed);
    assert!(
        ada.get("/notifications")
            .await
            .rows("notifications")
            .is_empty()
    );
    let told = moderator.get("/notifications").await.rows("notifications");
    assert_eq!(told[0]["type"], "group_join_request");
}
