//! Sign-in with Steam, against a Steam that runs here.

use std::time::{Duration, Instant};

use asobi_wire::Code;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use super::harness::{Answer, Server};
use super::outside::Outside;
use crate::accounts::entities::player_identities;
use crate::config::Config;

const TICKET: &str = "/ISteamUserAuth/AuthenticateUserTicket/v1/";
const SUMMARY: &str = "/ISteamUser/GetPlayerSummaries/v2/";
const STEAM_ID: &str = "76561197960287930";

fn configure(config: &mut Config, api_url: &str) {
    config.steam.api_key = "the key".to_owned().into();
    config.steam.app_id = "480".into();
    config.steam.api_url = api_url.to_owned();
    config.auth.provider_timeout_ms = 300;
}

async fn start() -> (Outside, Server) {
    let steam = Outside::start().await;
    steam.answers(TICKET, holder(json!({})));
    let name = json!({"response": {"players": [{"personaname": "Gabe"}]}});
    steam.answers(SUMMARY, name);
    let server = Server::with(|config| configure(config, &steam.url)).await;
    (steam, server)
}

fn holder(change: Value) -> Value {
    let mut params = json!({
        "result": "OK", "steamid": STEAM_ID, "ownersteamid": STEAM_ID,
        "vacbanned": false, "publisherbanned": false,
    });
    for (key, value) in change.as_object().unwrap() {
        params[key] = value.clone();
    }
    json!({"response": {"params": params}})
}

async fn sign_in(server: &Server, ticket: &str) -> Answer {
    let body = json!({"provider": "steam", "token": ticket});
    server.post("oauth", body).await
}

#[track_caller]
fn rejected(answer: Answer, reason: &str) {
    let body = answer.refused(Code::ProviderRejected);
    assert_eq!(body["error"]["details"]["reason"], reason);
}

async fn metadata(server: &Server) -> Value {
    let identities = player_identities::Entity::find().all(server.db.read());
    identities.await.unwrap()[0].provider_metadata.clone()
}

#[tokio::test]
async fn a_ticket_signs_its_holder_in() {
    let (steam, server) = start().await;
    let first = sign_in(&server, "14000000Ab").await.ok();
    assert_eq!(first["created"], true);
    assert!(first["username"].as_str().unwrap().starts_with("steam_"));
    let player = server.player(&first).await;
    assert_eq!(player.display_name, "Gabe");
    assert_eq!(
        metadata(&server).await,
        json!({"display_name": "Gabe", "owner_steamid": STEAM_ID, "vac_banned": false})
    );
    // No name this time, a ban and a borrowed copy: noted, and no reason to stay out.
    steam.answers_with(SUMMARY, 500, "");
    let owner = "76561197960265728";
    let changed = json!({"vacbanned": true, "ownersteamid": owner});
    steam.answers(TICKET, holder(changed));
    let again = sign_in(&server, "14000000Ab").await.ok();
    assert_eq!(again["player_id"], first["player_id"]);
    assert_eq!(again.get("created"), None);
    assert_eq!(
        metadata(&server).await,
        json!({"display_name": "Gabe", "owner_steamid": owner, "vac_banned": true})
    );
}

#[tokio::test]
async fn steam_is_asked_with_the_games_key_and_id() {
    let (steam, server) = start().await;
    steam.answers(TICKET, json!({"response": {"error": {"errorcode": 3}}}));
    let server = server
        .restarted_with(|config| config.steam.identity = "my game & co".into())
        .await;
    rejected(sign_in(&server, "00ff").await, "invalid_ticket");
    let asked = steam.last();
    assert_eq!(
        asked,
        json!({"key": "the key", "appid": "480", "ticket": "00ff", "identity": "my game & co"})
    );
}

#[tokio::test]
async fn a_ticket_must_be_hex_of_bounded_length() {
    let (steam, server) = start().await;
    let long = "a".repeat(4_097);
    for ticket in ["", "xyz", "00&key=1", "00 ", "00\0", &long] {
        rejected(sign_in(&server, ticket).await, "invalid_ticket");
    }
    assert_eq!(steam.asked(), 0);
    sign_in(&server, &"a".repeat(4_096)).await.ok();
}

#[tokio::test]
async fn what_steam_says_decides() {
    let (steam, server) = start().await;
    let of = |params: Value| json!({"response": {"params": params}});
    for (answer, reason) in [
        (holder(json!({"publisherbanned": true})), "publisher_banned"),
        (holder(json!({"result": "Invalid"})), "invalid_ticket"),
        (
            json!({"response": {"error": {"errordesc": "Invalid ticket"}}}),
            "invalid_ticket",
        ),
        (holder(json!({"steamid": "a\0b"})), "provider_unavailable"),
        (holder(json!({"steamid": 7})), "provider_unavailable"),
        (of(json!({"result": "OK"})), "provider_unavailable"),
        (of(json!([])), "provider_unavailable"),
        (json!({"response": {}}), "provider_unavailable"),
        (json!({}), "provider_unavailable"),
        (json!("x".repeat(300_000)), "provider_unavailable"),
    ] {
        steam.answers(TICKET, answer);
        rejected(sign_in(&server, "00").await, reason);
    }
    steam.answers_with(TICKET, 403, "<html>Forbidden</html>");
    rejected(sign_in(&server, "00").await, "provider_unavailable");
    steam.is_slow(Duration::from_secs(60));
    let asked = Instant::now();
    rejected(sign_in(&server, "00").await, "provider_unavailable");
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert_eq!(server.count_players().await, 0);
}

#[tokio::test]
async fn a_name_that_cannot_be_had_or_shown_is_not_needed() {
    for summary in [
        json!({"response": {"players": []}}),
        json!({"response": {"players": [{"personaname": "a\u{202E}"}]}}),
        json!({"response": {"players": [{"personaname": 7}]}}),
        json!(7),
    ] {
        let (steam, server) = start().await;
        steam.answers(SUMMARY, summary);
        let body = sign_in(&server, "00").await.ok();
        let player = server.player(&body).await;
        assert_eq!(player.display_name, player.username);
    }
}

#[tokio::test]
async fn half_a_configuration_is_none() {
    let (steam, _) = start().await;
    let changes: [fn(&mut Config); 3] = [
        |config| config.steam.api_key = String::new().into(),
        |config| config.steam.app_id = String::new(),
        |config| config.steam.api_url = "http://api.steampowered.com".into(),
    ];
    for change in changes {
        let server = Server::with(|config| {
            configure(config, &steam.url);
            change(config);
        })
        .await;
        let answer = sign_in(&server, "00").await;
        answer.refused(Code::UnsupportedProvider);
    }
}
