//! Friends: asking, answering, blocking, and who sees what.

use std::time::Duration;

use asobi_wire::Code;
use serde_json::{Value, json};

use crate::rest::{Guest, request};
use crate::server::{GAME, SOON, Server};

/// Ids that name nobody, as they stand in a path.
pub(crate) const NO_IDS: [&str; 7] = [
    "nobody",
    "%00",
    "%E2%80%AE",
    "0197A3C4-5B6D-7E8F-9A0B-1C2D3E4F5A6B",
    "0197a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b",
    "bot_Bob_1",
    "%F0%9F%A6%8A",
];

impl Guest {
    pub(crate) async fn ask(&self, friend: &Guest) -> Value {
        self.post("/friends", json!({"friend_id": friend.id}))
            .await
            .ok()
    }

    pub(crate) async fn answer(&self, friend: &Guest, status: &str) -> Value {
        self.put(
            &format!("/friends/{}", friend.id),
            json!({"status": status}),
        )
        .await
        .ok()
    }

    async fn friends(&self) -> Vec<Value> {
        self.get("/friends").await.rows("friends")
    }

    /// Types of notifications, newest first.
    pub(crate) async fn told(&self) -> Vec<String> {
        let rows = self
            .get("/notifications?limit=200")
            .await
            .rows("notifications");
        let kinds = rows
            .iter()
            .map(|row| row["type"].as_str().unwrap().to_owned());
        kinds.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_players_become_friends_and_both_see_it() {
    let server = Server::start();
    let (ada, bob) = (server.guest().await, server.guest().await);
    let [a, b] = server.guests_of([&ada, &bob]);

    let asked = a.ask(&b).await;
    assert_eq!(asked["status"], "pending");
    assert_eq!(asked["direction"], "outgoing");
    let pushed = bob
        .client
        .next_of("notification.new", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(pushed["type"], "friend_request");
    assert_eq!(pushed["content"]["from_player_id"], ada.id.as_str());
    let waiting = b.get("/friends?status=pending").await.rows("friends");
    assert_eq!(waiting[0]["direction"], "incoming");
    assert_eq!(waiting[0]["player_id"], b.id);
    assert_eq!(waiting[0]["friend_id"], a.id);
    assert_eq!(
        waiting[0]["friend"]["username"],
        pushed["content"]["from_username"]
    );

    let accepted = b.answer(&a, "accepted").await;
    assert_eq!(accepted["id"], asked["id"]);
    assert_eq!(accepted["status"], "accepted");
    assert_eq!(accepted.get("direction"), None);
    assert_eq!(b.answer(&a, "accepted").await, accepted);
    let pushed = ada
        .client
        .next_of("notification.new", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(pushed["type"], "friend_accepted");
    assert_eq!(a.told().await, ["friend_accepted"]);
    assert_eq!(b.told().await, ["friend_request"]);

    let [row] = &a.friends().await[..] else {
        panic!()
    };
    for time in ["inserted_at", "updated_at"] {
        assert!(row[time].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(row["friend"]["online"], true);
    assert_eq!(row["friend"]["avatar_url"], Value::Null);
    assert_eq!(row["friend"]["display_name"], row["friend"]["username"]);
    bob.client.close().await;
    let offline = async {
        while a.friends().await[0]["friend"]["online"] == true {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, offline).await.unwrap();

    let path = format!("/friends/{}", a.id);
    assert_eq!(b.delete(&path).await.ok(), json!({"success": true}));
    assert!(a.friends().await.is_empty());
    assert!(b.friends().await.is_empty());
    b.delete(&path).await.refused(Code::FriendshipNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_changes_nothing_and_taking_it_back_leaves_nothing() {
    let server = Server::start();
    let [a, b] = server.guests().await;
    let first = a.ask(&b).await;
    assert_eq!(a.ask(&b).await, first);
    assert_eq!(b.told().await, ["friend_request"]);
    let path = format!("/friends/{}", b.id);
    for status in ["accepted", "rejected"] {
        let answer = a.put(&path, json!({"status": status})).await;
        answer.refused(Code::Forbidden);
    }
    for _ in 0..3 {
        a.delete(&path).await.ok();
        assert!(b.told().await.is_empty());
        a.ask(&b).await;
    }
    assert_eq!(b.told().await, ["friend_request"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_turned_down_by_whom_it_is_to() {
    let server = Server::start();
    let [a, b] = server.guests().await;
    a.ask(&b).await;
    let path = format!("/friends/{}", a.id);
    b.delete(&path).await.refused(Code::Forbidden);
    let rejected = b.answer(&a, "rejected").await;
    assert_eq!(rejected["status"], "rejected");
    assert!(a.friends().await.is_empty());
    let again = b.put(&path, json!({"status": "rejected"})).await;
    again.refused(Code::FriendshipNotFound);
    let late = b.put(&path, json!({"status": "accepted"})).await;
    late.refused(Code::FriendshipNotFound);

    // Asked the other way round, the answer is at once.
    a.ask(&b).await;
    assert_eq!(b.ask(&a).await["status"], "accepted");
    let friends = b.put(&path, json!({"status": "rejected"})).await;
    friends.refused(Code::Forbidden);
    assert_eq!(a.friends().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_works_one_way_and_is_not_shown_to_whom_it_is_of() {
    let server = Server::start();
    let [a, b, c] = server.guests().await;
    let (to_a, to_b) = (format!("/friends/{}", a.id), format!("/friends/{}", b.id));
    a.ask(&b).await;
    b.answer(&a, "accepted").await;
    let block = a.answer(&b, "blocked").await;
    assert_eq!(block["status"], "blocked");
    assert_eq!(a.answer(&b, "blocked").await, block);
    assert_eq!(a.ask(&b).await, block);
    assert_eq!(
        a.get("/friends?status=blocked").await.rows("friends"),
        [block]
    );

    assert!(b.friends().await.is_empty());
    let ask = b.post("/friends", json!({"friend_id": a.id})).await;
    ask.refused(Code::SocialBlocked);
    b.delete(&to_a).await.refused(Code::FriendshipNotFound);
    for status in ["accepted", "rejected"] {
        let answer = b.put(&to_a, json!({"status": status})).await;
        answer.refused(Code::FriendshipNotFound);
    }
    assert_eq!(a.told().await, ["friend_accepted"]);

    // Both ways, and each ends their own only.
    b.answer(&a, "blocked").await;
    a.delete(&to_b).await.ok();
    assert!(a.friends().await.is_empty());
    let ask = a.post("/friends", json!({"friend_id": b.id})).await;
    ask.refused(Code::SocialBlocked);
    b.delete(&to_a).await.ok();
    assert_eq!(a.ask(&b).await["status"], "pending");

    // A request goes with the block, and so does word of it.
    c.ask(&a).await;
    assert_eq!(a.told().await, ["friend_request", "friend_accepted"]);
    a.answer(&c, "blocked").await;
    assert_eq!(a.told().await, ["friend_accepted"]);
    assert!(c.friends().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cross_end_in_one_friendship() {
    let server = Server::start();
    for _ in 0..5 {
        let [a, b] = server.guests().await;
        tokio::join!(a.ask(&b), b.ask(&a), a.ask(&b), b.ask(&a));
        for one in [&a, &b] {
            let [row] = &one.friends().await[..] else {
                panic!()
            };
            assert_eq!(row["status"], "accepted");
        }
        assert_eq!(a.told().await.len() + b.told().await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_bounded_and_say_whose_is_full() {
    let server = Server::with(GAME, &[("ASOBI_SOCIAL__MAX_FRIENDS", "2")]);
    let [a, b, c, d, e] = server.guests().await;
    let full = async |from: &Guest, to: &Guest, whose: &Guest| {
        let answer = from.post("/friends", json!({"friend_id": to.id})).await;
        let details = answer.refused(Code::FriendLimitReached);
        assert_eq!(details["player_id"], whose.id);
    };
    // Two friends, requests sent counted in.
    a.ask(&b).await;
    a.ask(&c).await;
    full(&a, &d, &a).await;
    b.answer(&a, "accepted").await;
    full(&a, &d, &a).await;
    // Others may still ask; but there is no room to accept.
    d.ask(&a).await;
    let path = format!("/friends/{}", d.id);
    let accept = a.put(&path, json!({"status": "accepted"})).await;
    accept.refused(Code::FriendLimitReached);
    full(&a, &d, &a).await;
    // Two requests may wait for an answer.
    a.delete(&format!("/friends/{}", c.id)).await.ok();
    e.ask(&a).await;
    full(&c, &a, &a).await;
    a.answer(&d, "accepted").await;
    c.ask(&a).await;
    // Two may be blocked.
    a.answer(&c, "blocked").await;
    a.answer(&e, "blocked").await;
    let path = format!("/friends/{}", b.id);
    let block = a.put(&path, json!({"status": "blocked"})).await;
    block.refused(Code::FriendLimitReached);
    assert_eq!(a.friends().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_paged_and_filtered() {
    let server = Server::start();
    let [a, b, c, d] = server.guests().await;
    for friend in [&b, &c, &d] {
        a.ask(friend).await;
    }
    c.answer(&a, "accepted").await;
    let ids = |rows: &[Value]| -> Vec<String> {
        let ids = rows.iter().map(|row| row["friend_id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    let first = a.get("/friends?limit=2").await.rows("friends");
    assert_eq!(ids(&first), [d.id.as_str(), &c.id]);
    let last = first[1]["id"].as_str().unwrap();
    let next = a.get(&format!("/friends?limit=2&before={last}")).await;
    assert_eq!(ids(&next.rows("friends")), [b.id.as_str()]);
    let pending = a.get("/friends?status=pending&limit=abc").await;
    assert_eq!(ids(&pending.rows("friends")), [d.id.as_str(), &b.id]);
    let none = a.get("/friends?status=blocked").await;
    assert!(none.rows("friends").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_outlive_a_crash() {
    let mut server = Server::start();
    let [a, b] = server.guests().await;
    a.ask(&b).await;
    b.answer(&a, "accepted").await;
    server.kill_and_restart();
    let rows = request(&server.api(), "GET", "/friends", Some(&a.token), "").await;
    assert_eq!(rows.rows("friends")[0]["friend_id"], b.id);
    let rows = request(&server.api(), "GET", "/notifications", Some(&a.token), "").await;
    assert_eq!(rows.rows("notifications")[0]["type"], "friend_accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_have_their_code() {
    let server = Server::start();
    let [a, b] = server.guests().await;
    let post = |body: Value| a.post("/friends", body);
    post(json!({"friend_id": a.id}))
        .await
        .refused(Code::CannotFriendSelf);
    for id in [
        "nobody",
        "",
        "a\0b",
        "\u{202e}",
        &b.id.to_uppercase(),
        &"x".repeat(100_000),
    ] {
        post(json!({"friend_id": id}))
            .await
            .refused(Code::FriendNotFound);
    }
    for body in [
        json!({}),
        json!({"friend_id": 7}),
        json!({"friend_id": null}),
    ] {
        post(body).await.refused(Code::MissingField);
    }
    post(json!([7])).await.refused(Code::InvalidPayload);
    a.send("POST", "/friends", "{")
        .await
        .refused(Code::InvalidJson);
    a.send("POST", "/friends", vec![0xff])
        .await
        .refused(Code::InvalidJson);

    let own = format!("/friends/{}", a.id);
    for (status, code) in [
        ("accepted", Code::FriendshipNotFound),
        ("rejected", Code::FriendshipNotFound),
        ("blocked", Code::CannotFriendSelf),
    ] {
        a.put(&own, json!({"status": status})).await.refused(code);
    }
    a.delete(&own).await.refused(Code::FriendshipNotFound);
    for id in NO_IDS {
        let path = format!("/friends/{id}");
        for status in ["accepted", "rejected"] {
            let answer = a.put(&path, json!({"status": status})).await;
            answer.refused(Code::FriendshipNotFound);
        }
        let block = a.put(&path, json!({"status": "blocked"})).await;
        block.refused(Code::FriendNotFound);
        a.delete(&path).await.refused(Code::FriendshipNotFound);
    }
    a.delete("/friends/%ff").await.refused(Code::NotFound);
    let path = format!("/friends/{}", b.id);
    for status in ["", "pending", "Accepted", "friends\0"] {
        let answer = a.put(&path, json!({"status": status})).await;
        answer.refused_field("status");
    }
    for body in [json!({}), json!({"status": 1})] {
        a.put(&path, body).await.refused(Code::MissingField);
    }
    a.get("/friends?status=rejected")
        .await
        .refused_field("status");
    a.get("/friends?status=%00").await.refused_field("status");
    for cursor in NO_IDS.into_iter().filter(|id| !id.starts_with("0197a")) {
        let answer = a.get(&format!("/friends?before={cursor}")).await;
        answer.refused(Code::InvalidPayload);
    }
    assert!(a.friends().await.is_empty());
    assert!(b.told().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_nothing() {
    let server = Server::start();
    let id = "0197a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b";
    let one = |path: &str| path.replace("ID", id);
    for (method, path) in [
        ("GET", "/friends"),
        ("POST", "/friends"),
        ("PUT", "/friends/ID"),
        ("DELETE", "/friends/ID"),
        ("GET", "/groups"),
        ("POST", "/groups"),
        ("GET", "/groups/invites"),
        ("GET", "/groups/ID"),
        ("PUT", "/groups/ID"),
        ("POST", "/groups/ID/join"),
        ("POST", "/groups/ID/leave"),
        ("GET", "/groups/ID/members"),
        ("PUT", "/groups/ID/members/ID/role"),
        ("DELETE", "/groups/ID/members/ID"),
        ("GET", "/groups/ID/invites"),
        ("POST", "/groups/ID/invites"),
        ("DELETE", "/groups/ID/invites/ID"),
        ("GET", "/notifications"),
        ("PUT", "/notifications/read"),
        ("PUT", "/notifications/ID/read"),
        ("DELETE", "/notifications/ID"),
    ] {
        for token in [None, Some("nonsense")] {
            let answer = request(&server.api(), method, &one(path), token, "{}").await;
            answer.refused(Code::Unauthenticated);
        }
    }
}
