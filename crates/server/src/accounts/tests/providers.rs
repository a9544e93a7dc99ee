//! Sign-in through an identity provider: one that runs here, with keys of its own.

use std::time::{Duration, Instant};

use asobi_wire::Code;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::harness::{Answer, Server};
use super::outside::{CLIENT_ID, Issuer, Key, Outside, now};
use crate::accounts::entities::player_identities;
use crate::config::{Config, OidcProvider};
use sea_orm::EntityTrait;

/// A server that knows the issuer as `google`.
async fn server(issuer: &Issuer) -> Server {
    server_with(issuer, |_| {}).await
}

async fn server_with(issuer: &Issuer, change: impl FnOnce(&mut Config)) -> Server {
    Server::with(|config| {
        knows(config, "google", &issuer.url());
        change(config);
    })
    .await
}

fn knows(config: &mut Config, name: &str, issuer: &str) {
    let provider = OidcProvider {
        issuer: issuer.to_owned(),
        client_ids: vec!["other-client".into(), CLIENT_ID.into()],
        ..OidcProvider::default()
    };
    config.oidc.insert(name.to_owned(), provider);
}

impl Server {
    async fn oauth(&self, token: &str) -> Answer {
        let body = json!({"provider": "google", "token": token});
        self.post("oauth", body).await
    }

    async fn identities(&self) -> Vec<player_identities::Model> {
        player_identities::Entity::find()
            .all(self.db.read())
            .await
            .unwrap()
    }
}

impl Answer {
    #[track_caller]
    fn rejected(self, reason: &str) {
        let body = self.refused(Code::ProviderRejected);
        assert_eq!(body["error"]["details"]["reason"], reason);
    }
}

#[tokio::test]
async fn a_first_sign_in_makes_a_player_and_the_next_finds_them() {
    for key in [Key::ec("1"), Key::rsa("1")] {
        let issuer = Issuer::start(&key).await;
        let server = server(&issuer).await;
        let first = server.oauth(&issuer.token(&key, "42")).await.ok();
        assert_eq!(first["created"], true);
        assert_eq!(first["session_token"], first["access_token"]);
        assert!(server.accepts(&first));
        let name = first["username"].as_str().unwrap();
        assert!(name.starts_with("google_") && name.len() == 20, "{name}");
        let player = server.player(&first).await;
        assert_eq!(player.display_name, "Player 42");
        assert_eq!(player.password_hash, None);

        let again = server.oauth(&issuer.token(&key, "42")).await.ok();
        assert_eq!(again["player_id"], first["player_id"]);
        assert_eq!(again["username"], first["username"]);
        assert_eq!(again.get("created"), None);
        let other = server.oauth(&issuer.token(&key, "43")).await.ok();
        assert_ne!(other["player_id"], first["player_id"]);
        assert_eq!(server.count_players().await, 2);
        // The document and the keys, once.
        assert_eq!(issuer.server.asked(), 2);
    }
}

#[tokio::test]
async fn what_the_provider_says_is_kept_up_to_date_and_what_cannot_be_shown_is_not() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server(&issuer).await;
    let mut claims = issuer.claims("42");
    claims["name"] = json!("a\u{202E}b\0");
    let body = server.oauth(&key.sign(&claims)).await.ok();
    let player = server.player(&body).await;
    assert_eq!(player.display_name, player.username);
    claims["name"] = json!("Ada");
    claims["email"] = json!("new@example.org");
    server.oauth(&key.sign(&claims)).await.ok();
    claims.as_object_mut().unwrap().remove("name");
    server.oauth(&key.sign(&claims)).await.ok();
    assert_eq!(
        server.identities().await[0].provider_metadata,
        json!({"display_name": "Ada", "email": "new@example.org"})
    );
}

#[tokio::test]
async fn every_way_a_token_can_be_wrong_is_told_apart() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server(&issuer).await;
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims("42");
        claims[name] = value;
        key.sign(&claims)
    };
    for (token, reason) in [
        (with("exp", json!(now() - 120)), "expired"),
        (with("nbf", json!(now() + 120)), "not_yet_valid"),
        (with("iat", json!(now() + 120)), "not_yet_valid"),
        (with("aud", json!("another-game")), "wrong_audience"),
        (with("aud", json!(["a", "b"])), "wrong_audience"),
        (with("iss", json!("https://evil.example")), "wrong_issuer"),
        (with("sub", json!("")), "invalid_token"),
        (with("sub", json!("a\0b")), "invalid_token"),
        (with("sub", json!("x".repeat(256))), "invalid_token"),
        (with("sub", json!(null)), "invalid_token"),
        (with("sub", json!(7)), "invalid_token"),
        (with("exp", json!(null)), "invalid_token"),
        (with("pad", json!("x".repeat(100_000))), "invalid_token"),
        (Key::ec("1").sign(&issuer.claims("42")), "invalid_token"),
        (Key::ec("2").sign(&issuer.claims("42")), "invalid_token"),
        (Key::rsa("1").sign(&issuer.claims("42")), "invalid_token"),
        ("x".repeat(100_000), "invalid_token"),
        ("..".into(), "invalid_token"),
        ("a.b.c.d".into(), "invalid_token"),
        ("\u{202E}\0".into(), "invalid_token"),
        (String::new(), "invalid_token"),
    ] {
        server.oauth(&token).await.rejected(reason);
    }
    let several = with("aud", json!(["a", CLIENT_ID]));
    server.oauth(&several).await.ok();
    assert_eq!(server.count_players().await, 1);
}

#[tokio::test]
async fn a_token_does_not_choose_how_it_is_checked() {
    let key = Key::rsa("1");
    let issuer = Issuer::start(&key).await;
    let server = server(&issuer).await;
    let good = issuer.token(&key, "42");
    let [_, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let headed = |header: Value, signature: &str| {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        format!("{header}.{claims}.{signature}")
    };
    // The public key is no secret: whoever takes it for one lets everybody in.
    let shared = |secret: &[u8]| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("1".into());
        let secret = EncodingKey::from_secret(secret);
        jsonwebtoken::encode(&header, &issuer.claims("42"), &secret).unwrap()
    };
    let modulus = key.public()["n"].as_str().unwrap().to_owned();
    for token in [
        headed(json!({"alg": "none", "kid": "1"}), ""),
        headed(json!({"alg": "none", "kid": "1"}), signature),
        headed(json!({"alg": "RS512", "kid": "1"}), signature),
        headed(json!({"alg": "ES256", "kid": "1"}), signature),
        headed(
            json!({"alg": "RS256", "kid": "1", "crit": ["x"], "x": 1}),
            signature,
        ),
        headed(json!({"alg": "RS256", "kid": "1"}), ""),
        headed(json!({"kid": "1"}), signature),
        shared(&URL_SAFE_NO_PAD.decode(&modulus).unwrap()),
        shared(modulus.as_bytes()),
        shared(key.public().to_string().as_bytes()),
        shared(b""),
    ] {
        server.oauth(&token).await.rejected("invalid_token");
    }
    server.oauth(&good).await.ok();
    assert_eq!(server.count_players().await, 1);
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_forgotten() {
    let (old, new) = (Key::ec("old"), Key::ec("new"));
    let issuer = Issuer::start(&old).await;
    let server = server_with(&issuer, |config| config.auth.provider_refresh_seconds = 1).await;
    let first = server.oauth(&issuer.token(&old, "42")).await.ok();
    issuer.publishes(&[&new]);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let again = server.oauth(&issuer.token(&new, "42")).await.ok();
    assert_eq!(again["player_id"], first["player_id"]);
    let stale = server.oauth(&issuer.token(&old, "42")).await;
    stale.rejected("invalid_token");
}

#[tokio::test]
async fn keys_are_fetched_again_when_they_are_old_and_used_while_the_provider_is_away() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server_with(&issuer, |config| {
        config.auth.provider_keys_minutes = 0;
        config.auth.provider_refresh_seconds = 0;
    })
    .await;
    server.oauth(&issuer.token(&key, "42")).await.ok();
    server.oauth(&issuer.token(&key, "42")).await.ok();
    assert_eq!(issuer.server.asked(), 4);
    // Many who come while they are being fetched share what comes back.
    issuer.server.is_slow(Duration::from_millis(200));
    let tokens: Vec<_> = (0..20).map(|_| issuer.token(&key, "42")).collect();
    for answer in join_all(tokens.iter().map(|token| server.oauth(token))).await {
        answer.ok();
    }
    let asked = issuer.server.asked();
    assert!(asked <= 8, "{asked}");
    issuer.server.is_slow(Duration::ZERO);
    issuer.server.answers_with("/keys", 500, "");
    server.oauth(&issuer.token(&key, "42")).await.ok();
    assert_eq!(issuer.server.asked(), asked + 2);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_reach_the_provider() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server(&issuer).await;
    issuer.server.is_slow(Duration::from_millis(50));
    // At once, before there are any keys, ...
    let tokens: Vec<_> = (0..50)
        .map(|n| Key::ec(&format!("unknown {n}")).sign(&issuer.claims("42")))
        .collect();
    let answers = join_all(tokens.iter().map(|token| server.oauth(token))).await;
    for answer in answers {
        answer.rejected("invalid_token");
    }
    // ... and one after the other, when there are.
    for token in &tokens {
        server.oauth(token).await.rejected("invalid_token");
    }
    assert_eq!(issuer.server.asked(), 2);
    server.oauth(&issuer.token(&key, "42")).await.ok();
    assert_eq!(issuer.server.asked(), 2);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_no_reason_to_wait() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = Server::with(|config| {
        knows(config, "google", "http://127.0.0.1:1");
        knows(config, "slow", &issuer.url());
        config.auth.provider_timeout_ms = 300;
    })
    .await;
    let asked = Instant::now();
    let token = issuer.token(&key, "42");
    server.oauth(&token).await.rejected("provider_unavailable");

    issuer.server.is_slow(Duration::from_secs(60));
    let slow = || server.post("oauth", json!({"provider": "slow", "token": token}));
    // A client that goes away does not stop what others wait for.
    let _ = tokio::time::timeout(Duration::from_millis(50), slow()).await;
    let answers = join_all((0..20).map(|_| slow())).await;
    for answer in answers {
        answer.rejected("provider_unavailable");
    }
    slow().await.rejected("provider_unavailable");
    assert_eq!(issuer.server.asked(), 1);
    assert!(asked.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn what_a_provider_must_not_answer_is_not_used() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server_with(&issuer, |config| config.auth.provider_refresh_seconds = 0).await;
    let token = issuer.token(&key, "42");
    let (url, outside) = (issuer.url(), &issuer.server);
    let good = || {
        issuer.describes_itself(&url, &format!("{url}/keys"));
        issuer.publishes(&[&key]);
    };
    let huge = format!(r#"{{"keys": [], "pad": "{}"}}"#, "x".repeat(300_000));
    let elsewhere = Outside::start().await;
    elsewhere.answers("/keys", json!({"keys": [key.public()]}));
    let breaks: [&dyn Fn(); 11] = [
        &|| outside.answers("/.well-known/openid-configuration", "<html>"),
        &|| outside.answers("/.well-known/openid-configuration", "{}"),
        &|| outside.answers_with("/.well-known/openid-configuration", 404, "{}"),
        &|| issuer.describes_itself("https://evil.example", &format!("{url}/keys")),
        &|| issuer.describes_itself(&url, "http://keys.example/keys"),
        &|| issuer.describes_itself(&url, "file:///etc/passwd"),
        &|| issuer.describes_itself(&url, "nonsense"),
        &|| outside.answers("/keys", "{\"keys\": 7}"),
        &|| outside.answers("/keys", &huge),
        &|| outside.answers("/keys", json!({"keys": [{"kty": "oct", "k": "AA"}, 7, {}]})),
        &|| outside.redirects("/keys", format!("{}/keys", elsewhere.url)),
    ];
    for (number, spoil) in breaks.iter().enumerate() {
        good();
        spoil();
        let answer = server.oauth(&token).await;
        println!("{number}: {}", answer.body);
        answer.rejected("provider_unavailable");
    }
    assert_eq!(elsewhere.asked(), 0);
    good();
    server.oauth(&token).await.ok();
}

#[tokio::test]
async fn keys_that_are_not_understood_do_not_spoil_those_that_are() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server(&issuer).await;
    let mut encrypts = key.public();
    encrypts["use"] = json!("enc");
    let keys = json!({"keys": [7, {}, {"kty": "new"}, encrypts, key.public()]});
    issuer.server.answers("/keys", keys);
    server.oauth(&issuer.token(&key, "42")).await.ok();
}

#[tokio::test]
async fn a_provider_of_many_tenants_signs_for_each() {
    const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let url = issuer.url();
    let server = Server::with(|config| {
        knows(config, "google", &format!("{url}/common/v2.0"));
    })
    .await;
    let document = json!({
        "issuer": format!("{url}/{{tenantid}}/v2.0"), "jwks_uri": format!("{url}/keys"),
    });
    issuer
        .server
        .answers("/common/v2.0/.well-known/openid-configuration", document);
    let mut claims = issuer.claims("42");
    claims["iss"] = json!(format!("{url}/{TENANT}/v2.0"));
    let untold = key.sign(&claims);
    server.oauth(&untold).await.rejected("wrong_issuer");
    claims["tid"] = json!(TENANT);
    server.oauth(&key.sign(&claims)).await.ok();
    claims["iss"] = json!(format!("{url}/other/v2.0"));
    server
        .oauth(&key.sign(&claims))
        .await
        .rejected("wrong_issuer");
}

#[tokio::test]
async fn a_request_that_names_no_provider_of_ours_is_refused() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server_with(&issuer, |config| {
        // Each of these is named in the log and left out.
        knows(config, "plain", "http://accounts.example");
        knows(config, "guest", &issuer.url());
        config
            .oidc
            .insert("discord".into(), OidcProvider::default());
    })
    .await;
    let token = issuer.token(&key, "42");
    for provider in ["plain", "guest", "discord", "steam", "Google", "", "a\0b"] {
        let body = json!({"provider": provider, "token": token});
        let answer = server.post("oauth", body).await;
        answer.refused(Code::UnsupportedProvider);
    }
    for body in [
        json!({}),
        json!({"provider": "google"}),
        json!({"token": token}),
        json!({"provider": 7, "token": token}),
        json!({"provider": "google", "token": ["x"]}),
        json!({"provider": null, "token": null}),
    ] {
        server.post("oauth", body).await.refused(Code::MissingField);
    }
    server
        .send("oauth", None, "{")
        .await
        .refused(Code::InvalidJson);
    server.oauth(&token).await.ok();
}

#[tokio::test]
async fn first_sign_ins_at_once_make_one_player() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server(&issuer).await;
    let token = issuer.token(&key, "42");
    let answers = join_all((0..16).map(|_| server.oauth(&token))).await;
    let (mut created, mut players) = (0, Vec::new());
    for answer in answers {
        if answer.status == 409 {
            answer.refused(Code::AlreadyRegistering);
            continue;
        }
        let body = answer.ok();
        created += usize::from(body["created"] == true);
        players.push(body["player_id"].as_str().unwrap().to_owned());
    }
    players.dedup();
    assert_eq!((created, players.len()), (1, 1));
    assert_eq!(server.count_players().await, 1);
}

#[tokio::test]
async fn who_may_come_in_anew_is_the_posture_and_who_is_banned_stays_out() {
    let key = Key::ec("1");
    let issuer = Issuer::start(&key).await;
    let server = server(&issuer).await;
    server.accounts.set_game(true, Some("oauth_only".into()));
    server.oauth(&issuer.token(&key, "42")).await.ok();
    server.accounts.set_game(true, Some("closed".into()));
    server.oauth(&issuer.token(&key, "42")).await.ok();
    let new = server.oauth(&issuer.token(&key, "43")).await;
    new.refused(Code::RegistrationClosed);
    server.sql("UPDATE players SET banned_at = 1").await;
    let banned = server.oauth(&issuer.token(&key, "42")).await;
    banned.refused(Code::Forbidden);
    assert_eq!(server.count_players().await, 1);
}
