//! What is kept of what was said, and for how long.

use std::time::Duration;

use serde_json::{Value, json};

use crate::chat::pruning;
use crate::clock::now_ms;
use crate::test_server::{Guest, SOON, TestServer, code};

async fn say(player: &Guest, channel: &str, text: &str) {
    let message = json!({ "channel_id": channel, "content": text });
    player.ask("chat.send", message).await;
}

fn texts(history: &Value) -> Vec<&str> {
    let messages = history["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_read_page_by_page() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let group = server.group(&[&a, &b]).await;
    let room = format!("room:{group}");
    for n in 0..7 {
        say(&a, &room, &n.to_string()).await;
    }
    let whole = server
        .get(&b, &format!("/chat/{room}/history"))
        .await
        .unwrap();
    assert_eq!(texts(&whole), ["0", "1", "2", "3", "4", "5", "6"]);
    let first = &whole["messages"][0];
    assert_eq!(first["channel_type"], "room");
    assert_eq!(first["channel_id"], room.as_str());
    assert_eq!(first["sender_id"], a.id.as_str());
    assert!(first["sent_at"].as_str().unwrap().ends_with('Z'), "{first}");

    let page = server
        .get(&b, &format!("/chat/{room}/history?limit=3"))
        .await
        .unwrap();
    assert_eq!(texts(&page), ["4", "5", "6"]);
    let before = page["messages"][0]["id"].as_str().unwrap();
    let path = format!("/chat/room%3A{group}/history?limit=3&before={before}");
    let page = server.get(&b, &path).await.unwrap();
    assert_eq!(texts(&page), ["1", "2", "3"]);
    let stranger = server.guest().await;
    assert_eq!(code(server.get(&stranger, &path).await), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_written_yet_is_in_the_history() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    let room = format!("room:{}", server.group(&[&player]).await);
    let chat = &server.services.chat;
    chat.say(&room, "game", "old").unwrap();
    chat.flush().await;
    for n in 0..3 {
        chat.say(&room, "game", &n.to_string()).unwrap();
    }
    let path = format!("/chat/{room}/history?limit=3");
    let at_once = server.get(&player, &path).await.unwrap();
    assert_eq!(texts(&at_once), ["0", "1", "2"]);
    chat.flush().await;
    assert_eq!(server.get(&player, &path).await.unwrap(), at_once);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_for_a_database_that_is_away() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    server.services.chat.flush().await;
    server.sql("ALTER TABLE chat_messages RENAME TO away").await;
    b.ask("chat.join", json!({ "channel_id": room })).await;
    let message = json!({ "channel_id": room, "content": "patience" });
    a.client.send("chat.send", &message).unwrap();
    assert_eq!(b.next("chat.message").await["content"], "patience");
    let direct = json!({ "recipient_id": b.id, "content": "lost" });
    assert_eq!(a.refused("dm.send", direct).await["code"], "internal");
    assert!(b.heard("dm.message").await.is_empty());
    server.sql("ALTER TABLE away RENAME TO chat_messages").await;
    server.services.chat.flush().await;
    let history = server
        .get(&a, &format!("/chat/{room}/history"))
        .await
        .unwrap();
    assert_eq!(texts(&history), ["patience"]);
    let history = server
        .get(&a, &format!("/dm/{}/history", b.id))
        .await
        .unwrap();
    assert!(
        texts(&history).is_empty(),
        "who was told it failed does not find it there"
    );
    say(&a, &room, "again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_messages_go_and_new_ones_stay() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    let room = format!("room:{}", server.group(&[&player]).await);
    // More than one transaction takes.
    for n in 0..1_001 {
        server
            .services
            .chat
            .say(&room, "game", &n.to_string())
            .unwrap();
    }
    server.services.chat.flush().await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let between = now_ms();
    tokio::time::sleep(Duration::from_millis(5)).await;
    say(&player, &room, "new").await;
    assert_eq!(
        pruning::prune(&server.services.db, between).await.unwrap(),
        1_001
    );
    let history = server
        .get(&player, &format!("/chat/{room}/history"))
        .await
        .unwrap();
    assert_eq!(texts(&history), ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_written_in_order() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    let room = format!("room:{}", server.group(&[&player]).await);
    for n in 0..5_000 {
        server
            .services
            .chat
            .say(&room, "game", &n.to_string())
            .unwrap();
    }
    let flushed = server.services.chat.flush();
    tokio::time::timeout(SOON, flushed).await.unwrap();
    let history = server
        .get(&player, &format!("/chat/{room}/history?limit=2"))
        .await
        .unwrap();
    assert_eq!(texts(&history), ["4998", "4999"]);
    assert!(
        server
            .services
            .chat
            .shared
            .writer
            .unwritten(&room)
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_erased_player_wrote_goes() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let room = format!("room:{}", server.group(&[&a, &b]).await);
    say(&a, &room, "mine").await;
    say(&b, &room, "theirs").await;
    for (from, to) in [(&a, &b), (&b, &a)] {
        let direct = json!({ "recipient_id": to.id, "content": "secret" });
        from.ask("dm.send", direct).await;
    }
    let tx = server.services.db.write().await.unwrap();
    crate::chat::erase(&tx, &a.id.as_str().into())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let history = server
        .get(&b, &format!("/chat/{room}/history"))
        .await
        .unwrap();
    assert_eq!(texts(&history), ["theirs"]);
    let history = server
        .get(&b, &format!("/dm/{}/history", a.id))
        .await
        .unwrap();
    assert!(texts(&history).is_empty());
}
