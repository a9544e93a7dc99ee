//! The gate before new players, and one that runs here.

use std::time::{Duration, Instant};

use asobi_wire::Code;
use serde_json::{Value, json};

use super::harness::{Answer, PASSWORD, Server, credentials, device};
use super::outside::Outside;
use crate::config::GateFailure;

async fn start() -> (Outside, Server) {
    let gate = Outside::start().await;
    gate.answers("/verify", json!({"allow": true}));
    let server = with(&gate, GateFailure::Deny).await;
    (gate, server)
}

async fn with(gate: &Outside, on_error: GateFailure) -> Server {
    Server::with(|config| {
        config.gate.url = format!("{}/verify", gate.url);
        config.gate.timeout_ms = 300;
        config.gate.on_error = on_error;
    })
    .await
}

#[track_caller]
fn denied(answer: Answer, reason: &str) {
    let body = answer.refused(Code::ClientGateDenied);
    assert_eq!(body["reason"], reason);
    assert_eq!(body["error"]["details"]["reason"], reason);
}

#[tokio::test]
async fn whom_the_gate_lets_through_comes_in() {
    let (gate, server) = start().await;
    let mut body = credentials("ada");
    body["client_gate_token"] = json!("proof");
    server.post("register", body).await.ok();
    let question = gate.last();
    assert_eq!(question["path"], "/api/v1/auth/register");
    assert_eq!(question["token"], "proof");
    assert_eq!(question["headers"]["host"], "localhost");
    assert!(question["ip"].is_string());
    server.guest(device("phone", 1)).await.ok();
    assert_eq!(gate.last()["path"], "/api/v1/auth/guest");
    assert_eq!(gate.last()["token"], "");
    let body = json!({"provider": "google", "token": "x"});
    let answer = server.post("oauth", body).await;
    answer.refused(Code::UnsupportedProvider);
    assert_eq!(gate.last()["path"], "/api/v1/auth/oauth");
    assert_eq!(gate.asked(), 3);
    // Those who have an account are nobody's business.
    let ada = server.login("ada").await.ok();
    server.refresh(&ada).await.ok();
    assert_eq!(gate.asked(), 3);
}

#[tokio::test]
async fn whom_the_gate_turns_away_costs_nothing_and_learns_why() {
    let (gate, server) = start().await;
    gate.answers(
        "/verify",
        json!({"allow": false, "reason": "captcha_failed"}),
    );
    denied(server.register("ada").await, "captcha_failed");
    denied(server.guest(device("phone", 1)).await, "captcha_failed");
    // The gate comes first, whatever else is wrong.
    denied(server.send("register", None, "{").await, "captcha_failed");
    assert_eq!(server.accounts.peak_hashes(), 0);
    assert_eq!(server.count_players().await, 0);
    for reason in [
        json!(null),
        json!(7),
        json!("a\u{202E}"),
        json!("x".repeat(129)),
    ] {
        gate.answers("/verify", json!({"allow": false, "reason": reason}));
        denied(server.register("ada").await, "denied");
    }
}

#[tokio::test]
async fn the_gate_gets_no_secret() {
    let (gate, server) = start().await;
    let token = server.register("ada").await.ok()["access_token"].clone();
    let pair = device("phone", 1);
    let answer = server
        .post_as(token.as_str().unwrap(), "guest", pair.clone())
        .await;
    answer.ok();
    let seen = gate.last().to_string();
    assert!(seen.contains("/api/v1/auth/guest"), "{seen}");
    let secrets = [&pair["device_secret"], &pair["device_id"], &token];
    for secret in secrets.map(|secret| secret.as_str().unwrap()) {
        assert!(!seen.contains(secret), "{seen}");
    }
    server.register("bob").await.ok();
    let seen = gate.last().to_string();
    assert!(!seen.contains(PASSWORD) && !seen.contains("bob"), "{seen}");
}

/// Every way a gate can fail, and what each setting makes of it.
#[tokio::test]
async fn a_gate_that_fails_is_what_the_operator_says() {
    for on_error in [GateFailure::Deny, GateFailure::Skip] {
        let gate = Outside::start().await;
        let server = with(&gate, on_error).await;
        let mut number = 0;
        let mut check = async |server: &Server| {
            number += 1;
            let answer = server.register(&format!("player{number}")).await;
            match on_error {
                GateFailure::Deny => denied(answer, "client_gate_unavailable"),
                GateFailure::Skip => assert_eq!(answer.status, 200, "{}", answer.body),
            }
        };
        let answers: [(u16, Value); 7] = [
            (404, json!({"allow": true})),
            (500, json!({"allow": true})),
            (201, json!({"allow": true})),
            (200, json!({})),
            (200, json!({"allow": "true"})),
            (200, json!([true])),
            (200, json!({"allow": true, "pad": "x".repeat(300_000)})),
        ];
        for (status, body) in answers {
            gate.answers_with("/verify", status, body);
            check(&server).await;
        }
        gate.answers("/verify", "<html>");
        check(&server).await;
        let yes = Outside::start().await;
        yes.answers("/", json!({"allow": true}));
        gate.redirects("/verify", yes.url.clone());
        check(&server).await;
        assert_eq!(yes.asked(), 0);
        gate.answers("/verify", json!({"allow": true}));
        gate.is_slow(Duration::from_secs(60));
        let asked = Instant::now();
        check(&server).await;
        assert!(asked.elapsed() < Duration::from_secs(2));
        let server = server
            .restarted_with(|config| config.gate.url = "http://127.0.0.1:1".into())
            .await;
        check(&server).await;
    }
}

#[tokio::test]
async fn a_body_over_the_limit_stays_one() {
    let (gate, server) = start().await;
    let body = format!(r#"{{"username": "{}"}}"#, "x".repeat(3 << 20));
    let answer = server.send("register", None, &body).await;
    answer.refused(Code::PayloadTooLarge);
    assert_eq!(gate.asked(), 0);
}
