//! What a game's scripts do with the server around them: storage, notifications, chat.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Player, SOON, Server};

const GAME: &str = r#"
match_size = 1
guest_auth = true
tick_rate = 50
chat = { global = { "lobby", "slow" }, slow_mode = { ["global:slow"] = 30 } }

function init(config)
  local visits = game.storage.get("town", "visits").ok or 0
  local written = game.storage.set("town", "visits", visits + 1)
  return { players = {}, visits = visits + 1, version = written.ok.version }
end

function join(id, state)
  state.players[id] = game.storage.player_get(id, "hero", "sheet").ok or { level = 1 }
  return state
end

function leave(id, state) state.players[id] = nil return state end

function handle_input(id, input, state)
  if input.level then
    state.players[id].level = input.level
    state.saved = game.storage.player_set(id, "hero", "sheet", state.players[id])
  end
  if input.stale then state.stale = game.storage.set("town", "visits", 0, input.stale).error end
  if input.read then state.read = game.storage.read("town", "visits").ok end
  if input.drop then state.dropped = game.storage.player_delete(id, "hero", "sheet").ok end
  if input.list then state.list = game.storage.player_list(id, "hero").ok end
  if input.nobody then state.nobody = game.storage.player_set("nobody", "a", "b", 1).error end
  if input.notify then state.notified = game.notify(id, "quest", "Done", { gold = 5 }) end
  if input.many then state.many = game.notify_many({ id, "nobody" }, "news", "Hello").ok end
  if input.say then state.said = game.chat.send("global:lobby", "herald", input.say) end
  return state
end

function tick(state) return state end
function get_state(id, state) return state end

function chat_filter(channel, sender, text)
  if text == "crash" then error("boom") end
  if text:find("darn") then return (text:gsub("darn", "****")) end
  if text == "forbidden" then return false, "house rules" end
end
"#;

async fn player(server: &Server) -> Player {
    let player = server.guest().await;
    player.client.matchmaker_add("default").await.unwrap();
    player.client.next_of("match.matched", SOON).await.unwrap();
    player
}

async fn say(player: &Player, channel: &str, text: &str) -> Result<Value, String> {
    let message = json!({ "channel_id": channel, "content": text });
    let answer = player.client.request("chat.send", &message).await;
    match answer {
        Ok(event) => Ok(event.json()),
        Err(asobi_client::Error::Server(error)) => {
            Err(format!("{} {}", error.code, json!(error.details)))
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_keep_things_across_matches_and_kill_9() {
    let mut server = Server::with_game(GAME);
    let first = player(&server).await;
    let state = first.state(|state| state["visits"] == 1).await;
    assert_eq!(state["version"], 1);
    first.input(json!({ "level": 7 }));
    let saved = first.state(|state| state["saved"].is_object()).await;
    assert_eq!(saved["saved"]["ok"]["version"], 1);
    server.kill_and_restart();
    let second = player(&server).await;
    let state = second.state(|state| state["visits"].is_number()).await;
    assert_eq!(
        (&state["visits"], &state["version"]),
        (&json!(2), &json!(2))
    );

    second.input(json!({ "stale": 1, "read": true, "nobody": true }));
    let state = second.state(|state| state["read"].is_object()).await;
    assert_eq!(state["stale"], "version_conflict");
    assert_eq!(state["read"], json!({ "value": 2, "version": 2 }));
    assert_eq!(state["nobody"], "player_not_found");
    second.input(json!({ "level": 3 }));
    second.input(json!({ "list": true }));
    let state = second.state(|state| state["list"].is_array()).await;
    let listed = json!([{ "key": "sheet", "value": { "level": 3 }, "version": 1 }]);
    assert_eq!(state["list"], listed);
    second.input(json!({ "drop": true }));
    second.state(|state| state["dropped"] == true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_notify_players_who_are_there_and_find_it_in_the_list() {
    let server = Server::with_game(GAME);
    let player = player(&server).await;
    player.input(json!({ "notify": true, "many": true }));
    let pushed = player
        .client
        .next_of("notification.new", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(
        (&pushed["type"], &pushed["content"]),
        (&json!("quest"), &json!({ "gold": 5 }))
    );
    let state = player.state(|state| state["many"].is_array()).await;
    assert_eq!(state["many"], json!([player.id]));
    assert!(state["notified"]["ok"].is_object());
    let listed: Value = server
        .api()
        .get("/api/v1/notifications", Some(&player.token))
        .await
        .unwrap();
    assert_eq!(listed["notifications"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_speak_in_channels_and_look_at_what_players_say() {
    let server = Server::with_game(GAME);
    let a = player(&server).await;
    for channel in ["global:lobby", "global:slow"] {
        let join = json!({ "channel_id": channel });
        a.client.request("chat.join", &join).await.unwrap();
    }
    a.input(json!({ "say": "hear ye" }));
    let heard = a.client.next_of("chat.message", SOON).await.unwrap().json();
    assert_eq!(
        (&heard["sender_id"], &heard["content"]),
        (&json!("herald"), &json!("hear ye"))
    );

    say(&a, "global:lobby", "darn it").await.unwrap();
    let heard = a.client.next_of("chat.message", SOON).await.unwrap().json();
    assert_eq!(heard["content"], "**** it");
    let refused = say(&a, "global:lobby", "forbidden").await.unwrap_err();
    assert!(
        refused.starts_with("chat.refused") && refused.contains("house rules"),
        "{refused}"
    );
    // A filter that fails lets nothing through, and says so to who develops the game.
    let failed = say(&a, "global:lobby", "crash").await.unwrap_err();
    assert!(failed.starts_with("chat.refused"), "{failed}");
    let fault = a.client.next_of("module.error", SOON).await.unwrap().json();
    assert_eq!(fault["callback"], "chat_filter");

    say(&a, "global:slow", "one").await.unwrap();
    let slow = say(&a, "global:slow", "two").await.unwrap_err();
    assert!(
        slow.starts_with("chat.slow_mode") && slow.contains("retry_after"),
        "{slow}"
    );
    let unknown = say(&a, "global:nowhere", "x").await.unwrap_err();
    assert!(unknown.starts_with("forbidden"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_filter_counts_at_once() {
    let server = Server::with_game(GAME);
    let a = player(&server).await;
    let join = json!({ "channel_id": "global:lobby" });
    a.client.request("chat.join", &join).await.unwrap();
    say(&a, "global:lobby", "fine").await.unwrap();
    std::fs::write(
        server.script("hooks.lua"),
        "function chat_filter() return false, 'closed' end",
    )
    .unwrap();
    for _ in 0..100 {
        if say(&a, "global:lobby", "fine").await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the filter was not taken up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kicked_member_hears_no_more() {
    let server = Server::with_game(GAME);
    let (owner, member) = (player(&server).await, player(&server).await);
    let api = server.api();
    let new = json!({ "name": "Crew", "open": true });
    let group: Value = api
        .post("/api/v1/groups", Some(&owner.token), &new)
        .await
        .unwrap();
    let group = group["id"].as_str().unwrap();
    let path = format!("/api/v1/groups/{group}/join");
    let _: Value = api
        .post(&path, Some(&member.token), &json!({}))
        .await
        .unwrap();
    let channel = format!("room:{group}");
    for one in [&owner, &member] {
        let join = json!({ "channel_id": channel });
        one.client.request("chat.join", &join).await.unwrap();
    }
    say(&owner, &channel, "welcome").await.unwrap();
    member.client.next_of("chat.message", SOON).await.unwrap();
    let path = format!("/api/v1/groups/{group}/members/{}", member.id);
    let delete = axum::http::Method::DELETE;
    let _: Value = api
        .call(delete, &path, Some(&owner.token), None::<&()>)
        .await
        .unwrap();
    let left = member.client.next_of("chat.left", SOON).await.unwrap();
    assert_eq!(left.json()["channel_id"], channel);
    say(&owner, &channel, "good riddance").await.unwrap();
    let heard = member
        .client
        .next_of("chat.message", Duration::from_millis(700))
        .await;
    assert!(heard.is_err());
}
