//! Each limit, with the reason and the close code of the protocol guide.

use std::time::Duration;

use asobi_client::{Client, ConnectOptions, Device};
use asobi_wire::Code;
use serde_json::json;

use crate::server::{GAME, SOON, Server};

async fn open(server: &Server, options: ConnectOptions) -> Client {
    Client::open(&server.url, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_messages_are_refused_and_the_connection_lives_on() {
    let server = Server::with(GAME, &[("ASOBI_LIMITS__WS_MESSAGES_PER_SECOND", "20")]);
    let player = server.guest().await;
    for _ in 0..40 {
        player.client.send("session.heartbeat", &json!({})).unwrap();
    }
    let refused = player
        .client
        .next_of("error", SOON)
        .await
        .unwrap()
        .error()
        .unwrap();
    assert_eq!(refused.code, "rate_limited");
    // Who waits for an answer hears at once.
    let refused = player.client.request("session.heartbeat", &json!({})).await;
    assert!(
        matches!(refused, Err(asobi_client::Error::Server(error)) if error.code == "rate_limited")
    );
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    player.client.heartbeat().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_messages_a_second_pass() {
    let server = Server::start();
    let player = server.guest().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..60 {
        player.client.send("session.heartbeat", &json!({})).unwrap();
    }
    for _ in 0..60 {
        player
            .client
            .next_of("session.heartbeat", SOON)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_over_the_limit_is_refused_and_the_connection_lives_on() {
    let server = Server::start();
    let player = server.guest().await;
    player.client.send_text("x".repeat(64 * 1024 + 1)).unwrap();
    let refused = player
        .client
        .next_of("error", SOON)
        .await
        .unwrap()
        .error()
        .unwrap();
    assert_eq!(refused.code, "payload_too_large");
    player.client.heartbeat().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_sign_in_is_closed() {
    let server = Server::with(GAME, &[("ASOBI_LIMITS__WS_AUTH_TIMEOUT_MS", "300")]);
    let client = open(&server, ConnectOptions::default()).await;
    let closed = client.closed(SOON).await.unwrap();
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (Some(1008), "idle_auth_timeout")
    );
    let player = server.guest().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    player.client.heartbeat().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_connections_from_one_address_is_closed() {
    let server = Server::with(GAME, &[("ASOBI_LIMITS__WS_CONNECTS_PER_SECOND", "5")]);
    let mut clients = Vec::new();
    for _ in 0..12 {
        clients.push(open(&server, ConnectOptions::default()).await);
    }
    let closed = clients.last().unwrap().closed(SOON).await.unwrap();
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (Some(1008), "rate_limited")
    );
    let elsewhere = ConnectOptions::default().local_address([127, 0, 0, 2].into());
    let neighbour = open(&server, elsewhere).await;
    neighbour.heartbeat().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_origin_is_closed_and_a_native_client_is_not() {
    let server = Server::with(
        GAME,
        &[(
            "ASOBI_SERVER__ALLOWED_ORIGINS",
            "[\"https://game.example\"]",
        )],
    );
    let from = |origin: &str| ConnectOptions::default().header("Origin", origin);
    let closed = open(&server, from("https://evil.example"))
        .await
        .closed(SOON)
        .await
        .unwrap();
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (Some(1008), "origin_rejected")
    );
    open(&server, from("https://game.example"))
        .await
        .heartbeat()
        .await
        .unwrap();
    open(&server, ConnectOptions::default())
        .await
        .heartbeat()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_sign_ins_and_requests_have_their_limits() {
    let server = Server::with(
        GAME,
        &[
            ("ASOBI_LIMITS__REGISTER_PER_SECOND", "1"),
            ("ASOBI_LIMITS__AUTH_PER_SECOND", "2"),
            ("ASOBI_LIMITS__API_PER_SECOND", "2"),
        ],
    );
    let api = server.api();
    api.register("first_one", "secret123").await.unwrap();
    let limited = api.register("second_one", "secret123").await.unwrap_err();
    let limited = limited.server().unwrap();
    assert_eq!(
        (limited.status, limited.code.as_str()),
        (Some(429), "rate_limited")
    );
    assert!(limited.retry_after().is_some());
    let token = api.guest(&Device::generate()).await.unwrap().access_token;
    let mut refused = 0;
    for _ in 0..6 {
        refused += u32::from(api.guest(&Device::generate()).await.is_err());
    }
    assert!(refused > 0);
    let mut refused = 0;
    for _ in 0..6 {
        let asked = api
            .get::<serde_json::Value>("/api/v1/matches", Some(&token))
            .await;
        refused += u32::from(asked.is_err());
    }
    assert!(refused > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_are_limited_for_each_player() {
    let server = Server::with(GAME, &[("ASOBI_LIMITS__JOINS_PER_MINUTE", "3")]);
    let (a, b) = server.pair().await;
    let id = a.match_id().await;
    for _ in 0..3 {
        a.client.match_join(&id, None).await.unwrap();
    }
    let limited = a.client.match_join(&id, None).await.unwrap_err();
    assert_eq!(limited.code(), Some("join_rate_limited"));
    b.client.match_join(&id, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_the_newest_state_and_delays_nobody() {
    let script = GAME.replace("you = id }", "you = id, padding = string.rep('p', 20000) }");
    let server = Server::with_game(&script);
    let (a, b) = server.pair().await;
    b.client.pause_reading().unwrap();
    let before = a.state(|_| true).await["ticks"].as_i64().unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    a.client.take_events();
    let after = a.state(|_| true).await["ticks"].as_i64().unwrap();
    assert!(
        after - before >= 60,
        "the fast reader got {} ticks in 4 s",
        after - before
    );
    b.client.resume_reading().unwrap();
    // What the kernels held comes first; then the newest, not a backlog of 80 states.
    let caught_up = b
        .state(|state| state["ticks"].as_i64().unwrap() >= after)
        .await;
    assert!(caught_up["ticks"].as_i64().unwrap() >= after);
}

/// What is done and taken back over and over would keep those busy who are told of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_are_notified_of_is_limited_for_each_player() {
    let server = Server::with(GAME, &[("ASOBI_SOCIAL__NOTICES_PER_MINUTE", "4")]);
    let [ada, bob, eve] = server.guests().await;
    let group = json!({"name": "Crew"});
    let group = bob.post("/groups", group).await.ok();
    let group = format!("/groups/{}", group["id"].as_str().unwrap());
    let ask = json!({ "friend_id": bob.id });
    for _ in 0..3 {
        ada.post("/friends", &ask).await.ok();
        ada.delete(&format!("/friends/{}", bob.id)).await.ok();
    }
    let join = format!("{group}/join");
    ada.post(&join, "").await.refused(Code::GroupClosed);
    let limited = ada.post(&join, "").await.refused(Code::RateLimited);
    assert!(limited["retry_after"].as_u64().unwrap() >= 1);
    ada.post("/friends", &ask).await.refused(Code::RateLimited);
    ada.post(&format!("{group}/invites"), json!({ "player_id": eve.id }))
        .await
        .refused(Code::RateLimited);
    ada.put(
        &format!("{group}/members/{}/role", bob.id),
        json!({"role": "member"}),
    )
    .await
    .refused(Code::RateLimited);
    // Of what was taken back nothing stays; others have a limit of their own.
    assert_eq!(
        bob.get("/notifications").await.rows("notifications").len(),
        1
    );
    eve.post("/friends", &ask).await.ok();
}
