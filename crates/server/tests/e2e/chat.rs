//! Chat of real clients, and what of it survives a killed process. The rest of chat is tested
//! beside it, in `src/chat/tests`.

use std::time::Duration;

use asobi_client::Client;
use serde_json::{Value, json};

use crate::server::{Player, SOON, Server};

fn direct(to: &Player, text: &str) -> Value {
    json!({ "recipient_id": to.id, "content": text })
}

async fn history(server: &Server, player: &Player, path: &str) -> Vec<Value> {
    let path = format!("/api/v1/{path}/history");
    let answer: Value = server.api().get(&path, Some(&player.token)).await.unwrap();
    answer["messages"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_message_acknowledged_survives_kill_9_and_arrives_later() {
    let mut server = Server::start();
    let (a, b) = (server.guest().await, server.guest().await);
    b.client.cut();
    let mut ids = Vec::new();
    for round in 0..3 {
        let a = Client::connect(&server.url, &a.token).await.unwrap();
        let message = direct(&b, &format!("promise {round}"));
        let sent = a.request("dm.send", &message).await.unwrap().json();
        ids.push(sent["id"].clone());
        server.kill_and_restart();
    }
    let kept = history(&server, &a, &format!("dm/{}", b.id)).await;
    let kept: Vec<&Value> = kept.iter().map(|message| &message["id"]).collect();
    assert_eq!(kept, ids.iter().collect::<Vec<_>>());
    let b = Client::connect(&server.url, &b.token).await.unwrap();
    for id in &ids {
        let message = b.next_of("dm.message", SOON).await.unwrap().json();
        assert_eq!(message["id"], *id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn players_of_a_match_talk_and_what_is_acknowledged_survives_kill_9() {
    let mut server = Server::start();
    let (a, b) = server.pair().await;
    let token = json!({ "token": a.token });
    let welcome = a.client.request("session.connect", &token).await;
    let welcome = welcome.unwrap().json();
    let channel = format!("match:{}", welcome["match_id"].as_str().unwrap());
    b.client
        .request("chat.join", &json!({ "channel_id": channel }))
        .await
        .unwrap();
    let message = json!({ "channel_id": channel, "content": "to the left" });
    let sent = a.client.request("chat.send", &message).await.unwrap();
    assert_eq!(sent.kind, "chat.sent");
    let heard = b.client.next_of("chat.message", SOON).await.unwrap().json();
    assert_eq!(heard["id"], sent.json()["id"]);
    // The match's snapshot, so that the match is there again.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let sent = a.client.request("chat.send", &message).await.unwrap();
    server.kill_and_restart();
    let kept = history(&server, &b, &format!("chat/{channel}")).await;
    assert_eq!(kept.last().unwrap()["id"], sent.json()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_loses_nothing_that_was_said() {
    let mut server = Server::start();
    let (a, b) = (server.guest().await, server.guest().await);
    let channel = [&a.id, &b.id].map(String::as_str);
    let channel = format!(
        "dm:{}:{}",
        channel[0].min(channel[1]),
        channel[0].max(channel[1])
    );
    for n in 0..5 {
        let message = json!({ "channel_id": channel, "content": n.to_string() });
        a.client.send("chat.send", &message).unwrap();
    }
    a.client.heartbeat().await.unwrap();
    assert!(server.terminate().success());
    server.start_again();
    let kept = history(&server, &b, &format!("chat/{channel}")).await;
    let kept: Vec<&Value> = kept.iter().map(|message| &message["content"]).collect();
    assert_eq!(kept, ["0", "1", "2", "3", "4"]);
}
