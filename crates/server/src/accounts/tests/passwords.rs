//! Register and login.

use std::time::{Duration, Instant};

use asobi_wire::Code;
use futures_util::future::join_all;
use sea_orm::EntityTrait;
use serde_json::json;

use super::harness::{PASSWORD, Server, credentials, device};
use crate::accounts::entities::player_stats;

#[tokio::test]
async fn a_new_player_is_signed_in() {
    let server = Server::start().await;
    let body = server.register("ada").await.ok();
    assert_eq!(body["username"], "ada");
    assert_eq!(body["session_token"], body["access_token"]);
    assert!(body["refresh_token"].is_string());
    for flag in ["created", "guest", "upgraded"] {
        assert_eq!(body.get(flag), None, "{flag}");
    }

    let token = body["access_token"].as_str().unwrap();
    let caller = server.accounts.verify(token).unwrap();
    assert_eq!(caller.player.as_str(), body["player_id"]);

    let player = server.player(&body).await;
    assert_eq!(player.display_name, "ada");
    assert!(player.password_hash.unwrap().starts_with("$argon2id$"));
    let stats = player_stats::Entity::find_by_id(player.id)
        .one(server.db.read())
        .await
        .unwrap();
    assert!(stats.is_some());
}

#[tokio::test]
async fn a_display_name_is_trimmed_and_checked() {
    let server = Server::start().await;
    let register = |name: &str, display_name| {
        let mut body = credentials(name);
        body["display_name"] = display_name;
        server.post("register", body)
    };
    let body = register("ada", json!("  Ada Lovelace ")).await.ok();
    assert_eq!(server.player(&body).await.display_name, "Ada Lovelace");
    let body = register("bob", json!(null)).await.ok();
    assert_eq!(server.player(&body).await.display_name, "bob");

    for bad in [
        json!(" "),
        json!("a\u{202E}b"),
        json!("a\0"),
        json!(7),
        json!("x".repeat(65)),
    ] {
        let body = register("eve", bad).await.refused(Code::ValidationFailed);
        assert!(body["fields"]["display_name"][0].is_string(), "{body}");
    }
}

#[tokio::test]
async fn a_bad_registration_is_explained() {
    let server = Server::start().await;
    for body in [
        json!({}),
        json!({"username": "ada"}),
        json!({"username": 7, "password": "x"}),
    ] {
        server
            .post("register", body)
            .await
            .refused(Code::MissingField);
    }
    server
        .send("register", None, "{")
        .await
        .refused(Code::InvalidJson);
    let body = server
        .post("register", json!({"username": "a b", "password": "short"}))
        .await
        .refused(Code::ValidationFailed);
    let fields = &body["error"]["details"]["fields"];
    assert!(fields["username"][0].is_string());
    assert!(fields["password"][0].is_string());
    assert_eq!(&body["fields"], fields);
    assert_eq!(server.count_players().await, 0);
}

#[tokio::test]
async fn one_username_has_one_player_however_close_the_race() {
    let server = Server::start().await;
    let answers = join_all((0..8).map(|_| server.register("ada"))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|one| one.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.refused(Code::UsernameTaken);
    }
    assert_eq!(server.count_players().await, 1);
}

#[tokio::test]
async fn who_may_register_is_the_operators_and_then_the_games_to_say() {
    let server = Server::start().await;
    server.register("ada").await.ok();
    server.accounts.set_game(true, Some("oauth_only".into()));
    server
        .register("bob")
        .await
        .refused(Code::PasswordRegistrationDisabled);
    server.accounts.set_game(true, Some("closed".into()));
    server
        .register("bob")
        .await
        .refused(Code::RegistrationClosed);
    server.login("ada").await.ok();

    let server = Server::with(|config| config.auth.registration = "closed".into()).await;
    server.accounts.set_game(true, Some("open".into()));
    server
        .register("bob")
        .await
        .refused(Code::RegistrationClosed);
}

#[tokio::test]
async fn a_player_logs_in_with_their_password_only() {
    let server = Server::start().await;
    let registered = server.register("ada").await.ok();
    let body = server.login("ada").await.ok();
    assert_eq!(body["player_id"], registered["player_id"]);
    assert_eq!(body["session_token"], body["access_token"]);
    assert_ne!(body["access_token"], registered["access_token"]);

    let guest = server.guest(device("phone", 1)).await.ok();
    let strangers = [
        json!({"username": "ada", "password": "wrong horse"}),
        json!({"username": "ADA", "password": PASSWORD}),
        json!({"username": "nobody", "password": PASSWORD}),
        json!({"username": "ada\0", "password": PASSWORD}),
        json!({"username": "", "password": ""}),
        json!({"username": "x".repeat(100_000), "password": "x".repeat(100_000)}),
        json!({"username": guest["username"], "password": ""}),
    ];
    for body in strangers {
        server
            .post("login", body)
            .await
            .refused(Code::InvalidCredentials);
    }
    server
        .post("login", json!({"username": "ada"}))
        .await
        .refused(Code::MissingField);
}

#[tokio::test]
async fn a_banned_player_stays_out() {
    let server = Server::start().await;
    server.register("ada").await.ok();
    server.sql("UPDATE players SET banned_at = 1").await;
    server.login("ada").await.refused(Code::Forbidden);
    // Whoever does not know the password does not learn of the ban.
    server
        .post("login", json!({"username": "ada", "password": "wrong"}))
        .await
        .refused(Code::InvalidCredentials);
}

#[tokio::test]
async fn too_many_at_once_are_told_to_come_back() {
    let server = Server::with(|config| {
        config.auth.hashing_queue = 1;
        config.auth.hash_memory_kib = 4_096;
    })
    .await;
    let names: Vec<_> = (0..20).map(|n| format!("player{n}")).collect();
    let answers = join_all(names.iter().map(|name| server.register(name))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|one| one.status == 200);
    assert!(!won.is_empty() && !lost.is_empty());
    for answer in lost {
        let body = answer.refused(Code::RateLimited);
        assert!(body["retry_after"].as_u64() > Some(0));
    }
}

/// 200 at once: all are served in the end, few hashes are computed at a time, and who wants
/// something else meanwhile hardly waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rush_of_registrations_is_served_without_starving_others() {
    const RUSH: usize = 200;
    let server = Server::with(|config| {
        config.auth.hashing_threads = 2;
        config.auth.hash_memory_kib = 1_024;
    })
    .await;
    let names: Vec<_> = (0..RUSH).map(|n| format!("player{n}")).collect();
    let rush = join_all(names.iter().map(|name| server.register(name)));
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let asked = Instant::now();
            let unknown = json!({"refresh_token": "unknown"});
            let answer = server.post("refresh", unknown).await;
            answer.refused(Code::Unauthenticated);
            slowest = slowest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        slowest
    };
    let (answers, slowest) = tokio::join!(rush, others);
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(server.count_players().await, RUSH as u64);
    assert!((1..=2).contains(&server.accounts.peak_hashes()));
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
