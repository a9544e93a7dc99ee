//! Guests and their upgrade.

use asobi_wire::Code;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::harness::{PASSWORD, Server, credentials, device};
use crate::config::Config;

fn token(signed_in: &Value) -> &str {
    signed_in["access_token"].as_str().unwrap()
}

#[tokio::test]
async fn a_device_is_the_same_guest_every_time() {
    let server = Server::start().await;
    let first = server.guest(device("phone", 1)).await.ok();
    assert_eq!(first["created"], true);
    assert_eq!(first["guest"], true);
    assert_eq!(first["session_token"], first["access_token"]);
    let name = first["username"].as_str().unwrap();
    assert!(name.starts_with("guest_") && name.len() == 22, "{name}");

    let second = server.guest(device("phone", 1)).await.ok();
    assert_eq!(second["player_id"], first["player_id"]);
    assert_eq!(second["guest"], true);
    assert_eq!(second.get("created"), None);

    let other = server.guest(device("tablet", 1)).await.ok();
    assert_ne!(other["player_id"], first["player_id"]);
    assert_eq!(server.count_players().await, 2);
}

#[tokio::test]
async fn a_wrong_secret_neither_enters_nor_creates() {
    let server = Server::start().await;
    server.guest(device("phone", 1)).await.ok();
    server
        .guest(device("phone", 2))
        .await
        .refused(Code::GuestInvalidDeviceSecret);
    assert_eq!(server.count_players().await, 1);
    server.guest(device("phone", 1)).await.ok();
}

#[tokio::test]
async fn guests_need_the_games_word_and_the_operators_pepper() {
    let server = Server::start().await;
    server.accounts.set_game(false, None);
    server
        .guest(device("phone", 1))
        .await
        .refused(Code::GuestDisabled);

    for pepper in ["", "short"] {
        let server = Server::with(|config| config.guest.pepper = pepper.to_owned().into()).await;
        server
            .guest(device("phone", 1))
            .await
            .refused(Code::GuestDisabled);
    }
}

#[tokio::test]
async fn a_malformed_device_is_refused() {
    let server = Server::start().await;
    for body in [
        json!({}),
        json!({"device_id": "phone"}),
        json!({"device_id": 1, "device_secret": "x"}),
    ] {
        server.guest(body).await.refused(Code::MissingField);
    }
    for secret in ["", "c2hvcnQ=", "not base64!", &"A".repeat(2_000)] {
        server
            .guest(json!({"device_id": "phone", "device_secret": secret}))
            .await
            .refused(Code::GuestWeakDeviceSecret);
    }
    for id in ["", "a\0b", &"x".repeat(256)] {
        server
            .guest(device(id, 1))
            .await
            .refused(Code::GuestInvalidDeviceId);
    }
    assert_eq!(server.count_players().await, 0);
}

#[tokio::test]
async fn a_closed_server_still_knows_its_guests() {
    let server = Server::start().await;
    server.guest(device("phone", 1)).await.ok();
    server.accounts.set_game(true, Some("oauth_only".into()));
    server.guest(device("tablet", 1)).await.ok();
    server.accounts.set_game(true, Some("closed".into()));
    server.guest(device("phone", 1)).await.ok();
    server
        .guest(device("new", 1))
        .await
        .refused(Code::RegistrationClosed);
}

#[tokio::test]
async fn a_credential_can_be_revoked_and_a_guest_banned() {
    let server = Server::start().await;
    server.guest(device("phone", 1)).await.ok();
    server.sql("UPDATE players SET banned_at = 1").await;
    server
        .guest(device("phone", 1))
        .await
        .refused(Code::Forbidden);

    server.sql("UPDATE players SET password_hash = 'x'").await;
    server
        .guest(device("phone", 1))
        .await
        .refused(Code::GuestAlreadyUpgraded);

    // As an operator would: the original keeps the flag in the verifier.
    let revoke = "UPDATE player_identities SET provider_metadata = \
         CAST(REPLACE(CAST(provider_metadata AS TEXT), 'false', 'true') AS JSON)";
    let revoke = match server.db.read().get_database_backend() {
        sea_orm::DbBackend::Postgres => revoke.to_owned(),
        _ => revoke.replace(" AS JSON)", " AS TEXT)"),
    };
    server.sql(&revoke).await;
    server
        .guest(device("phone", 1))
        .await
        .refused(Code::GuestRevoked);
}

/// The operator takes another pepper and keeps the one of before: guests go over to the new one
/// as they come, and then the old one can go.
#[tokio::test]
async fn guests_outlive_their_pepper() {
    let server = Server::start().await;
    let guest = server.guest(device("phone", 1)).await.ok();
    let late = server.guest(device("tablet", 2)).await.ok();
    let rotate = |config: &mut Config| {
        let old = std::mem::replace(&mut config.guest.pepper, "q".repeat(32).into());
        config.guest.pepper_id = "v2".into();
        config.guest.old_peppers = [("V1".to_owned(), old)].into();
    };
    let rotated = server.restarted_with(rotate).await;
    for _ in 0..2 {
        let back = rotated.guest(device("phone", 1)).await.ok();
        assert_eq!(back["player_id"], guest["player_id"]);
        let verifier = &rotated.identity(&back).await.provider_metadata;
        assert_eq!(verifier["key_id"], "v2");
    }
    rotated
        .guest(device("phone", 2))
        .await
        .refused(Code::GuestInvalidDeviceSecret);
    let verifier = &rotated.identity(&late).await.provider_metadata;
    assert_eq!(verifier["key_id"], "v1");

    let without = |config: &mut Config| {
        rotate(config);
        config.guest.old_peppers = Default::default();
    };
    let after = server.restarted_with(without).await;
    let back = after.guest(device("phone", 1)).await.ok();
    assert_eq!(back["player_id"], guest["player_id"]);
    after
        .guest(device("tablet", 2))
        .await
        .refused(Code::GuestInvalidDeviceSecret);
}

#[tokio::test]
async fn nobody_is_let_in_uncounted() {
    let server = Server::start().await;
    server.accounts.check_room_for_guests().await.unwrap();
    // What was counted a moment ago is believed.
    server
        .sql("ALTER TABLE player_identities RENAME TO away")
        .await;
    server.accounts.check_room_for_guests().await.unwrap();
    let again = server.restarted_with(|_| {}).await;
    let error = again.accounts.check_room_for_guests().await.unwrap_err();
    assert_eq!(error.code, Code::GuestUnavailable);
}

/// A device whose player was erased a moment ago is a new one.
#[tokio::test]
async fn an_erased_guests_device_begins_anew() {
    let server = Server::start().await;
    let guest = server.guest(device("phone", 1)).await.ok();
    server.sql("DELETE FROM players").await;
    let again = server.guest(device("phone", 2)).await.ok();
    assert_eq!(again["created"], true);
    assert_ne!(again["player_id"], guest["player_id"]);
}

#[tokio::test]
async fn too_many_new_guests_wait() {
    let server = Server::with(|config| config.guest.creations_per_second = 1).await;
    server.guest(device("one", 1)).await.ok();
    let body = server
        .guest(device("two", 1))
        .await
        .refused(Code::GuestRateLimited);
    assert_eq!(body["retry_after"], 5);
    server.guest(device("one", 1)).await.ok();
}

#[tokio::test]
async fn there_is_room_for_so_many_guests_until_one_becomes_a_player() {
    let server = Server::with(|config| config.guest.max_unclaimed = 2).await;
    let first = server.guest(device("one", 1)).await.ok();
    server.guest(device("two", 1)).await.ok();
    server
        .guest(device("three", 1))
        .await
        .refused(Code::GuestCapacityReached);
    server.guest(device("two", 1)).await.ok();
    server
        .post_as(token(&first), "guest/upgrade", credentials("ada"))
        .await
        .ok();
    server.guest(device("three", 1)).await.ok();
}

#[tokio::test]
async fn a_device_that_comes_many_times_at_once_is_one_guest() {
    let server = Server::start().await;
    let answers = join_all((0..16).map(|_| server.guest(device("phone", 1)))).await;
    let bodies: Vec<_> = answers.into_iter().map(|answer| answer.ok()).collect();
    let created = bodies.iter().filter(|body| body["created"] == true).count();
    assert_eq!(created, 1);
    assert!(
        bodies
            .iter()
            .all(|body| body["player_id"] == bodies[0]["player_id"])
    );
    assert_eq!(server.count_players().await, 1);
}

#[tokio::test]
async fn of_many_secrets_for_a_new_device_one_wins() {
    let server = Server::start().await;
    let answers = join_all((0..16).map(|byte| server.guest(device("phone", byte)))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|one| one.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.refused(Code::GuestInvalidDeviceSecret);
    }
    assert_eq!(server.count_players().await, 1);
}

#[tokio::test]
async fn an_upgrade_keeps_the_player_and_ends_what_was_before() {
    let server = Server::start().await;
    let guest = server.guest(device("phone", 1)).await.ok();
    let elsewhere = server.guest(device("phone", 1)).await.ok();
    let player = server
        .post_as(token(&guest), "guest/upgrade", credentials("ada"))
        .await
        .ok();
    assert_eq!(player["player_id"], guest["player_id"]);
    assert_eq!(player["username"], "ada");
    assert_eq!(player["upgraded"], true);
    assert_eq!(player["session_token"], player["access_token"]);
    assert_eq!(server.player(&player).await.display_name, "ada");

    for before in [&guest, &elsewhere] {
        assert!(!server.accepts(before));
        server.refresh(before).await.refused(Code::Unauthenticated);
    }
    assert!(server.accepts(&player));
    server.refresh(&player).await.ok();
    let login = server.login("ada").await.ok();
    assert_eq!(login["player_id"], guest["player_id"]);

    // The device is nobody's now: it may begin anew, but not as this player.
    let stranger = server.guest(device("phone", 1)).await.ok();
    assert_eq!(stranger["created"], true);
    assert_ne!(stranger["player_id"], guest["player_id"]);

    let again = server.restarted().await;
    assert!(!again.accepts(&guest) && again.accepts(&player));
}

#[tokio::test]
async fn a_display_name_of_their_own_outlives_the_upgrade() {
    let server = Server::start().await;
    let guest = server.guest(device("phone", 1)).await.ok();
    server
        .sql("UPDATE players SET display_name = 'Ada L.'")
        .await;
    let player = server
        .post_as(token(&guest), "guest/upgrade", credentials("ada"))
        .await
        .ok();
    assert_eq!(server.player(&player).await.display_name, "Ada L.");
}

#[tokio::test]
async fn a_refused_upgrade_leaves_the_guest_a_guest() {
    let server = Server::start().await;
    server.register("taken").await.ok();
    let guest = server.guest(device("phone", 1)).await.ok();
    let upgrade = |body| server.post_as(token(&guest), "guest/upgrade", body);

    upgrade(json!({"username": "ada"}))
        .await
        .refused(Code::MissingField);
    let body = upgrade(json!({"username": "a", "password": PASSWORD}))
        .await
        .refused(Code::ValidationFailed);
    assert!(body["fields"]["username"][0].is_string());
    upgrade(credentials("taken"))
        .await
        .refused(Code::UsernameTaken);
    server.sql("UPDATE players SET banned_at = 1").await;
    upgrade(credentials("ada")).await.refused(Code::Forbidden);
    server.sql("UPDATE players SET banned_at = NULL").await;

    assert!(server.accepts(&guest));
    let resumed = server.guest(device("phone", 1)).await.ok();
    assert_eq!(resumed["username"], guest["username"]);
    server.refresh(&guest).await.ok();
}

#[tokio::test]
async fn only_an_unclaimed_guest_can_be_upgraded() {
    let server = Server::start().await;
    server
        .post("guest/upgrade", credentials("ada"))
        .await
        .refused(Code::Unauthenticated);

    let player = server.register("bob").await.ok();
    let upgrade = || server.post_as(token(&player), "guest/upgrade", credentials("ada"));
    upgrade().await.refused(Code::GuestNotUnclaimed);

    // Who came through a provider has no password, and no device either.
    server.sql("UPDATE players SET password_hash = NULL").await;
    upgrade().await.refused(Code::GuestNotUnclaimed);
    server.sql("DELETE FROM players").await;
    upgrade().await.refused(Code::PlayerNotFound);
}

#[tokio::test]
async fn of_two_upgrades_at_once_one_wins() {
    let server = Server::start().await;
    let guest = server.guest(device("phone", 1)).await.ok();
    let upgrade = |name| server.post_as(token(&guest), "guest/upgrade", credentials(name));
    let answers = join_all(["ada", "bob", "cleo", "dora"].map(upgrade)).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|one| one.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        // Late enough, the token itself counts no longer.
        assert!([401, 409].contains(&answer.status), "{}", answer.body);
    }
    assert!(server.accepts(&won[0].body));
    let name = won[0].body["username"].as_str().unwrap();
    server.login(name).await.ok();
    assert_eq!(server.count_players().await, 1);
}

/// A device that signs in while its guest is being claimed gets nothing that outlives the claim.
#[tokio::test]
async fn no_session_slips_past_an_upgrade() {
    let server = Server::start().await;
    for round in 0..10 {
        let id = format!("phone{round}");
        let guest = server.guest(device(&id, 1)).await.ok();
        let name = format!("player{round}");
        let upgrade = server.post_as(token(&guest), "guest/upgrade", credentials(&name));
        let (upgraded, resumed) = tokio::join!(upgrade, server.guest(device(&id, 1)));
        let player = upgraded.ok();
        let same = resumed.body["player_id"] == player["player_id"];
        if resumed.status == 200 && same {
            assert!(!server.accepts(&resumed.body));
        }
    }
}

#[tokio::test]
async fn another_pepper_knows_no_guest_of_before() {
    let server = Server::start().await;
    server.guest(device("phone", 1)).await.ok();
    let other = server
        .restarted_with(|config| config.guest.pepper = "q".repeat(32).into())
        .await;
    other
        .guest(device("phone", 1))
        .await
        .refused(Code::GuestInvalidDeviceSecret);
    assert_eq!(other.count_players().await, 1);
}
