//! Sign-in through the whole server. The domain's own tests go through every code.

use std::time::{Duration, Instant};

use asobi_client::{Client, Device};
use serde_json::{Value, json};

use crate::server::{SOON, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_socket_and_a_bad_one_may_be_retried() {
    let server = Server::start();
    let answer: Value = server
        .api()
        .post(
            "/api/v1/auth/register",
            None,
            &json!({"username": "ada_l", "password": "secret123"}),
        )
        .await
        .unwrap();
    assert_eq!(answer["session_token"], answer["access_token"]);
    let mut client = Client::open(&server.url, Default::default()).await.unwrap();
    let refused = client.authenticate("nonsense").await.unwrap_err();
    assert_eq!(refused.code(), Some("unauthenticated"));
    assert_eq!(refused.server().unwrap().reason, "invalid_token");
    let welcome = client
        .authenticate(answer["access_token"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(welcome.player_id, answer["player_id"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_not_valid_are_named() {
    let server = Server::start();
    let error = server.api().register("a!", "short").await.unwrap_err();
    let error = error.server().unwrap();
    assert_eq!(
        (error.status, error.code.as_str()),
        (Some(422), "validation_failed")
    );
    assert!(error.details["fields"]["username"].is_array());
    assert!(error.details["fields"]["password"].is_array());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burnt_refresh_token_revokes_its_family() {
    let server = Server::start();
    let session = server.api().guest(&Device::generate()).await.unwrap();
    let rotated = server.api().refresh(&session.refresh_token).await.unwrap();
    let reuse = server
        .api()
        .refresh(&session.refresh_token)
        .await
        .unwrap_err();
    assert_eq!(reuse.server().unwrap().status, Some(401));
    assert!(server.api().refresh(&rotated.refresh_token).await.is_err());
    assert!(
        Client::connect(&server.url, &rotated.access_token)
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sign_in_takes_over_and_says_so() {
    let server = Server::start();
    let first = server.guest().await;
    let second = Client::connect(&server.url, &first.token).await.unwrap();
    let told = first
        .client
        .next_of("session.revoked", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(told["reason"], "session_displaced");
    assert_eq!(first.client.closed(SOON).await.unwrap().code, Some(1008));
    second.heartbeat().await.unwrap();
}

/// Everybody gets an account, and meanwhile a socket is answered as if nothing happened.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_registrations_at_once_do_not_starve_the_socket() {
    let server = Server::start();
    let player = server.guest().await;
    let api = server.api();
    let register = |n: u32| {
        let api = api.clone();
        tokio::spawn(async move {
            api.timeout(Duration::from_secs(120))
                .register(&format!("player_{n}"), "secret123")
                .await
        })
    };
    let started = Instant::now();
    let all: Vec<_> = (0..200).map(register).collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let asked = Instant::now();
        player.client.heartbeat().await.unwrap();
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    for registration in all {
        registration.await.unwrap().unwrap();
    }
    println!(
        "200 registrations in {:?}, slowest heartbeat meanwhile {slowest:?}",
        started.elapsed()
    );
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let memory = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = memory
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 300 * 1024, "peak of {peak} KiB");
}
