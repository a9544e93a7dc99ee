//! Presence as clients see it: the whole server, real connections.

use serde_json::{Value, json};

use crate::test_server::{Guest, SOON, TestServer, code, heard, next};

/// Two friends and a stranger who have heard all there is to hear.
async fn three() -> (TestServer, Guest, Guest, Guest) {
    let server = TestServer::start().await;
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    server.relate(&a, &b, "accepted").await;
    server.services.presence.flush().await;
    for player in [&a, &b, &c] {
        player.heard("presence.changed").await;
    }
    (server, a, b, c)
}

async fn one(server: &TestServer, asker: &Guest, of: &Guest) -> Value {
    let path = format!("/presence?ids={}", of.id);
    server.get(asker, &path).await.unwrap()["presence"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_see_each_other_come_change_and_go() {
    let (server, a, b, c) = three().await;
    let updated = b
        .ask("presence.update", json!({ "status": "in_game" }))
        .await;
    assert_eq!(updated, json!({ "status": "in_game" }));
    let changed = a.next("presence.changed").await;
    assert_eq!(changed, json!({ "player_id": b.id, "status": "in_game" }));
    assert_eq!(one(&server, &a, &b).await["status"], "in_game");

    b.client.cut();
    let gone = a.next("presence.changed").await;
    assert_eq!(
        (&gone["player_id"], &gone["status"]),
        (&json!(b.id), &json!("offline"))
    );
    let at = gone["last_seen_at"].as_i64().unwrap();
    let seen = one(&server, &a, &b).await;
    assert_eq!(seen["status"], "offline");
    assert_eq!(seen["last_seen_at"], crate::clock::iso(at));

    let back = server.connect(&b.token).await;
    let changed = a.next("presence.changed").await;
    assert_eq!(changed, json!({ "player_id": b.id, "status": "online" }));
    // Who comes learns who is there.
    let there = next(&back, "presence.changed").await;
    assert_eq!(there, json!({ "player_id": a.id, "status": "online" }));
    assert!(c.heard("presence.changed").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_flaps_is_no_news() {
    let (server, a, b, _c) = three().await;
    let mut client = b.client;
    for _ in 0..5 {
        client.cut();
        client = server.connect(&b.token).await;
    }
    server.services.presence.flush().await;
    assert!(a.heard("presence.changed").await.is_empty());
    // With a status lost on the way it is news, once.
    let busy = json!({ "status": "busy" });
    client.request("presence.update", &busy).await.unwrap();
    a.next("presence.changed").await;
    client.cut();
    let _client = server.connect(&b.token).await;
    server.services.presence.flush().await;
    let news = a.heard("presence.changed").await;
    assert_eq!(news, [json!({ "player_id": b.id, "status": "online" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_sign_in_starts_anew_and_the_first_ends_nothing() {
    let (server, a, b, _c) = three().await;
    b.ask("presence.update", json!({ "status": "busy" })).await;
    a.next("presence.changed").await;
    let newer = server.connect(&b.token).await;
    b.client.closed(SOON).await.unwrap();
    server.services.presence.flush().await;
    let news = a.heard("presence.changed").await;
    assert_eq!(news, [json!({ "player_id": b.id, "status": "online" })]);
    newer.heartbeat().await.unwrap();
    assert_eq!(one(&server, &a, &b).await["status"], "online");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_in_a_moment_are_one() {
    let (server, a, b, _c) = three().await;
    for n in 0..20 {
        let status = json!({ "status": format!("level {n}") });
        b.client.send("presence.update", &status).unwrap();
    }
    b.client.heartbeat().await.unwrap();
    server.services.presence.flush().await;
    let news = a.heard("presence.changed").await;
    assert!((1..=3).contains(&news.len()), "{news:?}");
    assert_eq!(news.last().unwrap()["status"], "level 19");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_a_short_text() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    for payload in [json!({}), json!({ "status": null }), json!({ "other": 1 })] {
        let updated = player.ask("presence.update", payload).await;
        assert_eq!(updated, json!({ "status": "online" }));
    }
    let longest = "é".repeat(32);
    player
        .ask("presence.update", json!({ "status": longest }))
        .await;
    for bad in [
        json!(""),
        json!("x".repeat(65)),
        json!("a\u{0}"),
        json!("a\nb"),
        json!("\u{202E}x"),
        json!(7),
        json!([]),
        json!({}),
    ] {
        let refused = player
            .refused("presence.update", json!({ "status": bad }))
            .await;
        assert_eq!(refused["code"], "presence.invalid_status", "{bad}");
        assert_eq!(refused["reason"], "invalid_status");
    }
    assert_eq!(
        one(&server, &player, &player).await["status"],
        longest.as_str()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_friends_and_oneself_are_shown() {
    let (server, a, b, c) = three().await;
    let ask = |ids: String| {
        let (server, a) = (&server, &a);
        async move { server.get(a, &format!("/presence?ids={ids}")).await }
    };
    let ids = format!("{},{},{},{},x,,%00", a.id, b.id, c.id, b.id);
    let shown = ask(ids).await.unwrap();
    let shown = shown["presence"].as_array().unwrap();
    let mut expected = [a.id.as_str(), b.id.as_str()];
    expected.sort_unstable();
    let ids: Vec<&str> = shown
        .iter()
        .map(|one| one["player_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, expected);
    assert!(
        shown.iter().all(|one| one["last_seen_at"].is_string()),
        "{shown:?}"
    );
    for ids in ["", "x", c.id.as_str()] {
        assert_eq!(ask(ids.into()).await.unwrap(), json!({ "presence": [] }));
    }
    let many = |count: usize| vec![b.id.as_str(); count].join(",");
    assert!(ask(many(100)).await.is_ok());
    assert_eq!(code(ask(many(101)).await), "invalid_payload");
    assert_eq!(code(server.get(&a, "/presence").await), "missing_field");
    let anonymous = server
        .api()
        .get::<Value>("/api/v1/presence?ids=x", None)
        .await;
    assert_eq!(code(anonymous), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_only_asked_to_be_a_friend_sees_nothing() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    server.relate(&a, &b, "pending").await;
    server.services.presence.flush().await;
    b.ask("presence.update", json!({ "status": "busy" })).await;
    server.services.presence.flush().await;
    assert!(a.heard("presence.changed").await.is_empty());
    let shown = server.get(&a, &format!("/presence?ids={}", b.id)).await;
    assert_eq!(shown.unwrap(), json!({ "presence": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_hears_of_all_friends_at_once_and_stays_connected() {
    let server = TestServer::with(|config| config.limits.ws_waiting_events = 16).await;
    let popular = server.guest().await;
    let mut friends = Vec::new();
    for _ in 0..40 {
        let friend = server.guest().await;
        server.relate(&popular, &friend, "accepted").await;
        friends.push(friend);
    }
    server.services.presence.flush().await;
    let back = server.connect(&popular.token).await;
    for _ in 0..40 {
        next(&back, "presence.changed").await;
    }
    assert!(heard(&back, "presence.changed").await.is_empty());
}
