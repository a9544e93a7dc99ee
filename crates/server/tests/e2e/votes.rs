//! Votes of every kind, from the request of a script to the history.

use std::time::{Duration, Instant};

use asobi_client::Client;
use serde_json::{Value, json};

use crate::server::{Player, SOON, Server};

/// Two players; whoever sends `{"ask": vote}` has that vote held.
const GAME: &str = r#"
match_size = 2
guest_auth = true
tick_rate = 20
veto_tokens_per_player = 1
vote_templates = { house = { method = "ranked", tie_breaker = "first" } }

function init(config) return { resolved = {} } end
function join(id, state) return state end
function leave(id, state) return state end
function handle_input(id, input, state)
  state.ask = input.ask
  return state
end
function tick(state) return state end
function vote_requested(state)
  local ask = state.ask
  state.ask = nil
  return ask
end
function vote_resolved(template, result, state)
  state.resolved[template] = { winner = result.winner or "none", status = result.status or "resolved", cast = result.votes_cast }
  return state
end
function get_state(id, state) return state end
"#;

/// What `player` learns of a new vote.
async fn started(player: &Player) -> Value {
    player
        .client
        .next_of("match.vote_start", SOON)
        .await
        .unwrap()
        .json()
}

/// Has a vote held: its id, once both know of it.
async fn held(a: &Player, b: &Player, ask: Value) -> String {
    a.input(json!({"ask": ask}));
    let start = started(a).await;
    assert_eq!(started(b).await["vote_id"], start["vote_id"]);
    start["vote_id"].as_str().unwrap().to_owned()
}

async fn result(player: &Player) -> Value {
    player
        .client
        .next_of("match.vote_result", SOON)
        .await
        .unwrap()
        .json()
}

/// Why the server refused.
fn reason(outcome: Result<(), asobi_client::Error>) -> String {
    outcome.unwrap_err().server().unwrap().reason.clone()
}

/// A vote as REST shows it, once it has this status.
async fn shown(server: &Server, vote: &str, player: &Player, status: &str) -> Value {
    let path = format!("/api/v1/votes/{vote}");
    let deadline = Instant::now() + SOON;
    loop {
        let answer = server.api().get::<Value>(&path, Some(&player.token)).await;
        match answer {
            Ok(shown) if shown["status"] == status => return shown,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn of_match(server: &Server, match_id: &str, player: &Player) -> Vec<Value> {
    let path = format!("/api/v1/matches/{match_id}/votes");
    let list = server
        .api()
        .get::<Value>(&path, Some(&player.token))
        .await
        .unwrap();
    list["votes"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ranked_vote_by_template_closes_when_all_are_ready() {
    let server = Server::with_game(&GAME.replace("match_size = 2", "match_size = 3"));
    let players = [
        server.guest().await,
        server.guest().await,
        server.guest().await,
    ];
    for player in &players {
        player.client.matchmaker_add("default").await.unwrap();
    }
    let matched = players[0]
        .client
        .next_of("match.matched", SOON)
        .await
        .unwrap()
        .json();
    let began = Instant::now();
    let ask = json!({"template": "house", "window_type": "ready_up", "window_ms": 600_000,
        "options": ["red", "green", {"id": "blue", "label": "Blue"}]});
    players[1].input(json!({"ask": ask}));
    let start = started(&players[0]).await;
    assert_eq!(
        (&start["method"], &start["options"][2]["label"]),
        (&json!("ranked"), &json!("Blue"))
    );
    let vote = start["vote_id"].as_str().unwrap();
    for (player, ballot) in players
        .iter()
        .zip([&["blue", "red"][..], &["red"], &["green", "red"]])
    {
        player.client.vote_cast(vote, ballot).await.unwrap();
    }
    // One each: blue is last in the list and goes; its vote makes red the winner.
    let result = result(&players[2]).await;
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "the window is ten minutes"
    );
    assert_eq!(
        (&result["winner"], &result["eliminated"]),
        (&json!("red"), &json!(["blue"]))
    );
    assert_eq!(result["counts"], json!({"red": 1, "green": 1, "blue": 1}));
    assert_eq!(
        (&result["total_votes"], &result["turnout"]),
        (&json!(3), &json!(1.0))
    );
    let shown = shown(&server, vote, &players[0], "resolved").await;
    assert_eq!(shown["votes_cast"][&players[0].id], json!(["blue", "red"]));
    assert_eq!(shown["result"]["winner"], "red");
    let list = of_match(&server, matched["match_id"].as_str().unwrap(), &players[1]).await;
    assert_eq!(list, [shown]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_vote_by_the_operators_template() {
    let template = [
        ("ASOBI_VOTES__TEMPLATES__BOON__METHOD", "approval"),
        ("ASOBI_VOTES__TEMPLATES__BOON__WINDOW_TYPE", "ready_up"),
        ("ASOBI_VOTES__TEMPLATES__BOON__QUORUM", "lots"),
    ];
    let server = Server::with(GAME, &template);
    assert!(
        server.log().contains("votes.templates.boon"),
        "{}",
        server.log()
    );
    let (a, b) = server.pair().await;
    let vote = held(
        &a,
        &b,
        json!({"template": "boon", "options": ["x", "y", "z"]}),
    )
    .await;
    for wrong in [
        json!(["x", "x"]),
        json!(["x", "nowhere"]),
        json!(7),
        json!(null),
        json!({}),
        json!([["x"]]),
    ] {
        assert_eq!(
            reason(a.client.vote_cast(&vote, &wrong).await),
            "invalid_option",
            "{wrong}"
        );
    }
    a.client.vote_cast(&vote, ["x", "y"]).await.unwrap();
    let tally = b
        .client
        .next_of("match.vote_tally", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(tally["tallies"], json!({"x": 1, "y": 1, "z": 0}));
    assert_eq!(tally["total_votes"], 1);
    b.client.vote_cast(&vote, "y").await.unwrap();
    let result = result(&a).await;
    assert_eq!(
        (&result["winner"], &result["counts"]),
        (&json!("y"), &json!({"x": 1, "y": 2, "z": 0}))
    );
    assert_eq!(
        result["distribution"],
        json!({"x": 0.5, "y": 1.0, "z": 0.0})
    );
    let late = reason(a.client.vote_cast(&vote, "z").await);
    assert_eq!(late, "vote_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_veto_costs_a_token_and_ends_the_vote() {
    let server = Server::with_game(GAME);
    let (a, b) = server.pair().await;
    let plain = held(&a, &b, json!({"options": ["x"], "window_ms": 60_000})).await;
    assert_eq!(reason(a.client.vote_veto(&plain).await), "veto_disabled");
    assert_eq!(
        reason(a.client.vote_veto("no-such-vote").await),
        "vote_not_found"
    );
    for wrong in [json!({}), json!({"vote_id": 7}), json!([])] {
        assert!(
            a.client.request("vote.veto", &wrong).await.is_err(),
            "{wrong}"
        );
    }
    let ask =
        json!({"template": "map", "options": ["x"], "window_ms": 60_000, "veto_enabled": true});
    let vote = held(&a, &b, ask.clone()).await;
    b.client.vote_cast(&vote, "x").await.unwrap();
    let answer = a
        .client
        .request("vote.veto", &json!({"vote_id": vote}))
        .await
        .unwrap();
    assert_eq!(
        (answer.kind.as_str(), answer.json()),
        ("vote.veto_ok", json!({"success": true}))
    );
    for player in [&a, &b] {
        let vetoed = player
            .client
            .next_of("match.vote_vetoed", SOON)
            .await
            .unwrap()
            .json();
        assert_eq!(vetoed, json!({"vote_id": vote, "vetoed_by": a.id}));
    }
    b.state(|state| state["resolved"]["map"]["status"] == "vetoed")
        .await;
    let shown = shown(&server, &vote, &b, "vetoed").await;
    assert_eq!(shown["result"]["winner"], Value::Null);
    let next = held(&a, &b, ask).await;
    assert_eq!(reason(a.client.vote_veto(&next).await), "no_veto_tokens");
    let outsider = server.guest().await;
    assert_eq!(
        reason(outsider.client.vote_veto(&next).await),
        "not_in_match"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_vote_tells_nothing_until_it_closes() {
    let server = Server::with_game(GAME);
    let (a, b) = server.pair().await;
    let ask = json!({"options": ["x", "y"], "visibility": "hidden", "window_type": "ready_up", "window_ms": 60_000});
    let vote = held(&a, &b, ask).await;
    a.client.vote_cast(&vote, "x").await.unwrap();
    let open = shown(&server, &vote, &b, "open").await;
    assert!(open.get("votes_cast").is_none(), "{open}");
    assert_eq!(
        (&open["result"], &open["turnout"]),
        (&Value::Null, &json!(0.5))
    );
    let list = of_match(&server, open["match_id"].as_str().unwrap(), &b).await;
    assert_eq!(list, std::slice::from_ref(&open));
    let outsider = server.guest().await;
    let path = format!("/api/v1/votes/{vote}");
    let unseen = server
        .api()
        .get::<Value>(&path, Some(&outsider.token))
        .await
        .unwrap_err();
    assert_eq!(unseen.code(), Some("vote.not_found"));
    for id in [open["match_id"].as_str().unwrap(), "nothing", "%00"] {
        let path = format!("/api/v1/matches/{id}/votes");
        let refused = server
            .api()
            .get::<Value>(&path, Some(&outsider.token))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Some("forbidden"), "{id}");
    }
    let path = "/api/v1/votes/%00";
    let nothing = server
        .api()
        .get::<Value>(path, Some(&a.token))
        .await
        .unwrap_err();
    assert_eq!(nothing.code(), Some("vote.not_found"));
    b.client.vote_cast(&vote, "x").await.unwrap();
    // Events come in order: a tally would stand before the result.
    let first = |event: &asobi_client::Event| event.kind.starts_with("match.vote_");
    let event = b.client.next_where(SOON, first).await.unwrap();
    assert_eq!(
        (event.kind.as_str(), &event.json()["counts"]["x"]),
        ("match.vote_result", &json!(2))
    );
    let shown = shown(&server, &vote, &a, "resolved").await;
    assert_eq!(shown["votes_cast"], json!({&a.id: "x", &b.id: "x"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_survive_kill_9_with_ballots_revotes_and_tokens() {
    let mut server = Server::with_game(GAME);
    let (a, b) = server.pair().await;
    let ask = json!({"template": "map", "options": ["x", "y"], "max_revotes": 1, "window_ms": 60_000,
        "window_type": "ready_up", "veto_enabled": true});
    let vetoed = held(&a, &b, ask.clone()).await;
    a.client.vote_veto(&vetoed).await.unwrap();
    let vote = held(&a, &b, ask).await;
    a.client.vote_cast(&vote, "x").await.unwrap();
    a.client.vote_cast(&vote, "y").await.unwrap();
    // A snapshot is at most a second old.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    server.kill_and_restart();

    let back = Client::connect(&server.url, &a.token).await.unwrap();
    let start = back.next_of("match.vote_start", SOON).await.unwrap().json();
    assert_eq!(
        (&start["vote_id"], &start["veto_enabled"]),
        (&json!(vote), &json!(true))
    );
    let tally = back.next_of("match.vote_tally", SOON).await.unwrap().json();
    assert_eq!(tally["tallies"], json!({"x": 0, "y": 1}));
    assert_eq!(reason(back.vote_cast(&vote, "x").await), "rate_limited");
    assert_eq!(reason(back.vote_veto(&vote).await), "no_veto_tokens");
    let other = Client::connect(&server.url, &b.token).await.unwrap();
    other.vote_cast(&vote, "y").await.unwrap();
    let result = back
        .next_of("match.vote_result", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(
        (&result["winner"], &result["total_votes"]),
        (&json!("y"), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spectator_votes_where_the_vote_says_so() {
    let server = Server::with_game(GAME);
    let spectator = server.guest().await;
    let (a, b) = server.pair().await;
    let ask = json!({"options": ["x", "y"], "spectators": [spectator.id], "spectator_weight": 1,
        "window_ms": 2_000});
    let vote = held(&a, &b, ask).await;
    let match_id = shown(&server, &vote, &a, "open").await["match_id"].clone();
    a.client.vote_cast(&vote, "x").await.unwrap();
    let cast = json!({"vote_id": vote, "option_id": "y", "match_id": match_id});
    spectator.client.request("vote.cast", &cast).await.unwrap();
    let outsider = server.guest().await;
    let refused = outsider
        .client
        .request("vote.cast", &cast)
        .await
        .map(|_| ());
    assert_eq!(reason(refused), "not_eligible");
    assert_eq!(
        reason(outsider.client.vote_cast(&vote, "y").await),
        "not_in_match"
    );
    let result = result(&b).await;
    assert_eq!(
        (&result["winner"], &result["total_votes"]),
        (&json!("y"), &json!(2))
    );
    assert_eq!(result["player_counts"], json!({"x": 1, "y": 0}));
    assert_eq!(result["turnout"], 0.5);
}

/// The developer learns what was wrong; the match plays on.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_votes_are_named_and_harm_nothing() {
    let server = Server::with_game(GAME);
    let (a, b) = server.pair().await;
    let many: Vec<usize> = (0..1_000).collect();
    // Three faults of one callback are told in ten seconds.
    let wrong = [
        (
            json!({"options": ["x"], "window_ms": -5, "method": "odd", "quorum": "half"}),
            "method = \\\"odd\\\" in a vote",
        ),
        (json!({"options": many}), "at most 64 options, not 1000"),
        (json!({"options": ["x", "x"]}), "option id 'x' stands twice"),
    ];
    for (ask, text) in wrong {
        a.input(json!({"ask": ask}));
        let told = |event: &asobi_client::Event| {
            event.kind == "module.error" && event.json().to_string().contains(text)
        };
        let told = a.client.next_where(SOON, told).await;
        assert!(told.is_ok(), "{text}: {}", server.log());
        // One fault a second reaches the players of a match.
        tokio::time::sleep(Duration::from_millis(1_050)).await;
    }
    let first = started(&b).await;
    assert_eq!(first["method"], "plurality");
    let window = first["window_ms"].as_u64().unwrap();
    assert!((14_000..=15_000).contains(&window), "{window}");
    a.input(json!({"ask": {"options": ["y"]}}));
    assert_eq!(started(&b).await["options"][0]["id"], "y");
}
