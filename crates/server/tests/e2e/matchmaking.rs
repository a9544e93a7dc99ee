//! Who meets whom: skill, regions, properties, sides, places in running matches, failed starts.

use std::time::Duration;

use asobi_client::Error;
use serde_json::{Value, json};

use crate::server::{Player, SOON, Server, folder};

/// A game of as many modes as there are scripts; each declares its own globals.
pub(crate) fn game(modes: &[(&str, &str)]) -> Server {
    game_with(modes, &[], &[])
}

pub(crate) fn game_with(
    modes: &[(&str, &str)],
    files: &[(&str, &str)],
    settings: &[(&str, &str)],
) -> Server {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.join("game").join(name), text);
    let mut config = String::from("guest_auth = true\nreturn {");
    for (name, globals) in modes {
        config.push_str(&format!(" {name} = \"{name}.lua\","));
        write(&format!("{name}.lua"), &format!("{globals}\n{PLAY}")).unwrap();
    }
    write("config.lua", &format!("{config} }}")).unwrap();
    for (name, text) in files {
        write(name, text).unwrap();
    }
    Server::in_folder(folder, settings)
}

/// What every mode here plays: it shows who came with what context.
const PLAY: &str = r#"
tick_rate = 50
function init(config) return { joined = {} } end
function join(id, state, ctx)
  if ctx and ctx.backfill and refuse_late then return nil, "too late" end
  state.joined[id] = ctx or {}
  return state
end
function leave(id, state) state.joined[id] = nil return state end
function handle_input(id, input, state)
  if input.lock then game.match.set_joinable(false) end
  return state
end
function tick(state) return state end
function get_state(id, state) return state end
"#;

pub(crate) async fn queue(player: &Player, mode: &str, properties: Value) -> Result<Value, Value> {
    let ticket = json!({ "mode": mode, "properties": properties });
    ask(player, "matchmaker.add", ticket).await
}

/// A request, answered by its payload or its error with its details.
pub(crate) async fn ask(player: &Player, kind: &str, payload: Value) -> Result<Value, Value> {
    match player.client.request(kind, &payload).await {
        Ok(event) => Ok(event.json()),
        Err(Error::Server(error)) => Err(json!({ "code": error.code, "details": error.details })),
        Err(other) => panic!("{other}"),
    }
}

pub(crate) async fn matched(player: &Player) -> Value {
    let event = player.client.next_of("match.matched", SOON).await;
    event.expect("a match").json()
}

/// Nothing of this kind comes for a moment.
pub(crate) async fn never(player: &Player, kind: &str) {
    let event = player
        .client
        .next_of(kind, Duration::from_millis(400))
        .await;
    assert!(event.is_err(), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn skill_keeps_strangers_apart_until_they_have_waited() {
    let server = game(&[(
        "ranked",
        "match_size = 2 strategy = 'skill_based' skill_window = 100 skill_expand_rate = 900",
    )]);
    let (low, high, near) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    queue(&low, "ranked", json!({ "skill": 1000 }))
        .await
        .unwrap();
    queue(&high, "ranked", json!({ "skill": 1900 }))
        .await
        .unwrap();
    never(&low, "match.matched").await;
    queue(&near, "ranked", json!({ "skill": 1090.5 }))
        .await
        .unwrap();
    let (a, b) = (matched(&low).await, matched(&near).await);
    assert_eq!(a["match_id"], b["match_id"]);
    never(&high, "match.matched").await;
    // After 5 seconds of waiting 100 has become 1000; with a newcomer's 100 that is 550.
    let late = server.guest().await;
    queue(&late, "ranked", json!({ "skill": 1400 }))
        .await
        .unwrap();
    assert_eq!(matched(&high).await["players"], json!([high.id, late.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_meet_only_themselves() {
    let server = game(&[
        ("near", "match_size = 2 match_regions = true"),
        ("far", "match_size = 2"),
    ]);
    let players = [
        server.guest().await,
        server.guest().await,
        server.guest().await,
    ];
    for (player, region) in players.iter().zip(["eu", "us", "eu"]) {
        queue(player, "near", json!({ "region": region }))
            .await
            .unwrap();
    }
    assert_eq!(
        matched(&players[0]).await["players"],
        json!([players[0].id, players[2].id])
    );
    never(&players[1], "match.matched").await;
    let other = server.guest().await;
    queue(&players[1], "far", json!({ "region": "us" }))
        .await
        .unwrap();
    queue(&other, "far", json!({ "region": "eu" }))
        .await
        .unwrap();
    matched(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_properties_have_a_name_over_socket_and_rest() {
    let server = game(&[("arena", "match_size = 2")]);
    let player = server.guest().await;
    let mut many = serde_json::Map::new();
    (0..17).for_each(|n| drop(many.insert(format!("k{n}"), json!(n))));
    for (bad, reason) in [
        (Value::Object(many), "too_many_keys"),
        (json!({ "a": { "b": 1 } }), "nested"),
        (json!({ "a": [1] }), "nested"),
        (json!({ "a\u{0}": 1 }), "invalid_key"),
        (json!({ "a": "x".repeat(300) }), "too_long"),
        (json!({ "skill": "high" }), "invalid_skill"),
        (json!({ "skill": 1e12 }), "invalid_skill"),
        (json!({ "region": 5 }), "invalid_region"),
        (json!({ "region": "\u{202e}eu" }), "invalid_region"),
    ] {
        let refused = queue(&player, "arena", bad.clone()).await.unwrap_err();
        assert_eq!(refused["code"], "matchmaker.invalid_properties", "{bad}");
        assert_eq!(refused["details"]["reason"], reason, "{bad}");
        let body = json!({ "mode": "arena", "properties": bad });
        let answer = server
            .api()
            .post::<Value>("/api/v1/matchmaker", Some(&player.token), &body)
            .await;
        let Err(Error::Server(error)) = answer else {
            panic!("taken: {body}");
        };
        assert_eq!(error.code, "matchmaker.invalid_properties");
    }
    for bad in [json!(7), json!(null), json!([]), json!("x")] {
        let refused = queue(&player, "arena", bad).await.unwrap_err();
        assert_eq!(refused["code"], "invalid_payload");
    }
    for mode in [json!("nope"), json!("a\u{0}"), json!("x".repeat(5_000))] {
        let refused = queue(&player, mode.as_str().unwrap(), json!({})).await;
        assert_eq!(refused.unwrap_err()["code"], "matchmaker.unknown_mode");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_survives_a_reconnect_and_shows_in_the_statistics() {
    let server = game(&[("arena", "match_size = 2"), ("empty", "match_size = 3")]);
    let mut player = server.guest().await;
    let first = queue(&player, "arena", json!({})).await.unwrap();
    assert_eq!(first["already_queued"], false);
    player.client.cut();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Passed over while away.
    let other = server.guest().await;
    queue(&other, "arena", json!({})).await.unwrap();
    never(&other, "match.matched").await;
    let stats: Value = server
        .api()
        .get("/api/v1/matchmaker/stats", Some(&other.token))
        .await
        .unwrap();
    assert_eq!(stats["waiting"], 2);
    let modes = stats["modes"].as_array().unwrap();
    let arena = modes.iter().find(|mode| mode["mode"] == "arena").unwrap();
    assert_eq!(
        (&arena["waiting"], &arena["tickets"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(arena["players_needed"], 2);
    assert!(arena["oldest_wait_ms"].as_u64() >= Some(200), "{arena}");
    assert!(arena["average_wait_ms"].as_u64() <= arena["oldest_wait_ms"].as_u64());
    let empty = modes.iter().find(|mode| mode["mode"] == "empty").unwrap();
    assert_eq!(
        (&empty["waiting"], &empty["oldest_wait_ms"]),
        (&json!(0), &json!(0))
    );
    let anonymous = server
        .api()
        .get::<Value>("/api/v1/matchmaker/stats", None)
        .await;
    assert!(anonymous.is_err());

    player.client.reconnect().await.unwrap();
    let again = queue(&player, "arena", json!({})).await;
    // Matched at once, or still there: never a second ticket.
    if let Ok(again) = again
        && again["already_queued"] == true
    {
        assert_eq!(again["ticket_id"], first["ticket_id"]);
    }
    matched(&player).await;
    matched(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn re_adding_answers_the_ticket_there_is() {
    let server = game(&[("arena", "match_size = 2")]);
    let mut player = server.guest().await;
    let first = queue(&player, "arena", json!({ "skill": 5 }))
        .await
        .unwrap();
    player.client.reconnect().await.unwrap();
    let again = queue(&player, "arena", json!({ "skill": 9 }))
        .await
        .unwrap();
    assert_eq!(again["already_queued"], true);
    assert_eq!(again["ticket_id"], first["ticket_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_does_not_start_is_tried_three_times() {
    let server = game(&[("broken", "match_size = 1"), ("arena", "match_size = 1")]);
    let script = server.script("broken.lua");
    let text = std::fs::read_to_string(&script).unwrap();
    let text = text.replace(
        "function init(config)",
        "function init(config) error('no') end function x()",
    );
    std::fs::write(&script, text).unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let player = server.guest().await;
    queue(&player, "broken", json!({})).await.unwrap();
    let failed = player.client.next_of("match.matchmaker_failed", SOON).await;
    assert_eq!(
        failed.unwrap().json(),
        json!({ "reason": "match_start_failed" })
    );
    assert!(server.log().matches("lua callback failed").count() >= 3);
    queue(&player, "arena", json!({})).await.unwrap();
    matched(&player).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_expire() {
    let server = game_with(
        &[("arena", "match_size = 2")],
        &[],
        &[("ASOBI_MATCHMAKER__MAX_WAIT_SECONDS", "1")],
    );
    let player = server.guest().await;
    let ticket = queue(&player, "arena", json!({})).await.unwrap();
    let expired = player
        .client
        .next_of("match.matchmaker_expired", SOON)
        .await;
    assert_eq!(
        expired.unwrap().json(),
        json!({ "ticket_id": ticket["ticket_id"] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sides_are_told_to_players_and_script() {
    let server = game(&[("duel", "match_size = 2 teams = 2")]);
    let (a, b) = (server.guest().await, server.guest().await);
    queue(&a, "duel", json!({})).await.unwrap();
    queue(&b, "duel", json!({})).await.unwrap();
    let told = matched(&a).await;
    let teams = told["teams"].as_array().unwrap();
    assert_eq!(teams.len(), 2);
    let mut all: Vec<&Value> = teams.iter().flat_map(|t| t.as_array().unwrap()).collect();
    all.sort_by_key(|id| id.as_str());
    let mut ids = [json!(a.id), json!(b.id)];
    ids.sort_by_key(|id| id.to_string());
    assert_eq!(all, ids.iter().collect::<Vec<_>>());
    let state = a.state(|state| state["joined"][&b.id].is_object()).await;
    let side = |id: &str| state["joined"][id]["team"].as_u64().unwrap() as usize;
    assert_eq!(teams[side(&a.id) - 1], json!([a.id]));
    assert_eq!(teams[side(&b.id) - 1], json!([b.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_match_with_room_takes_waiting_players() {
    let server = game(&[
        ("open", "match_size = 2 max_players = 3 backfill = true"),
        ("closed", "match_size = 2 max_players = 3"),
    ]);
    for mode in ["open", "closed"] {
        let (a, b) = (server.guest().await, server.guest().await);
        queue(&a, mode, json!({})).await.unwrap();
        queue(&b, mode, json!({})).await.unwrap();
        let first = matched(&a).await;
        let late = server.guest().await;
        queue(&late, mode, json!({})).await.unwrap();
        if mode == "closed" {
            never(&late, "match.matched").await;
            continue;
        }
        let told = matched(&late).await;
        assert_eq!(told["match_id"], first["match_id"]);
        assert_eq!(told["backfill"], true);
        let state = a.state(|state| state["joined"][&late.id].is_object()).await;
        assert_eq!(state["joined"][&late.id]["backfill"], true);
        // Full now: the next waits.
        let last = server.guest().await;
        queue(&last, mode, json!({})).await.unwrap();
        never(&last, "match.matched").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_turns_latecomers_away_fails_their_ticket_in_the_end() {
    let server = game(&[(
        "open",
        "match_size = 2 max_players = 3 backfill = true refuse_late = true",
    )]);
    let (a, b) = (server.guest().await, server.guest().await);
    queue(&a, "open", json!({})).await.unwrap();
    queue(&b, "open", json!({})).await.unwrap();
    matched(&a).await;
    let late = server.guest().await;
    queue(&late, "open", json!({})).await.unwrap();
    let failed = late.client.next_of("match.matchmaker_failed", SOON).await;
    assert_eq!(
        failed.unwrap().json(),
        json!({ "reason": "match_start_failed" })
    );
    // One that locks itself is not asked at all.
    a.input(json!({ "lock": true }));
    tokio::time::sleep(Duration::from_millis(200)).await;
    queue(&late, "open", json!({})).await.unwrap();
    never(&late, "match.matchmaker_failed").await;
}

/// Pairs those who say the same word; does on request what no strategy should.
const OWN: &str = r#"
function match(tickets, config)
  local waiting, groups = {}, {}
  for _, ticket in ipairs(tickets) do
    local word = ticket.properties.word
    if word == "boom" then error("boom") end
    if word == "spin" then while true do end end
    if word == "garbage" then return { f = function() end } end
    if word == "nothing" then return nil end
    if word == "twice" then return { { ticket.id, ticket.id } } end
    if word == "unknown" then return { { ticket.id, "nobody" } } end
    if word == "many" and #tickets >= 3 then
      return { { tickets[1].id, tickets[2].id, tickets[3].id } }
    end
    if word == "half" and ticket.size == 2 then return { { ticket.players[2] } } end
    if waiting[word] then
      groups[#groups + 1] = { waiting[word], ticket.id }
      waiting[word] = nil
    else
      waiting[word] = ticket.id
    end
  end
  return groups
end
"#;

fn own_strategy() -> Server {
    let modes = [
        ("own", "match_size = 2 strategy = 'strategy.lua'"),
        ("arena", "match_size = 2"),
    ];
    game_with(&modes, &[("strategy.lua", OWN)], &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_groups_its_tickets_itself_and_changes_its_mind() {
    let server = own_strategy();
    let mut players = Vec::new();
    for word in ["red", "blue", "red", "green"] {
        let player = server.guest().await;
        queue(&player, "own", json!({ "word": word }))
            .await
            .unwrap();
        players.push(player);
    }
    let told = matched(&players[0]).await;
    assert_eq!(told["players"], json!([players[0].id, players[2].id]));
    never(&players[1], "match.matched").await;
    let anyone = "function match(tickets) return #tickets > 1 and { { tickets[1].id, tickets[2].id } } or {} end";
    std::fs::write(server.script("strategy.lua"), anyone).unwrap();
    let told = matched(&players[1]).await;
    assert_eq!(told["players"], json!([players[1].id, players[3].id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_misbehaves_is_named_and_holds_up_nobody_else() {
    for (word, why) in [
        ("boom", "boom"),
        ("spin", "CPU budget"),
        ("garbage", "garbage"),
        ("nothing", "garbage"),
        ("twice", "ticket_twice"),
        ("unknown", "unknown_ticket"),
        ("many", "too_many_players"),
        ("half", "half_a_party"),
    ] {
        let server = own_strategy();
        let (a, b, c) = (
            server.guest().await,
            server.guest().await,
            server.guest().await,
        );
        if word == "half" {
            let party = ask(&b, "party.create", json!({})).await.unwrap();
            ask(&b, "party.invite", json!({ "player_id": c.id }))
                .await
                .unwrap();
            ask(&c, "party.accept", json!({ "party_id": party["party_id"] }))
                .await
                .unwrap();
            let ticket = json!({ "mode": "own", "properties": { "word": word } });
            ask(&b, "party.queue", ticket).await.unwrap();
        } else {
            for (player, word) in [(&a, word), (&b, "x"), (&c, "y")] {
                queue(player, "own", json!({ "word": word })).await.unwrap();
            }
        }
        let fault = |event: &asobi_client::Event| {
            let payload = event.json();
            let said = payload["message"]
                .as_str()
                .is_some_and(|text| text.contains(why));
            event.kind == "module.error" && said && payload["callback"] == "match"
        };
        let told = b.client.next_where(SOON, fault).await;
        assert_eq!(told.expect(word).json()["script"], "strategy.lua");
        // They wait on, and another queue goes on.
        let stats: Value = server
            .api()
            .get("/api/v1/matchmaker/stats", Some(&a.token))
            .await
            .unwrap();
        let mut modes = stats["modes"].as_array().unwrap().iter();
        let own = modes.find(|mode| mode["mode"] == "own").unwrap();
        assert!(own["waiting"].as_u64() >= Some(2), "{word}: {stats}");
        let others = (server.guest().await, server.guest().await);
        queue(&others.0, "arena", json!({})).await.unwrap();
        queue(&others.1, "arena", json!({})).await.unwrap();
        matched(&others.0).await;
    }
}
