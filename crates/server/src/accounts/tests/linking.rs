//! Linking providers to an account, and taking them off.

use asobi_wire::Code;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::harness::{Answer, Server, credentials, device};
use super::outside::{CLIENT_ID, Issuer, Key};
use crate::config::OidcProvider;

/// A server with two providers, which one issuer plays.
struct World {
    server: Server,
    issuer: Issuer,
    key: Key,
}

impl World {
    async fn new() -> Self {
        let key = Key::ec("1");
        let issuer = Issuer::start(&key).await;
        let provider = OidcProvider {
            issuer: issuer.url(),
            client_id: CLIENT_ID.into(),
            ..OidcProvider::default()
        };
        let server = Server::with(|config| {
            for name in ["google", "discord"] {
                config.oidc.insert(name.to_owned(), provider.clone());
            }
        })
        .await;
        Self {
            server,
            issuer,
            key,
        }
    }

    fn body(&self, provider: &str, sub: &str) -> Value {
        json!({"provider": provider, "token": self.issuer.token(&self.key, sub)})
    }

    async fn oauth(&self, provider: &str, sub: &str) -> Answer {
        self.server.post("oauth", self.body(provider, sub)).await
    }

    async fn link(&self, who: &Value, provider: &str, sub: &str) -> Answer {
        let body = self.body(provider, sub);
        self.server.post_as(token(who), "link", body).await
    }

    async fn unlink(&self, who: &Value, provider: &str) -> Answer {
        let path = format!("unlink?provider={provider}");
        self.server
            .request("DELETE", &path, Some(token(who)), "")
            .await
    }
}

fn token(who: &Value) -> &str {
    who["access_token"].as_str().unwrap()
}

#[tokio::test]
async fn a_linked_provider_is_another_way_to_sign_in_until_it_is_taken_off() {
    let world = World::new().await;
    let ada = world.server.register("ada").await.ok();
    let linked = world.link(&ada, "discord", "42").await.ok();
    let expected = json!({"provider": "discord", "provider_uid": "42", "linked": true});
    assert_eq!(linked, expected);
    assert_eq!(world.link(&ada, "discord", "42").await.ok(), expected);
    let again = world.oauth("discord", "42").await.ok();
    assert_eq!(again["player_id"], ada["player_id"]);
    assert_eq!(again["username"], "ada");

    let done = world.unlink(&ada, "discord").await.ok();
    assert_eq!(done, json!({"success": true}));
    let gone = world.unlink(&ada, "discord").await;
    gone.refused(Code::IdentityNotFound);
    let stranger = world.oauth("discord", "42").await.ok();
    assert_ne!(stranger["player_id"], ada["player_id"]);
}

#[tokio::test]
async fn an_identity_belongs_to_one_player() {
    let world = World::new().await;
    let ada = world.oauth("google", "42").await.ok();
    let bob = world.server.register("bob").await.ok();
    let taken = world.link(&bob, "google", "42").await;
    taken.refused(Code::ProviderAlreadyLinked);
    // The same id at another provider is somebody else.
    world.link(&bob, "discord", "42").await.ok();
    let other = world.oauth("discord", "42").await.ok();
    assert_eq!(other["player_id"], bob["player_id"]);
    assert_ne!(other["player_id"], ada["player_id"]);
}

#[tokio::test]
async fn many_who_link_one_identity_at_once_do_not_share_it() {
    let world = World::new().await;
    let names: Vec<_> = (0..6).map(|n| format!("player{n}")).collect();
    let mut players = Vec::new();
    for name in &names {
        players.push(world.server.register(name).await.ok());
    }
    // Each of them twice.
    let all = players.iter().chain(&players);
    let answers = join_all(all.map(|who| world.link(who, "google", "42"))).await;
    let won: Vec<_> = answers
        .iter()
        .enumerate()
        .filter(|(_, answer)| answer.status == 200)
        .map(|(index, _)| index % players.len())
        .collect();
    assert!(matches!(won[..], [a, b] if a == b), "{won:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.refused(Code::ProviderAlreadyLinked);
    }
    let owner = world.oauth("google", "42").await.ok();
    assert_eq!(owner["player_id"], players[won[0]]["player_id"]);
}

#[tokio::test]
async fn the_last_way_to_sign_in_stays() {
    let world = World::new().await;
    let ada = world.oauth("google", "42").await.ok();
    let last = world.unlink(&ada, "google").await;
    last.refused(Code::LastAuthMethod);
    // A second account at the same provider goes with the first.
    world.link(&ada, "google", "43").await.ok();
    let last = world.unlink(&ada, "google").await;
    last.refused(Code::LastAuthMethod);
    world.link(&ada, "discord", "42").await.ok();
    world.unlink(&ada, "google").await.ok();
    let last = world.unlink(&ada, "discord").await;
    last.refused(Code::LastAuthMethod);
    let again = world.oauth("discord", "42").await.ok();
    assert_eq!(again["player_id"], ada["player_id"]);
}

#[tokio::test]
async fn two_taken_off_at_once_leave_one() {
    let world = World::new().await;
    for n in 0..8 {
        let sub = n.to_string();
        let who = world.oauth("google", &sub).await.ok();
        world.link(&who, "discord", &sub).await.ok();
        let (one, other) =
            tokio::join!(world.unlink(&who, "google"), world.unlink(&who, "discord"));
        let (good, bad) = match one.status {
            200 => (one, other),
            _ => (other, one),
        };
        good.ok();
        bad.refused(Code::LastAuthMethod);
    }
}

#[tokio::test]
async fn a_guest_with_a_provider_is_a_guest_no_longer() {
    let world = World::new().await;
    let guest = world.server.guest(device("phone", 1)).await.ok();
    world.link(&guest, "google", "42").await.ok();
    // Their device still lets them in.
    let resumed = world.server.guest(device("phone", 1)).await.ok();
    assert_eq!(resumed["player_id"], guest["player_id"]);
    assert_eq!(resumed.get("guest"), None);
    let claimed = world
        .server
        .post_as(token(&guest), "guest/upgrade", credentials("ada"))
        .await;
    claimed.refused(Code::GuestNotUnclaimed);

    // A device is a way to sign in, so the provider may go, and the guest is one again.
    world.unlink(&guest, "google").await.ok();
    let resumed = world.server.guest(device("phone", 1)).await.ok();
    assert_eq!(resumed["guest"], true);
    let last = world.unlink(&guest, "guest").await;
    last.refused(Code::LastAuthMethod);
    world
        .server
        .post_as(token(&guest), "guest/upgrade", credentials("ada"))
        .await
        .ok();
}

#[tokio::test]
async fn a_device_can_be_taken_off_too() {
    let world = World::new().await;
    let guest = world.server.guest(device("phone", 1)).await.ok();
    world.link(&guest, "google", "42").await.ok();
    world.unlink(&guest, "guest").await.ok();
    let stranger = world.server.guest(device("phone", 1)).await.ok();
    assert_ne!(stranger["player_id"], guest["player_id"]);
    let back = world.oauth("google", "42").await.ok();
    assert_eq!(back["player_id"], guest["player_id"]);
}

#[tokio::test]
async fn guests_with_a_provider_do_not_count_as_guests() {
    let world = World::new().await;
    let server = world
        .server
        .restarted_with(|config| config.guest.max_unclaimed = 2)
        .await;
    let world = World { server, ..world };
    let one = world.server.guest(device("one", 1)).await.ok();
    world.server.guest(device("two", 1)).await.ok();
    let full = world.server.guest(device("three", 1)).await;
    full.refused(Code::GuestCapacityReached);
    world.link(&one, "google", "42").await.ok();
    world.server.guest(device("three", 1)).await.ok();
    let full = world.server.guest(device("four", 1)).await;
    full.refused(Code::GuestCapacityReached);
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let world = World::new().await;
    let ada = world.server.register("ada").await.ok();
    let as_ada = |path: &'static str, body: Value| world.server.post_as(token(&ada), path, body);
    for body in [
        json!({}),
        json!({"provider": "google"}),
        json!({"provider": 7, "token": "x"}),
    ] {
        as_ada("link", body).await.refused(Code::MissingField);
    }
    let body = json!({"provider": "google", "token": "x"});
    as_ada("link", body).await.refused(Code::ProviderRejected);
    let body = json!({"provider": "steam", "token": "00"});
    as_ada("link", body)
        .await
        .refused(Code::UnsupportedProvider);
    let body = world.body("google", "42");
    let stranger = world.server.post("link", body).await;
    stranger.refused(Code::Unauthenticated);

    let delete = |path: &'static str, body: &'static str| {
        let token = token(&ada).to_owned();
        let server = &world.server;
        async move { server.request("DELETE", path, Some(&token), body).await }
    };
    for (path, body) in [
        ("unlink", ""),
        ("unlink?", ""),
        ("unlink?provider=", ""),
        ("unlink?other=google", ""),
        ("unlink", "{"),
        ("unlink", "{\"provider\": 7}"),
    ] {
        delete(path, body).await.refused(Code::MissingField);
    }
    for path in [
        "unlink?provider=nobody",
        "unlink?provider=a%00b",
        "unlink?provider=%E2%80%AE",
    ] {
        delete(path, "").await.refused(Code::IdentityNotFound);
    }
    let long = format!("unlink?provider={}", "x".repeat(5_000));
    let answer = world.server.request("DELETE", &long, Some(token(&ada)), "");
    answer.await.refused(Code::IdentityNotFound);
    let answer = world
        .server
        .request("DELETE", "unlink?provider=google", None, "");
    answer.await.refused(Code::Unauthenticated);

    // What the original's JavaScript SDK sends.
    world.link(&ada, "google", "42").await.ok();
    delete("unlink", "{\"provider\": \"google\"}").await.ok();
}

#[tokio::test]
async fn who_is_banned_or_gone_links_nothing() {
    let world = World::new().await;
    let ada = world.server.register("ada").await.ok();
    world.server.sql("UPDATE players SET banned_at = 1").await;
    let banned = world.link(&ada, "google", "42").await;
    banned.refused(Code::Forbidden);
    world.server.sql("DELETE FROM players").await;
    let gone = world.link(&ada, "google", "42").await;
    gone.refused(Code::PlayerNotFound);
    let gone = world.unlink(&ada, "google").await;
    gone.refused(Code::PlayerNotFound);
}
