//! What survives a killed process, a lost connection, an orderly stop.

use std::time::{Duration, Instant};

use asobi_client::{Client, Device};
use serde_json::json;

use crate::server::{SOON, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_match_resumes_after_kill_9_with_its_players() {
    let mut server = Server::start();
    let account = server
        .api()
        .register("survivor", "secret123")
        .await
        .unwrap();
    let (a, b) = server.pair().await;
    a.input(json!({"move": 41}));
    a.at(41).await;
    // A snapshot is at most a second old.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    a.client.take_events();
    let ticks = a.state(|_| true).await["ticks"].as_i64().unwrap();
    server.kill_and_restart();

    let back = Client::open(&server.url, Default::default()).await.unwrap();
    let connected = back
        .request("session.connect", &json!({"token": a.token}))
        .await
        .unwrap()
        .json();
    assert!(connected["match_id"].is_string(), "{connected}");
    let joined = back.next_of("match.joined", SOON).await.unwrap().json();
    assert_eq!(
        (&joined["reconnected"], &joined["match_id"]),
        (&json!(true), &connected["match_id"])
    );
    let state = back.next_of("match.state", SOON).await.unwrap().json();
    assert_eq!(state["players"][&a.id]["x"], 41);
    let resumed = state["ticks"].as_i64().unwrap();
    assert!(
        resumed >= ticks - 21,
        "resumed {} ticks of 50 ms earlier",
        ticks - resumed
    );
    back.match_input(&json!({"move": 1})).unwrap();
    let moved = |event: &asobi_client::Event| event.json()["players"][&a.id]["x"] == 42;
    back.next_where(SOON, moved).await.unwrap();
    let other = Client::connect(&server.url, &b.token).await.unwrap();
    other.next_of("match.state", SOON).await.unwrap();
    server.api().login("survivor", "secret123").await.unwrap();
    server.api().refresh(&account.refresh_token).await.unwrap();
    back.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reconnects_within_the_grace_is_back() {
    let server = Server::start();
    let (a, b) = server.pair().await;
    a.input(json!({"move": 3}));
    a.at(3).await;
    a.client.cut();
    tokio::time::sleep(Duration::from_millis(500)).await;
    b.state(|state| state["players"][&a.id]["x"] == 3).await;
    let back = Client::connect(&server.url, &a.token).await.unwrap();
    let joined = back.next_of("match.joined", SOON).await.unwrap().json();
    assert_eq!(joined["player_count"], 2);
    back.next_of("match.state", SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_come_back_is_out_and_an_empty_match_ends() {
    let server = Server::with(
        &format!("{}\nreconnect_grace = 1\n", crate::server::GAME),
        &[],
    );
    let (a, b) = server.pair().await;
    a.client.cut();
    b.state(|state| state["players"].as_object().unwrap().len() == 1)
        .await;
    let welcome = b
        .client
        .request("session.connect", &json!({"token": b.token}))
        .await
        .unwrap()
        .json();
    let id = welcome["match_id"].as_str().unwrap().to_owned();
    b.client.match_leave().await.unwrap();
    let deadline = Instant::now() + SOON;
    while b.client.match_join(&id, None).await.is_ok() && Instant::now() < deadline {
        b.client.match_leave().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let gone = b.client.match_join(&id, None).await.unwrap_err();
    assert_eq!(gone.code(), Some("match.not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_tells_the_sockets_and_keeps_the_matches() {
    let mut server = Server::start();
    let (a, _b) = server.pair().await;
    a.input(json!({"move": 9}));
    a.at(9).await;
    let status = server.terminate();
    assert!(status.success(), "{status}");
    let closed = a.client.closed(SOON).await.unwrap();
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (Some(1012), "server_restart")
    );
    server.start_again();
    let back = Client::connect(&server.url, &a.token).await.unwrap();
    let state = back.next_of("match.state", SOON).await.unwrap().json();
    assert_eq!(state["players"][&a.id]["x"], 9);
}

/// Every answer to a registration is a promise: killed at any moment, the account is there.
#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_account_is_lost() {
    let mut server = Server::start();
    let device = Device::generate();
    let guest = server.api().guest(&device).await.unwrap();
    for round in 0..3 {
        let name = format!("promise_{round}");
        server.api().register(&name, "secret123").await.unwrap();
        server.kill_and_restart();
        server.api().login(&name, "secret123").await.unwrap();
    }
    let resumed = server.api().guest(&device).await.unwrap();
    assert_eq!(resumed.player_id, guest.player_id);
}
