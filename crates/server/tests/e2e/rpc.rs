//! Methods of the game that clients call.

use axum::body::Bytes;
use axum::http::Request;
use serde_json::{Value, json};

use crate::server::{Player, SOON, Server, folder};

const GAME: &str = r#"
match_size = 2
guest_auth = true
function init() return {} end
function join(id, s) return s end
function leave(id, s) return s end
function handle_input(id, i, s) return s end
function tick(s) return s end
function get_state(id, s) return s end
"#;

const METHODS: &str = r#"
return {
  claim = function(player, params)
    if params.quest_id == "done" then return nil, "already_claimed" end
    local before = game.storage.player_read(player, "quests", "claimed").ok
    local n = (before and before.value or 0) + 1
    game.storage.player_set(player, "quests", "claimed", n)
    game.send(player, { claimed = n })
    return { reward = 250, n = n }
  end,
  crash = function() error("boom") end,
  spin = function() while true do end end,
  list = function() return { 1, 2 } end,
}
"#;

fn serve() -> Server {
    let folder = folder();
    std::fs::create_dir_all(folder.join("game/rpc")).unwrap();
    std::fs::write(folder.join("game/match.lua"), GAME).unwrap();
    std::fs::write(folder.join("game/rpc/quests.lua"), METHODS).unwrap();
    Server::in_folder(folder, &[])
}

async fn call(player: &Player, payload: Value) -> (String, Value) {
    let answer = player.client.request("rpc.call", &payload).await.unwrap();
    (answer.kind.to_string(), answer.json())
}

/// The error's code and details.
fn error(payload: &Value) -> (&str, &Value) {
    assert!(payload.get("reason").is_none(), "{payload}");
    let error = &payload["error"];
    (error["code"].as_str().unwrap(), &error["details"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_answers_over_the_socket_and_over_rest() {
    let server = serve();
    let player = server.guest().await;
    let claim = json!({ "protocol": 1, "method": "quests.claim", "params": { "quest_id": "q" } });
    let (kind, payload) = call(&player, claim).await;
    assert_eq!(kind, "rpc.ok");
    assert_eq!(payload, json!({ "result": { "reward": 250, "n": 1 } }));
    let sent = player.client.next_of("module.message", SOON).await.unwrap();
    assert_eq!(sent.json()["message"], json!({ "claimed": 1 }));

    let path = "/api/v1/rpc/quests.claim";
    let body = json!({ "params": { "quest_id": "q" } });
    let answer: Value = server
        .api()
        .post(path, Some(&player.token), &body)
        .await
        .unwrap();
    let expected = json!({ "type": "rpc.ok", "payload": { "result": { "reward": 250, "n": 2 } } });
    assert_eq!(answer, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_game_refuses_and_what_fails_has_a_code_of_ours() {
    let server = serve();
    let player = server.guest().await;
    for (method, code) in [
        ("quests.none", "rpc.unknown_method"),
        ("claim", "rpc.unknown_method"),
        ("", "rpc.unknown_method"),
        ("quests.crash", "internal"),
        ("quests.spin", "internal"),
        ("quests.list", "internal"),
    ] {
        let (kind, payload) = call(&player, json!({ "protocol": 1, "method": method })).await;
        assert_eq!(
            (kind.as_str(), error(&payload).0),
            ("rpc.error", code),
            "{method}"
        );
    }
    let done = json!({ "protocol": 1, "method": "quests.claim", "params": { "quest_id": "done" } });
    let (_, payload) = call(&player, done).await;
    let refused = ("rpc.failed", &json!({ "reason": "already_claimed" }));
    assert_eq!(error(&payload), refused);
    let fault = player
        .client
        .next_of("module.error", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(fault["script"], "rpc/quests.lua");

    let path = "/api/v1/rpc/quests.claim";
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", player.token))
        .body(Bytes::from_static(br#"{"params":{"quest_id":"done"}}"#));
    let answer = server.api().exchange(request.unwrap()).await.unwrap();
    assert_eq!(answer.status, 422);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["type"], "rpc.error");
    assert_eq!(error(&body["payload"]), refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_wrong_shape_are_refused() {
    let server = serve();
    let player = server.guest().await;
    for (payload, code) in [
        (
            json!({ "method": "quests.claim" }),
            "rpc.unsupported_protocol",
        ),
        (
            json!({ "protocol": "1", "method": "quests.claim" }),
            "rpc.unsupported_protocol",
        ),
        (
            json!({ "protocol": 2, "method": "quests.claim" }),
            "rpc.unsupported_protocol",
        ),
        (json!({ "protocol": 1, "method": 7 }), "rpc.unknown_method"),
        (
            json!({ "protocol": 1, "method": "quests.claim", "params": [] }),
            "rpc.invalid_params",
        ),
        (
            json!({ "protocol": 1, "method": "quests.claim", "params": 7 }),
            "rpc.invalid_params",
        ),
        (json!([1]), "invalid_payload"),
    ] {
        let (kind, answer) = call(&player, payload.clone()).await;
        assert_eq!(
            (kind.as_str(), error(&answer).0),
            ("rpc.error", code),
            "{payload}"
        );
    }
    // Without a cid there is nothing to pair the answer with.
    let claim = json!({ "protocol": 1, "method": "quests.claim" });
    player.client.send("rpc.call", &claim).unwrap();
    let answer = player.client.next_of("rpc.error", SOON).await.unwrap();
    assert_eq!(error(&answer.json()).0, "rpc.invalid_cid");
}
