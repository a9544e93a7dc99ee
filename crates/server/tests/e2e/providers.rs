//! Sign-in through providers and the gate, with the real binary set up by its environment.

use std::time::Duration;

use asobi_client::{Client, Error, Result};
use serde_json::{Value, json};

use crate::outside::{CLIENT_ID, Issuer, Key, Outside};
use crate::server::{GAME, Server, asobi, folder};

async fn post(server: &Server, path: &str, body: Value) -> Result<Value> {
    let path = format!("/api/v1/auth/{path}");
    server.api().post(&path, None, &body).await
}

#[track_caller]
fn refused(result: Result<Value>) -> (String, Value) {
    match result {
        Err(Error::Server(error)) => {
            let reason = error.details.get("reason").cloned();
            (error.code.clone(), reason.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_of_a_provider_plays() {
    let key = Key::rsa("1");
    let issuer = Issuer::start(&key).await;
    let settings = [
        ("ASOBI_OIDC__MY-IDP__ISSUER", issuer.url()),
        // Ids often look like numbers, and the environment has no quotes.
        (
            "ASOBI_OIDC__MY-IDP__CLIENT_IDS",
            format!("[12345, {CLIENT_ID}]"),
        ),
        ("ASOBI_OIDC__MY-IDP__CLIENT_SECRET", "12345".to_owned()),
        (
            "ASOBI_OIDC__PLAIN__ISSUER",
            "http://accounts.example".to_owned(),
        ),
        ("ASOBI_OIDC__PLAIN__CLIENT_ID", "12345".to_owned()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let server = Server::with(GAME, &settings);
    // A slip in one provider is said, and does not stop the others. Nobody was asked yet.
    let log = server.log();
    assert!(
        log.contains("plain") && log.contains("issuer must be https"),
        "{log}"
    );
    assert_eq!(issuer.server.asked(), 0);

    let token = issuer.token(&key, "42");
    let body = json!({"provider": "my-idp", "token": token});
    let first = post(&server, "oauth", body.clone()).await.unwrap();
    assert_eq!(first["created"], true);
    let access_token = first["access_token"].as_str().unwrap();
    Client::connect(&server.url, access_token).await.unwrap();
    let again = post(&server, "oauth", body).await.unwrap();
    assert_eq!(again["player_id"], first["player_id"]);

    let mut claims = issuer.claims("43");
    claims["aud"] = json!(12345.to_string());
    let body = json!({"provider": "my-idp", "token": key.sign(&claims)});
    post(&server, "oauth", body).await.unwrap();
    claims["exp"] = json!(0);
    let body = json!({"provider": "my-idp", "token": key.sign(&claims)});
    let answer = refused(post(&server, "oauth", body).await);
    assert_eq!(answer, ("auth.provider_rejected".into(), json!("expired")));
    let body = json!({"provider": "plain", "token": token});
    let answer = refused(post(&server, "oauth", body).await);
    assert_eq!(answer.0, "auth.unsupported_provider");

    // What was acknowledged is there after a crash.
    let mut server = server;
    server.kill_and_restart();
    let body = json!({"provider": "my-idp", "token": token});
    let back = post(&server, "oauth", body).await.unwrap();
    assert_eq!(back["player_id"], first["player_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_of_steam_comes_through_the_gate() {
    let outside = Outside::start().await;
    let holder = json!({"result": "OK", "steamid": "76561197960287930"});
    outside.answers(
        "/ISteamUserAuth/AuthenticateUserTicket/v1/",
        json!({"response": {"params": holder}}),
    );
    let gate = Outside::start().await;
    gate.answers("/", json!({"allow": true}));
    let settings = [
        ("ASOBI_STEAM__API_KEY", "1234567890"),
        ("ASOBI_STEAM__APP_ID", "480"),
        ("ASOBI_STEAM__API_URL", outside.url.as_str()),
        ("ASOBI_GATE__URL", gate.url.as_str()),
        ("ASOBI_GATE__TIMEOUT_MS", "500"),
    ];
    let server = Server::with(GAME, &settings);
    let body = json!({"provider": "steam", "token": "14", "gate_token": "proof"});
    post(&server, "oauth", body.clone()).await.unwrap();
    let question = gate.last();
    assert_eq!(question["ip"], "127.0.0.1");
    assert_eq!(question["path"], "/api/v1/auth/oauth");
    assert_eq!(question["token"], "proof");
    assert!(!server.log().contains("1234567890"));

    gate.answers("/", json!({"allow": false, "reason": "bot"}));
    let asked = outside.asked();
    let answer = refused(post(&server, "oauth", body.clone()).await);
    assert_eq!(answer, ("client_gate_denied".into(), json!("bot")));
    assert_eq!(outside.asked(), asked);
    gate.is_slow(Duration::from_secs(60));
    let answer = refused(post(&server, "oauth", body).await);
    let unavailable = json!("client_gate_unavailable");
    assert_eq!(answer, ("client_gate_denied".into(), unavailable));
}

/// The limiter comes first: a flood does not become one of the gate's.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_does_not_reach_the_gate() {
    let gate = Outside::start().await;
    gate.answers("/", json!({"allow": false}));
    let settings = [
        ("ASOBI_GATE__URL", gate.url.as_str()),
        ("ASOBI_LIMITS__AUTH_PER_SECOND", "2"),
    ];
    let server = Server::with(GAME, &settings);
    let device = json!({"device_id": "x", "device_secret": "x"});
    let mut codes = Vec::new();
    for _ in 0..20 {
        codes.push(refused(post(&server, "guest", device.clone()).await).0);
    }
    assert!(codes.iter().any(|code| code == "rate_limited"), "{codes:?}");
    let through = codes.iter().filter(|code| *code == "client_gate_denied");
    assert_eq!(through.count(), gate.asked());
}

#[test]
fn settings_outside_the_server_are_shown_without_their_secrets() {
    let folder = folder();
    let toml = "[oidc.google]\nissuer = \"https://accounts.google.com\"\nclient_id = 7\n\
                client_secret = \"hush\"\n[steam]\napp_id = 480\napi_key = \"hush\"\n";
    std::fs::write(folder.join("asobi.toml"), toml).unwrap();
    let mut command = asobi();
    command
        .arg("config")
        .current_dir(&folder)
        .env("ASOBI_OIDC__APPLE__ISSUER", "https://appleid.apple.com")
        .env("ASOBI_OIDC__GOOGLE__CLIENT_IDS", "[a, b]");
    let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
    for (key, value, source) in [
        (
            "oidc.google.issuer",
            "\"https://accounts.google.com\"",
            "asobi.toml",
        ),
        ("oidc.google.client_id ", "\"7\"", "asobi.toml"),
        ("oidc.google.client_ids", "[\"a\",\"b\"]", "ASOBI_"),
        ("oidc.google.client_secret", "(set)", "asobi.toml"),
        (
            "oidc.apple.issuer",
            "\"https://appleid.apple.com\"",
            "ASOBI_",
        ),
        ("steam.app_id", "\"480\"", "asobi.toml"),
        ("steam.api_key", "(set)", "asobi.toml"),
        ("gate.on_error", "\"deny\"", "default"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line.contains(value) && line.contains(source), "{line}");
    }
    assert!(!shown.contains("hush"), "{shown}");
    std::fs::write(folder.join("asobi.toml"), "[oidc.google]\nisuer = \"x\"\n").unwrap();
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("isuer"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_gate_at_no_address_does_not_leave_the_door_open() {
    let folder = folder();
    std::fs::write(folder.join("game/match.lua"), GAME).unwrap();
    let output = asobi()
        .arg("dev")
        .arg(folder.join("game"))
        .args(["--port", "0"])
        .current_dir(&folder)
        .env("ASOBI_GATE__URL", "captcha:9000")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("gate.url"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}
