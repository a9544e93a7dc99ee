//! How often a player may write, and what the game lets through.

use std::sync::Arc;

use asobi_game::PlayerId;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::chat::content::{MessageFilter, Verdict};
use crate::test_server::{Guest, TestServer, code};

fn saying(channel: &str, text: &str) -> Value {
    json!({ "channel_id": channel, "content": text })
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_messages_at_once_and_five_a_second() {
    let server = TestServer::with(|config| config.chat.messages_per_second = 5).await;
    let (a, b) = (server.guest().await, server.guest().await);
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    for n in 0..10 {
        a.client
            .send("chat.send", &saying(&room, &n.to_string()))
            .unwrap();
    }
    let refused = a.refused("chat.send", saying(&room, "eleven")).await;
    assert_eq!(refused["code"], "rate_limited");
    assert_eq!(refused["details"]["retry_after"], 1);
    let direct = json!({ "recipient_id": b.id, "content": "x" });
    assert_eq!(
        a.refused("dm.send", direct.clone()).await["code"],
        "rate_limited"
    );
    assert_eq!(code(server.post(&a, "/dm", direct).await), "rate_limited");
    b.ask("chat.send", saying(&room, "mine")).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_000)).await;
    a.ask("chat.send", saying(&room, "later")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_channel_takes_one_message_in_a_while() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let names = vec!["slow".into(), "fast".into()];
    let rules = vec![("global:slow".into(), 2), ("dm:*".into(), 60)];
    server.services.chat.set_game(names, rules);
    a.ask("chat.send", saying("global:slow", "one")).await;
    let refused = a.refused("chat.send", saying("global:slow", "two")).await;
    assert_eq!(refused["code"], "chat.slow_mode");
    assert_eq!(refused["reason"], "slow_mode");
    assert_eq!(refused["details"]["retry_after"], 2);
    b.ask("chat.send", saying("global:slow", "another player"))
        .await;
    for n in 0..3 {
        a.ask("chat.send", saying("global:fast", &n.to_string()))
            .await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(2_050)).await;
    a.ask("chat.send", saying("global:slow", "three")).await;
    let direct = json!({ "recipient_id": b.id, "content": "x" });
    a.ask("dm.send", direct.clone()).await;
    assert_eq!(a.refused("dm.send", direct).await["code"], "chat.slow_mode");
}

/// Turns `damn` into stars, and away whoever shouts.
struct Polite;

impl MessageFilter for Polite {
    fn check(&self, _channel: &str, _sender: &PlayerId, text: &str) -> BoxFuture<'_, Verdict> {
        let verdict = match text {
            "damn" => Verdict::Change("****".into()),
            "EMPTY" => Verdict::Change(String::new()),
            "NOISE" => Verdict::Refuse(Some("shouting".into())),
            "SILENCE" => Verdict::Refuse(None),
            _ => Verdict::Pass,
        };
        Box::pin(async { verdict })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_games_filter_has_the_last_word() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    let chat = &server.services.chat;
    chat.set_filter(Some(Arc::new(Polite)));
    chat.set_game(vec![], vec![(room.clone(), 60)]);
    b.ask("chat.join", json!({ "channel_id": room })).await;
    let refused = a.refused("chat.send", saying(&room, "NOISE")).await;
    assert_eq!(refused["code"], "chat.refused");
    assert_eq!(refused["reason"], "message_refused");
    assert_eq!(refused["details"], json!({ "reason": "shouting" }));
    let refused = a.refused("chat.send", saying(&room, "SILENCE")).await;
    assert_eq!(refused["details"], json!({}));
    let refused = a.refused("chat.send", saying(&room, "EMPTY")).await;
    assert_eq!(refused["code"], "chat.content_empty");
    // None of these began the pause of the slow channel.
    a.ask("chat.send", saying(&room, "damn")).await;
    assert_eq!(b.next("chat.message").await["content"], "****");

    let to = |player: &Guest, text: &str| json!({ "recipient_id": player.id, "content": text });
    a.ask("dm.send", to(&b, "damn")).await;
    assert_eq!(b.next("dm.message").await["content"], "****");
    assert_eq!(
        a.refused("dm.send", to(&b, "NOISE")).await["code"],
        "chat.refused"
    );
    assert_eq!(
        a.refused("dm.send", to(&b, "EMPTY")).await["code"],
        "dm.content_empty"
    );
    let refused = server.post(&a, "/dm", to(&b, "NOISE")).await.unwrap_err();
    let refused = refused.server().unwrap();
    assert_eq!(refused.status, Some(403));
    assert_eq!(refused.details["reason"], "shouting");
    assert!(b.heard("dm.message").await.is_empty());

    chat.set_filter(None);
    a.ask("dm.send", to(&b, "NOISE")).await;
}
