//! Who hears what in a channel, and who does not.

use std::sync::Arc;
use std::time::Duration;

use asobi_game::PlayerId;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::chat::channel::{Channel, Kind};
use crate::chat::membership::Members;
use crate::edge::error::Outcome;
use crate::test_server::{Guest, SOON, TestServer, heard, next};

/// What a refused frame's code is.
async fn code(player: &Guest, kind: &str, payload: Value) -> String {
    let refused = player.refused(kind, payload).await;
    refused["code"].as_str().unwrap().to_owned()
}

fn to(channel: &str) -> Value {
    json!({ "channel_id": channel })
}

fn saying(channel: &str, text: &str) -> Value {
    json!({ "channel_id": channel, "content": text })
}

#[tokio::test(flavor = "multi_thread")]
async fn members_hear_each_other_and_strangers_hear_nothing() {
    let server = TestServer::start().await;
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    for player in [&a, &b] {
        assert_eq!(player.ask("chat.join", to(&room)).await, to(&room));
    }
    let refused = c.refused("chat.join", to(&room)).await;
    assert_eq!(refused["code"], "forbidden");
    assert_eq!(refused["reason"], "not_authorized");
    assert_eq!(
        code(&c, "chat.send", saying(&room, "let me in")).await,
        "forbidden"
    );

    let sent = a.ask("chat.send", saying(&room, "ahoy")).await;
    assert_eq!(sent["channel_id"], room.as_str());
    for player in [&a, &b] {
        let heard = player.next("chat.message").await;
        let expected = json!({
            "channel_id": room, "sender_id": a.id, "content": "ahoy",
            "sent_at": sent["sent_at"], "id": sent["id"],
        });
        assert_eq!(heard, expected);
    }
    assert!(c.heard("chat.message").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_cid_is_not_answered_and_its_sender_need_not_have_joined() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    b.ask("chat.join", to(&room)).await;
    a.client.send("chat.send", &saying(&room, "psst")).unwrap();
    assert_eq!(b.next("chat.message").await["content"], "psst");
    server.services.chat.flush().await;
    a.client.heartbeat().await.unwrap();
    assert!(a.client.take_events().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_hears_nothing_more_and_leaving_is_always_fine() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    b.ask("chat.join", to(&room)).await;
    a.ask("chat.send", saying(&room, "one")).await;
    assert_eq!(b.ask("chat.leave", to(&room)).await, to(&room));
    a.ask("chat.send", saying(&room, "two")).await;
    let heard = b.heard("chat.message").await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    for never_joined in [&room, "room:none", "no channel at all"] {
        assert_eq!(
            b.ask("chat.leave", to(never_joined)).await,
            to(never_joined)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_is_in_32_channels_and_not_in_33() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    server
        .services
        .chat
        .set_game((0..33).map(|n| format!("c{n}")).collect(), vec![]);
    for n in 0..32 {
        player.ask("chat.join", to(&format!("global:c{n}"))).await;
    }
    player.ask("chat.join", to("global:c7")).await;
    let refused = player.refused("chat.join", to("global:c32")).await;
    assert_eq!(refused["code"], "chat.too_many_channels");
    assert_eq!(refused["reason"], "too_many_channels");
    player.ask("chat.leave", to("global:c7")).await;
    player.ask("chat.join", to("global:c32")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_global_channel_is_one_the_game_declares() {
    let server = TestServer::start().await;
    let chat = &server.services.chat;
    chat.set_game(vec!["lobby".into(), "no such name!".into()], vec![]);
    let (a, b) = (server.guest().await, server.guest().await);
    b.ask("chat.join", to("global:lobby")).await;
    for other in ["global:other", "global:", "global:no such name!"] {
        assert_eq!(code(&a, "chat.join", to(other)).await, "forbidden");
    }
    a.ask("chat.send", saying("global:lobby", "hi")).await;
    assert_eq!(b.next("chat.message").await["content"], "hi");
    // A reload without it: nobody is in, and nobody hears even the game.
    chat.set_game(vec!["other".into()], vec![]);
    assert_eq!(
        code(&a, "chat.send", saying("global:lobby", "hi")).await,
        "forbidden"
    );
    chat.say("global:lobby", "game", "anybody there?").unwrap();
    assert!(b.heard("chat.message").await.is_empty());
    a.ask("chat.join", to("global:other")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_dropped_from_a_group_neither_hears_nor_writes() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let group = server.group(&[&a, &b]).await;
    let room = format!("room:{group}");
    b.ask("chat.join", to(&room)).await;
    b.ask("chat.send", saying(&room, "me too")).await;
    let owner = format!(
        "UPDATE group_members SET role = 'owner' WHERE player_id = '{}'",
        a.id
    );
    server.sql(&owner).await;
    let owner = PlayerId::from(a.id.as_str());
    let kicked = server
        .services
        .social
        .kick_group_member(&owner, &group, &b.id);
    kicked.await.unwrap();
    assert_eq!(
        code(&b, "chat.send", saying(&room, "still?")).await,
        "forbidden"
    );
    assert_eq!(code(&b, "chat.join", to(&room)).await, "forbidden");
    b.client.take_events();
    a.ask("chat.send", saying(&room, "gone at last")).await;
    assert!(b.heard("chat.message").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_asked_for_at_each_message_even_if_nobody_calls() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    let group = server.group(&[&player]).await;
    let room = format!("room:{group}");
    player.ask("chat.send", saying(&room, "one")).await;
    server.kick(&group, &player).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(
        code(&player, "chat.send", saying(&room, "two")).await,
        "forbidden"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matchs_channel_is_its_players_for_as_long_as_they_are_in() {
    let server = TestServer::start().await;
    let (a, b, id) = server.pair().await;
    let stranger = server.guest().await;
    let channel = format!("match:{id}");
    for player in [&a, &b] {
        player.ask("chat.join", to(&channel)).await;
    }
    assert_eq!(
        code(&stranger, "chat.join", to(&channel)).await,
        "forbidden"
    );
    a.ask("chat.send", saying(&channel, "left flank")).await;
    assert_eq!(b.next("chat.message").await["content"], "left flank");
    let history = format!("/chat/{channel}/history");
    assert!(server.get(&b, &history).await.is_ok());

    b.client.match_leave().await.unwrap();
    // The match hears of it at its next tick.
    let gone = async {
        while server.get(&b, &history).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
    b.client.take_events();
    a.ask("chat.send", saying(&channel, "he left")).await;
    assert!(b.heard("chat.message").await.is_empty());
    assert_eq!(
        code(&b, "chat.send", saying(&channel, "did not")).await,
        "forbidden"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_starts_without_channels_and_keeps_its_own() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    b.ask("chat.join", to(&room)).await;
    let newer = server.connect(&b.token).await;
    a.ask("chat.send", saying(&room, "one")).await;
    assert!(heard(&newer, "chat.message").await.is_empty());
    newer.request("chat.join", &to(&room)).await.unwrap();
    // The old connection goes, and takes nothing of the new one's with it.
    b.client.closed(SOON).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    a.ask("chat.send", saying(&room, "two")).await;
    assert_eq!(next(&newer, "chat.message").await["content"], "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_on_the_same_connection_has_none_of_the_firsts_channels() {
    let server = TestServer::start().await;
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    b.ask("chat.join", to(&room)).await;
    b.ask("session.connect", json!({ "token": c.token })).await;
    a.ask("chat.send", saying(&room, "private")).await;
    assert!(b.heard("chat.message").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_the_same_order_and_it_is_the_historys() {
    const EACH: usize = 40;
    let server = TestServer::start().await;
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    let room = format!("room:{}", server.group(&[&a, &b, &c]).await);
    for player in [&a, &b, &c] {
        player.ask("chat.join", to(&room)).await;
    }
    for n in 0..EACH {
        a.client
            .send("chat.send", &saying(&room, &format!("a{n}")))
            .unwrap();
        b.client
            .send("chat.send", &saying(&room, &format!("b{n}")))
            .unwrap();
    }
    let mut orders = Vec::new();
    for player in [&a, &b, &c] {
        let mut ids = Vec::new();
        for _ in 0..2 * EACH {
            ids.push(player.next("chat.message").await["id"].clone());
        }
        orders.push(ids);
    }
    let history = server
        .get(&c, &format!("/chat/{room}/history?limit=200"))
        .await
        .unwrap();
    let history = history["messages"].as_array().unwrap();
    orders.push(
        history
            .iter()
            .map(|message| message["id"].clone())
            .collect(),
    );
    for order in &orders[1..] {
        assert_eq!(*order, orders[0]);
    }
}

/// Lets one player into every party.
struct Party(String);

impl Members for Party {
    fn include(&self, channel: &Channel<'_>, player: &PlayerId) -> BoxFuture<'_, Outcome<bool>> {
        let included = channel.name == "p1" && player.as_str() == self.0;
        Box::pin(async move { Ok(included) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_domains_answer_for_their_channels() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    for kind in ["party", "world", "zone", "prox"] {
        let channel = format!("{kind}:p1");
        assert_eq!(code(&a, "chat.join", to(&channel)).await, "forbidden");
    }
    let party = Arc::new(Party(a.id.clone()));
    server.services.chat.set_members(Kind::Party, party);
    a.ask("chat.join", to("party:p1")).await;
    assert_eq!(code(&a, "chat.join", to("party:p2")).await, "forbidden");
    assert_eq!(code(&b, "chat.join", to("party:p1")).await, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_speaks_in_a_name_of_its_own() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    let room = format!("room:{}", server.group(&[&player]).await);
    player.ask("chat.join", to(&room)).await;
    let chat = &server.services.chat;
    chat.say(&room, "The Narrator", "It was a dark night")
        .unwrap();
    let heard = player.next("chat.message").await;
    assert_eq!(heard["sender_id"], "The Narrator");
    let refused = |channel: &str, sender: &str, text: &str| {
        let error = chat.say(channel, sender, text).unwrap_err();
        error.code.as_str()
    };
    assert_eq!(refused("nowhere", "x", "hi"), "chat.invalid_channel_id");
    assert_eq!(refused(&room, "", "hi"), "invalid_payload");
    assert_eq!(refused(&room, "a\0", "hi"), "invalid_payload");
    assert_eq!(refused(&room, "x", ""), "chat.content_empty");
    assert_eq!(refused(&room, "x", "a\0"), "chat.invalid_content");
}
