//! Phases, timers, absences and waiting for players, with real clients and a killed server.

use std::time::Duration;

use asobi_client::Client;
use serde_json::{Value, json};

use crate::server::{Player, SOON, Server};

const GAME: &str = r#"
match_size = 2
max_players = 4
guest_auth = true
tick_rate = 50
reconnect_grace = 20

function phases(config)
  return {
    { name = "warmup", duration = 500, config = { map = "forest" } },
    { name = "combat", start = { event = "gate" }, duration = 4000,
      timers = { { id = "bell", duration = 300 } } },
    { name = "results", end_condition = function(s) return s.done end },
  }
end

function init(config) return { log = {}, fired = {}, twice = 0, count = 0 } end
function join(id, s) return s end
function leave(id, s) return s end
function tick(s) return s end

function handle_input(id, input, s)
  if input.gate then game.phase.event("gate") end
  if input.done then s.done = true end
  if input.timers then
    for i = 1, input.timers do game.timer.after(2500 + i % 100, "t", { n = i }) end
    s.beat = game.timer.every(100, "beat")
  end
  if input.wrong then s.wrong = { game.timer.after(-1, "x").error, game.timer.after(1e18, "x").error, game.timer.after(0/0, "x").error } end
  return s
end

function on_timer(name, data, s)
  if name == "bell" then s.log[#s.log + 1] = "bell " .. data.event return s end
  if name == "beat" then s.beats = (s.beats or 0) + 1 return s end
  if s.fired[data.n] then s.twice = s.twice + 1 end
  s.fired[data.n] = true
  s.count = s.count + 1
  return s
end

function on_phase_started(name, s) s.log[#s.log + 1] = "+" .. name return s end
function on_phase_ended(name, s) s.log[#s.log + 1] = "-" .. name return s end
function on_disconnect(id, s) s.log[#s.log + 1] = "gone" return s end
function on_reconnect(id, s) s.log[#s.log + 1] = "back" return s end

function get_state(id, s)
  return { log = s.log, count = s.count, twice = s.twice, wrong = s.wrong, beats = s.beats }
end
"#;

/// The next `match.phase_changed` of this phase and status.
async fn phase(client: &Client, status: &str, name: Value) -> Value {
    let fits = |event: &asobi_client::Event| {
        event.kind == "match.phase_changed"
            && event.json()["status"] == status
            && event.json()["phase"] == name
    };
    let event = client.next_where(SOON, fits).await;
    event.expect("such a phase").json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_goes_through_its_phases() {
    let server = Server::with_game(GAME);
    let (a, b) = server.pair().await;
    let warmup = phase(&a.client, "active", json!("warmup")).await;
    assert_eq!(warmup["config"], json!({"map": "forest"}));
    assert!(warmup["remaining_ms"].as_u64().unwrap() <= 500);
    assert!(warmup["match_id"].is_string());
    let waiting = phase(&a.client, "waiting", json!("combat")).await;
    let condition = json!({"type": "event", "value": "gate"});
    assert_eq!(waiting["start_condition"], condition);

    // Who joins now sees where the match is.
    let c = server.guest().await;
    let joined = c
        .client
        .request("match.join", &json!({"match_id": warmup["match_id"]}))
        .await
        .unwrap()
        .json();
    assert_eq!(joined["phase"]["phase"], "combat");
    assert_eq!(joined["phase"]["start_condition"], condition);
    phase(&c.client, "waiting", json!("combat")).await;

    b.input(json!({"gate": true}));
    let combat = phase(&c.client, "active", json!("combat")).await;
    assert!(combat["remaining_ms"].as_u64().unwrap() > 3_000);
    assert_eq!(combat["timers"]["bell"]["type"], "countdown");
    let results = phase(&b.client, "active", json!("results")).await;
    assert_eq!(results["remaining_ms"], Value::Null);
    let expected = json!([
        "+warmup",
        "-warmup",
        "+combat",
        "bell expired",
        "-combat",
        "+results"
    ]);
    a.state(|state| state["log"] == expected).await;
    a.input(json!({"done": true}));
    phase(&a.client, "complete", Value::Null).await;
    let finished = a.client.next_of("match.finished", SOON).await.unwrap();
    assert_eq!(
        finished.json()["result"],
        json!({"status": "phases_complete"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_and_a_thousand_timers_survive_kill_9() {
    let mut server = Server::with_game(GAME);
    let (a, b) = server.pair().await;
    a.input(json!({"wrong": true}));
    let wrong = a.state(|state| state["wrong"].is_array()).await;
    assert_eq!(wrong["wrong"].as_array().unwrap().len(), 3);
    phase(&a.client, "waiting", json!("combat")).await;
    a.input(json!({"gate": true, "timers": 1000}));
    phase(&a.client, "active", json!("combat")).await;
    a.state(|state| state["beats"].as_i64() >= Some(3)).await;
    // A snapshot is at most a second old.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    server.kill_and_restart();

    let back = Client::connect(&server.url, &a.token).await.unwrap();
    let combat = phase(&back, "active", json!("combat")).await;
    assert!(combat["remaining_ms"].as_u64().unwrap() < 4_000);
    let a = Player { client: back, ..a };
    let state = a.state(|state| state["count"] == 1000).await;
    assert_eq!(state["twice"], 0);
    let beats = state["beats"].as_i64();
    a.state(|state| state["beats"].as_i64() > beats).await;
    phase(&a.client, "active", json!("results")).await;
    let state = a
        .state(|state| state["log"].as_array().unwrap().last() == Some(&json!("+results")))
        .await;
    // b did not come back; a did, perhaps only after the first tick.
    let log = state["log"].as_array().unwrap();
    let of = |what: &str| log.iter().filter(|entry| *entry == what).count();
    assert_eq!(
        (
            of("+combat"),
            of("-combat"),
            of("-warmup"),
            of("bell expired")
        ),
        (1, 1, 1, 1),
        "{log:?}"
    );
    assert_eq!(of("gone"), of("back") + 1, "{log:?}");
    drop(b);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_learns_of_dropped_connections() {
    let server = Server::with_game(GAME);
    let (a, b) = server.pair().await;
    phase(&a.client, "waiting", json!("combat")).await;
    a.client.cut();
    let gone = json!(["+warmup", "-warmup", "gone"]);
    b.state(|state| state["log"] == gone).await;
    let back = Client::connect(&server.url, &a.token).await.unwrap();
    back.next_of("match.joined", SOON).await.unwrap();
    phase(&back, "waiting", json!("combat")).await;
    let back = json!(["+warmup", "-warmup", "gone", "back"]);
    b.state(|state| state["log"] == back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_waits_for_min_players_and_gives_up() {
    let game = format!(
        "{}\nmin_players = 3\n",
        crate::server::GAME.replace("match_size = 2", "match_size = 2 max_players = 4")
    );
    let server = Server::with(&game, &[("ASOBI_MATCHES__WAITING_TIMEOUT_SECONDS", "3")]);
    let (a, b) = server.pair().await;
    let left = b.client.next_of("match.left", SOON).await.unwrap().json();
    assert_eq!(left["reason"], "waiting_timeout");
    a.client.take_events();

    // The next two get the third in time.
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    a.client.matchmaker_add("default").await.unwrap();
    b.client.matchmaker_add("default").await.unwrap();
    let matched = a
        .client
        .next_of("match.matched", SOON)
        .await
        .unwrap()
        .json();
    let joined = c
        .client
        .request("match.join", &json!({"match_id": matched["match_id"]}))
        .await
        .unwrap()
        .json();
    assert_eq!(
        (&joined["status"], &joined["player_count"]),
        (&json!("running"), &json!(3))
    );
    a.input(json!({"move": 2}));
    a.at(2).await;
    drop(b);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_phase_list_is_told_and_not_dropped() {
    let folder = crate::server::folder();
    let broken = GAME.replace("duration = 500", "duration = '500'");
    std::fs::write(folder.join("game/match.lua"), broken).unwrap();
    let started = crate::server::asobi()
        .arg("dev")
        .arg(folder.join("game"))
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&started.stderr).into_owned();
    assert!(!started.status.success(), "{said}");
    let expected = "phases[1] (\"warmup\"): duration = \"500\": expected a number";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("match.lua:10"), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
}
