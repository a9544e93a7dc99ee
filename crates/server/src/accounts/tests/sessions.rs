//! Refresh, logout, and what a token is worth.

use asobi_wire::Code;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::harness::{Server, credentials};
use crate::accounts::entities::{refresh_tokens, revoked_families};
use crate::accounts::pruning::prune;
use crate::clock::now_ms;

#[tokio::test]
async fn refreshing_hands_out_the_next_pair() {
    let server = Server::start().await;
    let first = server.register("ada").await.ok();
    let second = server.refresh(&first).await.ok();
    assert_eq!(second["session_token"], second["access_token"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(second["player_id"], first["player_id"]);
    assert!(server.accepts(&first) && server.accepts(&second));
    server.refresh(&second).await.ok();
}

#[tokio::test]
async fn a_refresh_token_used_twice_ends_its_family_and_no_other() {
    let server = Server::start().await;
    let stolen = server.register("ada").await.ok();
    let elsewhere = server.login("ada").await.ok();
    let thief = server.refresh(&stolen).await.ok();

    server.refresh(&stolen).await.refused(Code::Unauthenticated);
    server.refresh(&thief).await.refused(Code::Unauthenticated);
    assert!(!server.accepts(&thief) && !server.accepts(&stolen));

    assert!(server.accepts(&elsewhere));
    server.refresh(&elsewhere).await.ok();
}

#[tokio::test]
async fn of_many_refreshes_at_once_at_most_one_succeeds() {
    let server = Server::start().await;
    let first = server.register("ada").await.ok();
    let answers = join_all((0..8).map(|_| server.refresh(&first))).await;
    let won: Vec<_> = answers.iter().filter(|one| one.status == 200).collect();
    assert_eq!(won.len(), 1);
    server
        .refresh(&won[0].body)
        .await
        .refused(Code::Unauthenticated);
    assert!(!server.accepts(&won[0].body));
}

#[tokio::test]
async fn a_bad_refresh_is_refused() {
    let server = Server::start().await;
    let first = server.register("ada").await.ok();
    for body in [json!({}), json!({"refresh_token": 7})] {
        server
            .post("refresh", body)
            .await
            .refused(Code::MissingField);
    }
    for token in ["", "unknown", "\0", first["access_token"].as_str().unwrap()] {
        server
            .post("refresh", json!({ "refresh_token": token }))
            .await
            .refused(Code::Unauthenticated);
    }
    server.sql("UPDATE refresh_tokens SET expires_at = 1").await;
    server.refresh(&first).await.refused(Code::Unauthenticated);
}

#[tokio::test]
async fn a_ban_is_felt_at_the_next_refresh_and_costs_no_token() {
    let server = Server::start().await;
    let first = server.register("ada").await.ok();
    server.sql("UPDATE players SET banned_at = 1").await;
    server.refresh(&first).await.refused(Code::Forbidden);
    server.sql("UPDATE players SET banned_at = NULL").await;
    server.refresh(&first).await.ok();
}

#[tokio::test]
async fn logging_out_ends_the_session() {
    let server = Server::start().await;
    server.register("ada").await.ok();
    for with_access in [false, true] {
        for with_refresh in [false, true] {
            let session = server.login("ada").await.ok();
            let token = session["access_token"].as_str().filter(|_| with_access);
            let body = match with_refresh {
                true => json!({ "refresh_token": session["refresh_token"] }).to_string(),
                false => String::new(),
            };
            for _ in 0..2 {
                let answer = server.send("logout", token, &body).await;
                assert_eq!(answer.ok(), json!({"success": true}));
            }
            let ended = with_access || with_refresh;
            assert_eq!(server.accepts(&session), !ended);
            assert_eq!(server.refresh(&session).await.status == 200, !ended);
        }
    }
}

#[tokio::test]
async fn logging_out_with_an_older_refresh_token_ends_the_session_too() {
    let server = Server::start().await;
    let first = server.register("ada").await.ok();
    let second = server.refresh(&first).await.ok();
    let body = json!({ "refresh_token": first["refresh_token"] });
    server.post("logout", body).await.ok();
    assert!(!server.accepts(&second));
    server.refresh(&second).await.refused(Code::Unauthenticated);
}

#[tokio::test]
async fn logging_out_two_sessions_at_once_ends_both() {
    let server = Server::start().await;
    let (ada, bob) = (
        server.register("ada").await.ok(),
        server.register("bob").await.ok(),
    );
    let body = json!({ "refresh_token": bob["refresh_token"] });
    let token = ada["access_token"].as_str().unwrap();
    server.post_as(token, "logout", body).await.ok();
    assert!(!server.accepts(&ada) && !server.accepts(&bob));
}

#[tokio::test]
async fn logging_out_works_whatever_is_sent() {
    let server = Server::start().await;
    for body in [
        "",
        "{",
        "[1]",
        "null",
        "7",
        r#"{"refresh_token":7}"#,
        r#"{"refresh_token":"x"}"#,
    ] {
        for token in [None, Some("nonsense")] {
            let answer = server.send("logout", token, body).await;
            assert_eq!(answer.ok(), json!({"success": true}), "{body}");
        }
    }
    let huge = "x".repeat(4 * 1024 * 1024);
    assert_eq!(
        server.accounts.logout(Some(&huge), Some(&huge)).await,
        Ok(())
    );
}

/// An access token that has expired still says which session to end.
#[tokio::test]
async fn logging_out_works_with_an_expired_access_token() {
    let server = Server::start().await;
    let session = server.register("ada").await.ok();
    let expired = aged(&server, &session, 2 * 60 * 60);
    assert!(server.accounts.verify(&expired).is_err());
    server.send("logout", Some(&expired), "").await.ok();
    assert!(!server.accepts(&session));
}

#[tokio::test]
async fn no_token_slips_out_between_a_refresh_and_a_logout() {
    let server = Server::start().await;
    server.register("ada").await.ok();
    for _ in 0..20 {
        let session = server.login("ada").await.ok();
        let body = json!({ "refresh_token": session["refresh_token"] });
        let (refreshed, out) = tokio::join!(server.refresh(&session), server.post("logout", body));
        out.ok();
        if refreshed.status == 200 {
            assert!(!server.accepts(&refreshed.body));
            server
                .refresh(&refreshed.body)
                .await
                .refused(Code::Unauthenticated);
        }
    }
}

#[tokio::test]
async fn a_restart_remembers_who_is_in_and_who_is_out() {
    let server = Server::start().await;
    let inside = server.register("ada").await.ok();
    let outside = server.login("ada").await.ok();
    let body = json!({ "refresh_token": outside["refresh_token"] });
    server.post("logout", body).await.ok();

    let again = server.restarted().await;
    assert!(again.accepts(&inside));
    assert!(!again.accepts(&outside));
    again.refresh(&inside).await.ok();
    again.refresh(&outside).await.refused(Code::Unauthenticated);
    again.login("ada").await.ok();
}

#[tokio::test]
async fn a_token_that_is_not_ours_or_too_old_is_refused() {
    let server = Server::start().await;
    let session = server.register("ada").await.ok();
    let token = session["access_token"].as_str().unwrap();
    let [header, claims, signature] = parts(token);
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let eve = URL_SAFE_NO_PAD.encode(r#"{"sub":"eve","fam":"f","iat":1,"exp":9999999999}"#);
    let forged = [
        aged(&server, &session, 60 * 60),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{eve}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        session["refresh_token"].as_str().unwrap().to_owned(),
        "nonsense".to_owned(),
    ];
    for token in forged {
        server
            .post_as(&token, "guest/upgrade", credentials("eve"))
            .await
            .refused(Code::Unauthenticated);
    }
}

#[tokio::test]
async fn pruning_forgets_what_no_longer_matters() {
    let server = Server::start().await;
    let kept = server.register("ada").await.ok();
    let gone = server.login("ada").await.ok();
    let revoked = server.login("ada").await.ok();
    let body = json!({ "refresh_token": revoked["refresh_token"] });
    server.post("logout", body).await.ok();
    let counts = async || {
        let db = server.db.read();
        (
            refresh_tokens::Entity::find().count(db).await.unwrap(),
            revoked_families::Entity::find().count(db).await.unwrap(),
        )
    };

    let hour = 60 * 60 * 1_000;
    prune(&server.db, hour).await.unwrap();
    assert_eq!(counts().await, (2, 1));

    let family = server
        .accounts
        .verify(gone["access_token"].as_str().unwrap())
        .unwrap()
        .family;
    server
        .sql(&format!(
            "UPDATE refresh_tokens SET expires_at = 1 WHERE family_id = '{family}';
             UPDATE revoked_families SET revoked_at = 1"
        ))
        .await;
    prune(&server.db, hour).await.unwrap();
    assert_eq!(counts().await, (1, 0));
    server.refresh(&kept).await.ok();
}

/// The same session's access token, as issued `seconds` ago.
fn aged(server: &Server, session: &Value, seconds: u64) -> String {
    let tokens = &server.accounts.tokens;
    let claims = tokens.read(session["access_token"].as_str().unwrap());
    let claims = claims.unwrap();
    tokens.sign(&claims.sub, &claims.fam, now_ms() / 1_000 - seconds)
}

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().unwrap()
}
