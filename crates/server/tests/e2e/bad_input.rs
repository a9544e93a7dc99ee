//! Bad input is normal: the answer is a clear error, the connection and the match live on.

use std::time::Duration;

use asobi_client::Client;
use serde_json::json;

use crate::server::{SOON, Server};

/// Frames that are wrong, each with the code it is answered with.
fn wrong_frames() -> Vec<(String, &'static str)> {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let mut frames: Vec<(String, &str)> = [
        ("{\"type\":\"match.join\",\"payload\":", "invalid_json"),
        ("not json at all", "invalid_json"),
        ("", "invalid_json"),
        ("[]", "invalid_message"),
        ("42", "invalid_message"),
        ("null", "invalid_message"),
        ("{\"type\":5}", "invalid_message"),
        ("{\"payload\":{}}", "invalid_message"),
        ("{\"type\":\"no.such.thing\"}", "unknown_type"),
        (
            "{\"type\":\"match.input\",\"payload\":[1]}",
            "invalid_payload",
        ),
        (
            "{\"type\":\"match.input\",\"payload\":\"text\"}",
            "invalid_payload",
        ),
        ("{\"type\":\"match.join\"}", "missing_field"),
        (
            "{\"type\":\"match.join\",\"payload\":{\"match_id\":7}}",
            "invalid_payload",
        ),
        (
            "{\"type\":\"match.join\",\"payload\":{\"match_id\":\"x\",\"ctx\":[1]}}",
            "ws.request_failed",
        ),
        (
            "{\"type\":\"matchmaker.add\",\"payload\":{\"mode\":7}}",
            "invalid_payload",
        ),
        (
            "{\"type\":\"matchmaker.add\",\"payload\":{\"properties\":3}}",
            "invalid_payload",
        ),
        (
            "{\"type\":\"matchmaker.remove\",\"payload\":{}}",
            "missing_field",
        ),
        (
            "{\"type\":\"vote.cast\",\"payload\":{\"vote_id\":\"v\",\"option_id\":1e400}}",
            "invalid_payload",
        ),
        (
            "{\"type\":\"vote.cast\",\"payload\":{\"vote_id\":\"v\",\"option_id\":{}}}",
            "ws.request_failed",
        ),
        (
            "{\"type\":\"session.connect\",\"payload\":{\"token\":[]}}",
            "unauthenticated",
        ),
    ]
    .into_iter()
    .map(|(text, code)| (text.to_owned(), code))
    .collect();
    frames.push((
        format!("{{\"type\":\"vote.cast\",\"payload\":{deep}}}"),
        "invalid_payload",
    ));
    frames.push((deep, "invalid_message"));
    frames
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_frame_has_its_code_and_the_connection_lives_on() {
    let server = Server::with(
        crate::server::GAME,
        &[("ASOBI_LIMITS__WS_MESSAGES_PER_SECOND", "0")],
    );
    let (a, b) = server.pair().await;
    for (text, code) in wrong_frames() {
        let shown: String = text.chars().take(80).collect();
        a.client.send_text(text).unwrap();
        let error = a
            .client
            .next_of("error", SOON)
            .await
            .unwrap()
            .error()
            .unwrap();
        assert_eq!(error.code, code, "{shown}");
    }
    a.client.send_binary(vec![0, 159, 146, 150]).unwrap();
    let error = a
        .client
        .next_of("error", SOON)
        .await
        .unwrap()
        .error()
        .unwrap();
    assert_eq!(error.reason, "binary_uplink_unsupported");
    a.input(json!({"move": 1}));
    b.state(|state| state["players"][&a.id]["x"] == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_every_shape_leave_the_match_alive() {
    let server = Server::with(
        crate::server::GAME,
        &[("ASOBI_LIMITS__WS_MESSAGES_PER_SECOND", "0")],
    );
    let (a, b) = server.pair().await;
    for input in [
        "{\"move\":1e308}",
        "{\"move\":-1e308}",
        "{\"move\":\"NaN\"}",
        "{\"move\":null}",
        "{\"move\":[[]]}",
        "{\"move\":123456789012345678901234567890}",
        "{\"\\u0000\":1}",
        "{\"say\":\"\\ud800\"}",
        "{}",
    ] {
        a.client
            .send_text(format!("{{\"type\":\"match.input\",\"payload\":{input}}}"))
            .unwrap();
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    a.client
        .send_text(format!("{{\"type\":\"match.input\",\"payload\":{deep}}}"))
        .unwrap();
    b.input(json!({"move": 4}));
    b.at(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_client_gets_nothing_but_errors() {
    let server = Server::start();
    let client = Client::open(&server.url, Default::default()).await.unwrap();
    client.heartbeat().await.unwrap();
    for kind in ["match.input", "matchmaker.add", "vote.cast", "match.leave"] {
        let error = client.request(kind, &json!({})).await.unwrap_err();
        assert_eq!(error.code(), Some("unauthenticated"), "{kind}");
    }
}

/// Noise on one connection, and what another sees of it.
#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_kilobytes_of_noise_delay_nobody() {
    let server = Server::with(
        crate::server::GAME,
        &[("ASOBI_LIMITS__WS_MESSAGES_PER_SECOND", "0")],
    );
    let (a, _b) = server.pair().await;
    let noisy = server.guest().await;
    let mut seed = 7_u64;
    let mut noise = || {
        (0..64 * 1024)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b' ' + (seed >> 33) as u8 % 94)
            })
            .collect::<String>()
    };
    for _ in 0..50 {
        noisy.client.send_text(noise()).unwrap();
    }
    // Bytes that are no WebSocket frame at all.
    let broken = server.guest().await;
    broken.client.send_bytes(vec![0xff; 4_096]).unwrap();
    a.client.take_events();
    let first = a.state(|_| true).await["ticks"].as_i64().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    a.client.take_events();
    let ticks = a.state(|_| true).await["ticks"].as_i64().unwrap() - first;
    assert!(ticks >= 34, "{ticks} ticks of 50 ms in 2 s");
    noisy.client.take_events();
    noisy.client.heartbeat().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_answers_bad_requests_with_the_one_error_object() {
    let server = Server::start();
    let api = server.api();
    let code = |answer: Result<serde_json::Value, asobi_client::Error>| {
        answer.unwrap_err().code().map(str::to_owned).unwrap()
    };
    assert_eq!(
        code(api.get("/api/v1/no/such/thing", None).await),
        "not_found"
    );
    assert_eq!(
        code(api.get("/api/v1/matches", None).await),
        "unauthenticated"
    );
    assert_eq!(
        code(api.get("/api/v1/matches", Some("not.a.token")).await),
        "unauthenticated"
    );
    assert_eq!(
        code(api.get("/api/v1/auth/login", None).await),
        "method_not_allowed"
    );
    assert_eq!(
        code(api.post("/api/v1/auth/login", None, &json!([])).await),
        "invalid_payload"
    );
    assert_eq!(
        code(
            api.post("/api/v1/auth/login", None, &json!({"username": 1}))
                .await
        ),
        "missing_field"
    );
    let huge = json!({"username": "x".repeat(2 * 1024 * 1024), "password": "p"});
    assert_eq!(
        code(api.post("/api/v1/auth/login", None, &huge).await),
        "payload_too_large"
    );
}
