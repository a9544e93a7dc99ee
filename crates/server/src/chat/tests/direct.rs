//! Messages from one player to another.

use std::time::Duration;

use asobi_client::Client;
use asobi_game::PlayerId;
use asobi_wire::Code;
use serde_json::{Value, json};

use crate::chat::channel::between;
use crate::chat::store::Message;
use crate::test_server::{Guest, SOON, TestServer, code, heard, next};

fn to(player: &Guest, text: &str) -> Value {
    json!({ "recipient_id": player.id, "content": text })
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect()
}

/// Waits until the server has seen a player go.
async fn leave(server: &TestServer, player: &Guest) {
    player.client.cut();
    let id = PlayerId::from(player.id.as_str());
    let gone = async {
        while server.services.bus.sessions().is_connected(&id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_its_recipient_and_nobody_else() {
    let server = TestServer::start().await;
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    let sent = a.ask("dm.send", to(&b, "zwei Wörter 🦊 عايدة")).await;
    assert_eq!(sent["channel_id"], between(&a.id, &b.id));
    let expected = json!({
        "channel_id": sent["channel_id"], "sender_id": a.id,
        "content": "zwei Wörter 🦊 عايدة", "sent_at": sent["sent_at"], "id": sent["id"],
    });
    assert_eq!(b.next("dm.message").await, expected);
    let answer = server.post(&b, "/dm", to(&a, "and back")).await.unwrap();
    assert_eq!(answer["success"], true);
    assert_eq!(answer["channel_id"], sent["channel_id"]);
    let back = a.next("dm.message").await;
    assert_eq!(back["id"], answer["id"]);
    for player in [&a, &b, &c] {
        assert!(player.heard("chat.message").await.is_empty());
    }
    let history = server
        .get(&a, &format!("/dm/{}/history", b.id))
        .await
        .unwrap();
    assert_eq!(history["channel_id"], sent["channel_id"]);
    let messages = history["messages"].as_array().unwrap();
    assert_eq!(texts(messages), ["zwei Wörter 🦊 عايدة", "and back"]);
    assert_eq!(messages[0]["channel_type"], "dm");
    let foreign = server
        .get(&c, &format!("/dm/{}/history", b.id))
        .await
        .unwrap();
    assert_eq!(foreign["messages"], json!([]));
    let path = format!("/chat/{}/history", between(&a.id, &b.id));
    assert_eq!(code(server.get(&c, &path).await), "forbidden");
    let same = server.get(&b, &path).await.unwrap();
    assert_eq!(same["messages"], history["messages"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joined_the_channel_hears_it_there_too() {
    let server = TestServer::start().await;
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    let channel = between(&a.id, &b.id);
    let join = json!({ "channel_id": channel });
    for player in [&a, &b] {
        player.ask("chat.join", join.clone()).await;
    }
    assert_eq!(c.refused("chat.join", join).await["code"], "forbidden");
    a.ask("dm.send", to(&b, "hello")).await;
    b.next("dm.message").await;
    for player in [&a, &b] {
        assert_eq!(player.next("chat.message").await["content"], "hello");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_the_channel_reaches_the_recipient_once() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let channel = between(&a.id, &b.id);
    let say = |text: &str| json!({ "channel_id": channel, "content": text });
    let sent = a.ask("chat.send", say("one")).await;
    assert_eq!(b.next("dm.message").await["id"], sent["id"]);
    b.ask("chat.join", json!({ "channel_id": channel })).await;
    a.ask("chat.send", say("two")).await;
    assert_eq!(b.next("chat.message").await["content"], "two");
    assert!(b.heard("dm.message").await.is_empty());
    leave(&server, &b).await;
    a.client.send("chat.send", &say("three")).unwrap();
    a.client.heartbeat().await.unwrap();
    let back = server.connect(&b.token).await;
    assert_eq!(next(&back, "dm.message").await["content"], "three");
    assert!(heard(&back, "dm.message").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_gets_everything_in_order_and_once() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    a.ask("dm.send", to(&b, "live")).await;
    b.next("dm.message").await;
    leave(&server, &b).await;
    for n in 0..5 {
        a.ask("dm.send", to(&b, &n.to_string())).await;
    }
    let back = server.connect(&b.token).await;
    let mut received = Vec::new();
    for _ in 0..5 {
        received.push(next(&back, "dm.message").await);
    }
    assert_eq!(texts(&received), ["0", "1", "2", "3", "4"]);
    a.ask("dm.send", to(&b, "live again")).await;
    assert_eq!(next(&back, "dm.message").await["content"], "live again");
    let again = server.connect(&b.token).await;
    server.services.chat.flush().await;
    assert!(heard(&again, "dm.message").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_much_mail_the_newest_is_handed_over() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    leave(&server, &b).await;
    let sends = (0..230).map(|n| {
        let (server, a, body) = (&server, &a, to(&b, &format!("{n:03}")));
        async move { server.post(a, "/dm", body).await.unwrap() }
    });
    futures_util::future::join_all(sends).await;
    let back = server.connect(&b.token).await;
    let mut received = Vec::new();
    for _ in 0..200 {
        received.push(next(&back, "dm.message").await);
    }
    let ids: Vec<&str> = received.iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted());
    let path = format!("/dm/{}/history?limit=200", a.id);
    let history = server.get(&b, &path).await.unwrap();
    assert_eq!(history["messages"][0]["id"], ids[0]);
    let again = server.connect(&b.token).await;
    server.services.chat.flush().await;
    assert!(heard(&again, "dm.message").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_a_connection_that_comes_and_goes() {
    const MESSAGES: usize = 60;
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    leave(&server, &b).await;
    let sending = async {
        for n in 0..MESSAGES {
            a.ask("dm.send", to(&b, &n.to_string())).await;
        }
    };
    let receiving = async {
        let mut received: Vec<String> = Vec::new();
        let mut take = |client: &Client| {
            let events = client.take_events().into_iter();
            let messages = events.filter(|event| event.kind == "dm.message");
            let ids: Vec<String> = messages
                .map(|event| event.json()["id"].to_string())
                .collect();
            assert!(ids.is_sorted(), "{ids:?}");
            for id in ids {
                // What was under way when the connection was displaced may come again.
                if !received.contains(&id) {
                    received.push(id);
                }
            }
            received.len()
        };
        let mut client = server.connect(&b.token).await;
        loop {
            tokio::time::sleep(Duration::from_millis(60)).await;
            // The next displaces this one, which is written what waits before it is closed.
            let next = server.connect(&b.token).await;
            client.closed(SOON).await.unwrap();
            if take(&client) == MESSAGES {
                return;
            }
            client = next;
        }
    };
    tokio::time::timeout(SOON, async { tokio::join!(sending, receiving) })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_stops_both_ways_and_hides_no_history() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let channel = json!({ "channel_id": between(&a.id, &b.id), "content": "x" });
    a.ask("dm.send", to(&b, "before")).await;
    b.ask("chat.join", channel.clone()).await;
    server.relate(&b, &a, "blocked").await;
    for (from, other) in [(&a, &b), (&b, &a)] {
        let refused = from.refused("dm.send", to(other, "x")).await;
        assert_eq!(refused["code"], "dm.blocked");
        assert_eq!(refused["reason"], "blocked");
        assert_eq!(
            code(server.post(from, "/dm", to(other, "x")).await),
            "dm.blocked"
        );
        for kind in ["chat.join", "chat.send"] {
            assert_eq!(
                from.refused(kind, channel.clone()).await["code"],
                "forbidden"
            );
        }
        let history = server.get(from, &format!("/dm/{}/history", other.id)).await;
        assert_eq!(
            texts(history.unwrap()["messages"].as_array().unwrap()),
            ["before"]
        );
    }
    server.sql("DELETE FROM friendships").await;
    a.ask("dm.send", to(&b, "after")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_to_oneself_is_fine() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    player.ask("dm.send", to(&player, "milk")).await;
    assert_eq!(player.next("dm.message").await["content"], "milk");
    let history = server
        .get(&player, &format!("/dm/{}/history", player.id))
        .await;
    assert_eq!(
        texts(history.unwrap()["messages"].as_array().unwrap()),
        ["milk"]
    );
}

/// What is still on its way when a player is erased does not outlive them.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_by_or_to_an_erased_player() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    let said = json!({ "channel_id": room, "content": "last words" });
    a.client.send("chat.send", &said).unwrap();
    b.ask(
        "chat.send",
        json!({ "channel_id": room, "content": "hello" }),
    )
    .await;
    a.client.send("chat.send", &said).unwrap();
    a.client.heartbeat().await.unwrap();
    let erased = PlayerId::from(a.id.as_str());
    server
        .services
        .players
        .erase_self(&erased, None)
        .await
        .unwrap();
    // The game may speak in anybody's name.
    server.services.chat.say(&room, &a.id, "farewell").unwrap();
    server.services.chat.flush().await;
    let history = server.get(&b, &format!("/chat/{room}/history")).await;
    let history = history.unwrap();
    let messages = history["messages"].as_array().unwrap();
    assert_eq!(texts(messages), ["hello", "farewell"]);

    let direct = |from: &str, to: &str| Message {
        id: String::new(),
        channel_type: "dm".into(),
        channel_id: between(from, to),
        sender_id: from.into(),
        content: "hi".into(),
        sent_at: 0,
        recipient_id: Some(to.into()),
        delivered_at: None,
    };
    let writer = &server.services.chat.shared.writer;
    for (from, to) in [(&a.id, &b.id), (&b.id, &a.id)] {
        let refused = writer.send(direct(from, to), false).await;
        assert_eq!(refused.unwrap_err().code, Code::DmRecipientNotFound);
    }
    writer.send(direct(&b.id, &b.id), false).await.unwrap();
}
