//! Bad input is normal: every frame and route answers it with its code, and lives on.

use serde_json::{Value, json};

use crate::test_server::{TestServer, code};

const ID: &str = "0197a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b";

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_chat() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    let room = format!("room:{}", server.group(&[&player]).await);
    let long = format!("room:{}", "x".repeat(252));
    let bad_ids = [
        json!(null),
        json!(7),
        json!([]),
        json!({}),
        json!(""),
        json!("lobby"),
        json!("Room:x"),
        json!("room:\u{0}"),
        json!("room:\u{202E}x"),
        json!(long),
    ];
    for id in bad_ids {
        for (kind, payload) in [
            ("chat.join", json!({ "channel_id": id })),
            ("chat.send", json!({ "channel_id": id, "content": "x" })),
        ] {
            let refused = player.refused(kind, payload).await;
            assert_eq!(refused["code"], "chat.invalid_channel_id", "{kind} {id}");
            assert_eq!(refused["reason"], "invalid_channel_id");
        }
    }
    for payload in [json!({}), json!({ "channel_id": [1] })] {
        let refused = player.refused("chat.leave", payload).await;
        assert_eq!(refused["code"], "chat.invalid_channel_id");
    }
    for kind in [
        "chat.join",
        "chat.leave",
        "chat.send",
        "dm.send",
        "presence.update",
    ] {
        for payload in [json!("text"), json!(7)] {
            let refused = player.refused(kind, payload).await;
            assert_eq!(refused["code"], "invalid_payload", "{kind}");
        }
    }
    for nobodys in [
        "room:",
        "room:x",
        "room:00000000-0000-0000-0000-000000000000",
        &format!("room:{}", ID.to_uppercase()),
        "match:x",
        &format!("match:{ID}"),
        "dm:",
        "dm:a:b",
        &format!("dm:{ID}:{ID}"),
        &format!("dm:{}:{ID}", player.id),
        &format!("dm:{ID}:{}", player.id),
        &format!("dm:{}:", player.id),
        "world:w",
        "zone:w:1,2",
        "prox:w:1,2",
        "party:p",
    ] {
        let channel = json!({ "channel_id": nobodys, "content": "x" });
        for kind in ["chat.join", "chat.send"] {
            let refused = player.refused(kind, channel.clone()).await;
            assert_eq!(refused["code"], "forbidden", "{kind} {nobodys}");
        }
    }
    let content = |content: Value| json!({ "channel_id": room, "content": content });
    for (text, code) in [
        (json!(null), "chat.content_empty"),
        (json!(""), "chat.content_empty"),
        (json!("x".repeat(2_001)), "chat.content_too_large"),
        (json!("é".repeat(1_001)), "chat.content_too_large"),
        (json!(7), "chat.invalid_content"),
        (json!({}), "chat.invalid_content"),
        (json!("a\u{0}b"), "chat.invalid_content"),
        (json!("\u{1b}[31m"), "chat.invalid_content"),
    ] {
        let refused = player.refused("chat.send", content(text)).await;
        assert_eq!(refused["code"], code);
        assert_eq!(refused["reason"], code);
    }
    let missing = player
        .refused("chat.send", json!({ "channel_id": room }))
        .await;
    assert_eq!(missing["code"], "chat.content_empty");
    player
        .ask("chat.send", content(json!("x".repeat(2_000))))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_and_bodies_of_direct_messages() {
    let server = TestServer::start().await;
    let (a, b) = (server.guest().await, server.guest().await);
    let cases = [
        (
            json!({ "recipient_id": 7, "content": "x" }),
            "ws.request_failed",
            "invalid_payload",
        ),
        (
            json!({ "recipient_id": b.id, "content": 7 }),
            "ws.request_failed",
            "invalid_payload",
        ),
        (
            json!({ "recipient_id": b.id, "content": null }),
            "ws.request_failed",
            "invalid_payload",
        ),
        (
            json!({ "recipient_id": b.id }),
            "missing_field",
            "invalid_payload",
        ),
        (
            json!({ "content": "x" }),
            "missing_field",
            "invalid_payload",
        ),
        (json!({}), "missing_field", "invalid_payload"),
    ];
    for (body, frame, rest) in cases {
        let refused = a.refused("dm.send", body.clone()).await;
        assert_eq!(refused["code"], frame, "{body}");
        assert_eq!(
            code(server.post(&a, "/dm", body.clone()).await),
            rest,
            "{body}"
        );
    }
    let to = |id: &str, text: &str| json!({ "recipient_id": id, "content": text });
    let cases = [
        (to(&b.id, ""), "dm.content_empty"),
        (to(&b.id, &"x".repeat(2_001)), "dm.content_too_large"),
        (to(&b.id, "a\u{0}b"), "dm.invalid_content"),
        (to("", "x"), "dm.recipient_not_found"),
        (to("bot_Anne_1", "x"), "dm.recipient_not_found"),
        (to("a\u{0}b", "x"), "dm.recipient_not_found"),
        (to(ID, "x"), "dm.recipient_not_found"),
        (to(&b.id.to_uppercase(), "x"), "dm.recipient_not_found"),
    ];
    for (body, expected) in cases {
        let refused = a.refused("dm.send", body.clone()).await;
        assert_eq!(refused["code"], expected, "{body}");
        assert_eq!(
            code(server.post(&a, "/dm", body.clone()).await),
            expected,
            "{body}"
        );
    }
    assert_eq!(
        code(server.post(&a, "/dm", json!([])).await),
        "invalid_payload"
    );
    let anonymous = server
        .api()
        .post::<Value>("/api/v1/dm", None, &to(&b.id, "x"))
        .await;
    assert_eq!(code(anonymous), "unauthenticated");
    assert!(b.heard("dm.message").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn histories() {
    let server = TestServer::start().await;
    let player = server.guest().await;
    let room = format!("room:{}", server.group(&[&player]).await);
    for channel in [
        "room:x", "nowhere", "dm:a:b", "%00", "room:%00", "room:%ff", "%20",
    ] {
        let answer = code(
            server
                .get(&player, &format!("/chat/{channel}/history"))
                .await,
        );
        let expected = if channel == "room:%ff" {
            "not_found"
        } else {
            "forbidden"
        };
        assert_eq!(answer, expected, "{channel}");
    }
    for other in ["x", "%00", "bot_Anne_1"] {
        let answer = code(server.get(&player, &format!("/dm/{other}/history")).await);
        assert_eq!(answer, "dm.recipient_not_found", "{other}");
    }
    for before in ["x", "%00", "1"] {
        for path in [format!("/chat/{room}"), format!("/dm/{ID}")] {
            let path = format!("{path}/history?before={before}");
            assert_eq!(
                code(server.get(&player, &path).await),
                "invalid_payload",
                "{path}"
            );
        }
    }
    for limit in ["abc", "-5", "99999999999999999999", ""] {
        let path = format!("/chat/{room}/history?limit={limit}");
        assert_eq!(
            server.get(&player, &path).await.unwrap(),
            json!({ "messages": [] })
        );
    }
    let nobodys = server
        .get(&player, &format!("/dm/{ID}/history"))
        .await
        .unwrap();
    assert_eq!(nobodys["messages"], json!([]));
    for path in [
        format!("/api/v1/chat/{room}/history"),
        format!("/api/v1/dm/{ID}/history"),
    ] {
        assert_eq!(
            code(server.api().get::<Value>(&path, None).await),
            "unauthenticated"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_nothing_but_errors() {
    let server = TestServer::start().await;
    let client = server.open().await;
    for kind in [
        "chat.join",
        "chat.leave",
        "chat.send",
        "dm.send",
        "presence.update",
    ] {
        let refused = client.request(kind, &json!({})).await;
        assert_eq!(code(refused), "unauthenticated", "{kind}");
    }
}
