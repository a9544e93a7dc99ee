//! Profiles, the erasure of an account, and guests who stay away.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use asobi_client::{Client, Device};
use asobi_wire::Code;
use serde_json::{Value, json};

use crate::server::{GAME, SOON, Server, asobi};

const PASSWORD: &str = "secret123";

/// A player with a password: id and token.
async fn register(server: &Server, name: &str) -> (String, String) {
    let session = server.api().register(name, PASSWORD).await.unwrap();
    (session.player_id, session.access_token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_there_for_everybody_signed_in() {
    let server = Server::start();
    let (ada, token) = register(&server, "ada").await;
    let (_, other) = register(&server, "bob").await;
    let profile = server.read(&format!("/players/{ada}"), &other).await.ok();
    assert_eq!(profile["id"], ada.as_str());
    assert_eq!(profile["username"], "ada");
    assert_eq!(profile["display_name"], "ada");
    assert_eq!(profile["avatar_url"], Value::Null);
    assert_eq!(profile["metadata"], json!({}));
    assert_eq!(profile["online"], false);
    assert_eq!(profile["last_seen_at"], Value::Null);
    let stats = json!({"games_played": 0, "wins": 0, "losses": 0, "rating": 1500.0});
    assert_eq!(profile["stats"], stats);
    let time = profile["inserted_at"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
    for secret in ["password_hash", "banned_at"] {
        assert_eq!(profile.get(secret), None);
    }
    assert_eq!(server.read("/players/me", &token).await.ok(), profile);

    let client = Client::connect(&server.url, &token).await.unwrap();
    assert_eq!(
        server.read("/players/me", &token).await.ok()["online"],
        true
    );
    client.close().await;

    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    for id in [
        nobody,
        "x",
        "%00",
        "%20",
        "bot_ada_01",
        &ada.to_uppercase(),
        "a%2Fb",
        &"x".repeat(5_000),
    ] {
        let answer = server.read(&format!("/players/{id}"), &other).await;
        answer.refused(Code::PlayerNotFound);
    }
    server
        .read("/players/%FF", &other)
        .await
        .refused(Code::NotFound);
    for token in ["", "nonsense"] {
        server
            .read("/players/me", token)
            .await
            .refused(Code::Unauthenticated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn players_change_their_own_profile_and_nothing_else() {
    let server = Server::start();
    let (ada, token) = register(&server, "ada").await;
    let (bob, _) = register(&server, "bob").await;
    let put = async |id: &str, body: Value| {
        server
            .rest("PUT", &format!("/players/{id}"), &token, body)
            .await
    };
    let metadata = json!({"rank": {"nul": "a\u{0}b"}, "list": [1, 2.5, null]});
    let changed = put(
        &ada,
        json!({"display_name": "  Ada L. ", "metadata": metadata}),
    )
    .await
    .ok();
    assert_eq!(changed["display_name"], "Ada L.");
    assert_eq!(changed["metadata"], metadata);
    let changed = put(
        "me",
        json!({"avatar_url": "https://a.b/c.png", "username": "eve"}),
    )
    .await
    .ok();
    assert_eq!(changed["avatar_url"], "https://a.b/c.png");
    assert_eq!(changed["display_name"], "Ada L.");
    assert_eq!(changed["username"], "ada");
    assert_eq!(put("me", json!({})).await.ok(), changed);
    let changed = put("me", json!({"avatar_url": null, "metadata": {}}))
        .await
        .ok();
    assert_eq!(changed["avatar_url"], Value::Null);
    assert_eq!(
        server.read(&format!("/players/{ada}"), &token).await.ok(),
        changed
    );

    for other in [
        bob.as_str(),
        "x",
        "%00",
        "01890a5d-ac96-774b-bcce-b302099a8057",
    ] {
        put(other, json!({"display_name": "Eve"}))
            .await
            .refused(Code::Forbidden);
    }
    let large = "x".repeat(17 * 1024);
    for (field, value) in [
        ("display_name", json!("")),
        ("display_name", json!("   ")),
        ("display_name", json!(null)),
        ("display_name", json!(7)),
        ("display_name", json!("a\u{0}b")),
        ("display_name", json!("\u{202E}ada")),
        ("display_name", json!("x".repeat(65))),
        ("display_name", json!("x".repeat(500_000))),
        ("avatar_url", json!("")),
        ("avatar_url", json!("http://a.b/c.png")),
        ("avatar_url", json!("https://a.b/\u{0}")),
        ("avatar_url", json!("javascript:alert(1)")),
        ("avatar_url", json!({})),
        ("avatar_url", json!(format!("https://a.b/{large}"))),
        ("metadata", json!(null)),
        ("metadata", json!([])),
        ("metadata", json!("{}")),
        ("metadata", json!({ "a": large })),
    ] {
        let details = put("me", json!({ field: value }))
            .await
            .refused(Code::ValidationFailed);
        for list in ["errors", "fields"] {
            assert!(details[list][field][0].is_string(), "{details}");
        }
    }
    let raw = async |body: &str| server.rest("PUT", "/players/me", &token, body).await;
    let deep = |n: usize| {
        format!(
            "{{\"metadata\":{}{}}}",
            "{\"a\":".repeat(n) + "1",
            "}".repeat(n)
        )
    };
    for (body, code) in [
        ("{", Code::InvalidJson),
        ("[]", Code::InvalidPayload),
        ("null", Code::InvalidPayload),
        ("{\"display_name\":\"\\ud800\"}", Code::InvalidJson),
        ("{\"metadata\":{\"a\":1e400}}", Code::InvalidJson),
        (&deep(10_000), Code::InvalidJson),
        (&" ".repeat(2 * 1024 * 1024), Code::PayloadTooLarge),
    ] {
        raw(body).await.refused(code);
    }
    raw(&deep(100)).await.ok();
    server
        .rest("PUT", "/players/me", "", "{}")
        .await
        .refused(Code::Unauthenticated);
    server
        .rest("DELETE", "/players/me", &token, "")
        .await
        .refused(Code::MethodNotAllowed);
}

/// A guest in the middle of a match and of the queue, with saves and objects.
#[tokio::test(flavor = "multi_thread")]
async fn an_erased_guest_is_out_of_everything_at_once_and_for_good() {
    let mut server = Server::start();
    let (a, b) = server.pair().await;
    server
        .rest("PUT", "/saves/one", &a.token, json!({"data": 1}))
        .await
        .ok();
    let open = json!({"value": 1, "read_perm": "public"});
    server
        .rest("PUT", "/storage/c/k", &a.token, open)
        .await
        .ok();
    server.read("/storage/c/k", &b.token).await.ok();

    let erased = server
        .rest("POST", "/players/me/erase", &a.token, "")
        .await
        .ok();
    assert_eq!(erased, json!({"deleted": true}));
    let told = a
        .client
        .next_of("session.revoked", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(told, json!({"reason": "account_erased"}));
    let close = a.client.closed(SOON).await.unwrap();
    assert_eq!(
        (close.code, close.reason.as_str()),
        (Some(1008), "account_erased")
    );
    b.state(|state| state["players"].get(&a.id).is_none()).await;

    server
        .read("/storage/c/k", &b.token)
        .await
        .refused(Code::StorageNotFound);
    server
        .read(&format!("/players/{}", a.id), &b.token)
        .await
        .refused(Code::PlayerNotFound);
    for restarted in [false, true] {
        if restarted {
            server.kill_and_restart();
        }
        for (method, path) in [
            ("GET", "/players/me"),
            ("PUT", "/players/me"),
            ("POST", "/players/me/erase"),
            ("GET", "/saves"),
            ("PUT", "/saves/one"),
            ("GET", "/storage/c/k"),
            ("PUT", "/storage/c/k"),
            ("DELETE", "/storage/c/k"),
        ] {
            let answer = server.rest(method, path, &a.token, "{}").await;
            assert_eq!(answer.status, 401, "{method} {path}");
            answer.refused(Code::Unauthenticated);
        }
        let error = Client::connect(&server.url, &a.token).await.unwrap_err();
        assert_eq!(error.code(), Some("unauthenticated"));
    }
    server.read("/players/me", &b.token).await.ok();
}

/// A client that hangs up while it is being erased is erased or not, and nothing in between.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_is_not_half_erased() {
    let server = Server::start();
    let address = server.url.strip_prefix("http://").unwrap();
    for n in 0..40 {
        let [guest] = server.guests().await;
        let request = format!(
            "POST /api/v1/players/me/erase HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-length: 0\r\n\r\n",
            guest.token
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        tokio::time::sleep(Duration::from_micros(200 * (n % 20))).await;
        drop(stream);
        tokio::time::sleep(Duration::from_millis(30)).await;
        // A token that counts, of a player there is not: for as long as the erasure takes.
        let deadline = Instant::now() + Duration::from_secs(10);
        while guest.get("/players/me").await.status == 404 {
            assert!(Instant::now() < deadline, "half erased");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_guest_was_erased_begins_anew() {
    let server = Server::start();
    let device = Device::generate();
    let first = server.api().guest(&device).await.unwrap();
    let token = &first.access_token;
    // A guest has no password, so none is asked for and none is looked at.
    let body = json!({"password": "whatever"});
    server
        .rest("POST", "/players/me/erase", token, body)
        .await
        .ok();
    assert!(server.api().refresh(&first.refresh_token).await.is_err());
    let second = server.api().guest(&device).await.unwrap();
    assert_ne!(first.player_id, second.player_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_password_confirms_with_it() {
    let server = Server::start();
    let (_, token) = register(&server, "ada").await;
    let elsewhere = server.api().login("ada", PASSWORD).await.unwrap();
    let erase = async |body: &str| server.rest("POST", "/players/me/erase", &token, body).await;
    for body in ["", "{}", "{\"password\":7}", "{\"password\":null}"] {
        let answer = erase(body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.refused(Code::MissingField)["field"], "password");
    }
    let limited = erase("{}").await;
    assert_eq!(limited.status, 400, "the fifth");
    let limited = erase("{}").await.refused(Code::RateLimited);
    assert!(limited["retry_after"].as_u64().unwrap() > 0);
    // The limit is the player's, not the address's.
    let (_, bob) = register(&server, "bob").await;
    server
        .rest("POST", "/players/me/erase", &bob, "{")
        .await
        .refused(Code::InvalidJson);
    server
        .rest("POST", "/players/me/erase", &bob, "[]")
        .await
        .refused(Code::InvalidPayload);
    let long = json!({"password": "x".repeat(100_000)});
    for wrong in [
        json!({"password": "secret124"}),
        json!({"password": "a\u{0}"}),
        long,
    ] {
        let answer = server.rest("POST", "/players/me/erase", &bob, wrong).await;
        assert_eq!(answer.status, 403);
        answer.refused(Code::PlayerConfirmationFailed);
    }
    server.read("/players/me", &bob).await.ok();
    let right = json!({"password": PASSWORD});
    server
        .rest("POST", "/players/me/erase", &bob, right)
        .await
        .ok();
    server
        .read("/players/me", &bob)
        .await
        .refused(Code::Unauthenticated);
    // The name is free again, and was somebody else's.
    assert!(server.api().login("bob", PASSWORD).await.is_err());
    let (_, again) = register(&server, "bob").await;
    server.read("/players/me", &again).await.ok();
    server
        .read("/players/me", &elsewhere.access_token)
        .await
        .ok();
    server
        .rest("POST", "/players/me/erase", "", "{}")
        .await
        .refused(Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_of_an_erased_player_ends() {
    let server = Server::start();
    let (_, token) = register(&server, "ada").await;
    let elsewhere = server.api().login("ada", PASSWORD).await.unwrap();
    let client = Client::connect(&server.url, &elsewhere.access_token)
        .await
        .unwrap();
    let body = json!({"password": PASSWORD});
    server
        .rest("POST", "/players/me/erase", &token, body)
        .await
        .ok();
    client.next_of("session.revoked", SOON).await.unwrap();
    server
        .read("/players/me", &elsewhere.access_token)
        .await
        .refused(Code::Unauthenticated);
    assert!(
        server
            .api()
            .refresh(&elsewhere.refresh_token)
            .await
            .is_err()
    );
}

/// The queue, too: whoever comes next waits for somebody who is there.
#[tokio::test(flavor = "multi_thread")]
async fn an_erased_player_waits_in_no_queue() {
    let server = Server::start();
    let (a, b) = (server.guest().await, server.guest().await);
    let queued = a.client.matchmaker_add("default").await.unwrap();
    server
        .rest("POST", "/players/me/erase", &a.token, "")
        .await
        .ok();
    let ticket = format!("/matchmaker/{}", queued.ticket_id);
    server
        .read(&ticket, &b.token)
        .await
        .refused(Code::MatchmakerTicketNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_who_stay_away_are_deleted_and_those_who_play_are_not() {
    let server = Server::with(
        GAME,
        &[
            ("ASOBI_GUEST_REAP_AFTER", " 1 "),
            ("ASOBI_GUEST__REAP_INTERVAL_SECONDS", "1"),
        ],
    );
    let playing = server.guest().await;
    let (_, player) = register(&server, "ada").await;
    let away = server.api().guest(&Device::generate()).await.unwrap();
    let deadline = Instant::now() + SOON;
    while server.read("/players/me", &away.access_token).await.status == 200 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.read("/players/me", &playing.token).await.ok();
    server.read("/players/me", &player).await.ok();
    let path = format!("/players/{}", away.player_id);
    server
        .read(&path, &player)
        .await
        .refused(Code::PlayerNotFound);
    assert!(server.log().contains("deleted guests who stayed away"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_outlive_a_change_of_pepper() {
    let (old, new) = ("o".repeat(40), "n".repeat(40));
    let mut server = Server::with(GAME, &[("ASOBI_GUEST__PEPPER", &old)]);
    let device = Device::generate();
    let before = server.api().guest(&device).await.unwrap();
    server.set("ASOBI_GUEST__PEPPER", &new);
    server.set("ASOBI_GUEST__PEPPER_ID", "v2");
    server.kill_and_restart();
    assert!(server.api().guest(&device).await.is_err());
    server.set("ASOBI_GUEST__OLD_PEPPERS__V1", &old);
    server.kill_and_restart();
    let after = server.api().guest(&device).await.unwrap();
    assert_eq!(before.player_id, after.player_id);
    // It is the new one's now.
    server.set("ASOBI_GUEST__OLD_PEPPERS__V1", "");
    server.kill_and_restart();
    let after = server.api().guest(&device).await.unwrap();
    assert_eq!(before.player_id, after.player_id);
}

#[test]
fn settings_of_the_original_are_understood_and_secrets_are_not_shown() {
    let shown = |variables: &[(&str, &str)]| {
        let output = asobi()
            .arg("config")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.success(), text)
    };
    let line = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (ok, text) = shown(&[
        ("ASOBI_DB_HOST", "db"),
        ("ASOBI_DB_PASSWORD", "hunter2[}"),
        ("ASOBI_GUEST_REAP_AFTER", "60"),
        ("ASOBI_GUEST__OLD_PEPPERS__V1", "top secret"),
    ]);
    assert!(ok, "{text}");
    assert!(
        !text.contains("hunter2") && !text.contains("top secret"),
        "{text}"
    );
    assert_eq!(
        line(&text, "database.url"),
        "database.url \"(set)\" ASOBI_DB_HOST and the like"
    );
    assert!(line(&text, "guest.reap_after_seconds").ends_with("60 ASOBI_GUEST_REAP_AFTER"));
    let pepper = line(&text, "guest.old_peppers.v1");
    assert!(
        pepper.starts_with("guest.old_peppers.v1 \"(set)\""),
        "{pepper}"
    );
    let (ok, text) = shown(&[("ASOBI_DB_HOST", "db"), ("ASOBI_DATABASE_URL", "sqlite:x")]);
    assert!(
        ok && line(&text, "database.url").contains("environment"),
        "{text}"
    );
    let (ok, text) = shown(&[("ASOBI_GUEST_REAP_AFTER", "soon")]);
    assert!(!ok && text.contains("reap_after_seconds"), "{text}");
    let (ok, text) = shown(&[("ASOBI_GUEST_REAP_AFTER", "")]);
    assert!(
        ok && line(&text, "guest.reap_after_seconds").contains(" 0 "),
        "{text}"
    );
}
