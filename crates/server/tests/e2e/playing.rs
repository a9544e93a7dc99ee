//! Two players are matched and play; votes, events, bots, the end.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{GAME, SOON, Server};

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_are_matched_and_play() {
    let server = Server::start();
    let (a, b) = (server.guest().await, server.guest().await);
    let queued = a.client.matchmaker_add("default").await.unwrap();
    assert_eq!(queued.players_needed, Some(2));
    assert!(!queued.already_queued);
    let again = a.client.matchmaker_add("default").await.unwrap();
    assert_eq!(
        (again.already_queued, &again.ticket_id),
        (true, &queued.ticket_id)
    );
    b.client.matchmaker_add("default").await.unwrap();

    let matched = a
        .client
        .next_of("match.matched", SOON)
        .await
        .unwrap()
        .json();
    let same = b
        .client
        .next_of("match.matched", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(matched["match_id"], same["match_id"]);
    assert_eq!(matched["players"].as_array().unwrap().len(), 2);

    a.input(json!({"move": 5}));
    a.input(json!({"data": {"move": 2}}));
    let seen = b.state(|state| state["players"][&a.id]["x"] == 7).await;
    assert_eq!(seen["you"], b.id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_messages_reach_who_they_are_for() {
    let server = Server::start();
    let (a, b) = server.pair().await;
    a.input(json!({"say": "ahoy", "whisper": b.id}));
    for player in [&a, &b] {
        let said = player
            .client
            .next_of("match.said", SOON)
            .await
            .unwrap()
            .json();
        assert_eq!(said, json!({"text": "ahoy"}));
    }
    let legacy = b.client.next_of("game.message", SOON).await.unwrap().json();
    assert_eq!(legacy, json!({"module": "lua", "message": "psst"}));
    let message = b
        .client
        .next_of("module.message", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(message, json!({"module": "lua", "message": "psst"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_ends_with_a_result_and_a_record() {
    let server = Server::start();
    let (a, b) = server.pair().await;
    a.input(json!({"finish": true}));
    let finished = b
        .client
        .next_of("match.finished", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(finished["result"], json!({"winner": a.id}));
    let path = format!("/api/v1/matches/{}", finished["match_id"].as_str().unwrap());
    let api = server.api();
    let record = eventually(|| api.get::<serde_json::Value>(&path, Some(&a.token))).await;
    assert_eq!(record["result"]["winner"], a.id.as_str());
    assert_eq!(record["players"].as_array().unwrap().len(), 2);
}

/// Records are written together, a moment after the end.
async fn eventually<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(
    ask: impl Fn() -> F,
) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if Instant::now() > deadline => panic!("{error:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_runs_from_start_to_result() {
    let server = Server::start();
    let (a, b) = server.pair().await;
    a.input(json!({"vote": true}));
    let start = a
        .client
        .next_of("match.vote_start", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(
        start["options"][1],
        json!({"id": "desert", "label": "Desert"})
    );
    assert_eq!(start["method"], "plurality");
    let vote = start["vote_id"].as_str().unwrap();

    let unknown = a.client.vote_cast(vote, "ocean").await.unwrap_err();
    assert_eq!(unknown.server().unwrap().reason, "invalid_option");
    let missing = a
        .client
        .vote_cast("no-such-vote", "forest")
        .await
        .unwrap_err();
    assert_eq!(missing.server().unwrap().reason, "vote_not_found");
    a.client.vote_cast(vote, "desert").await.unwrap();
    let tally = b
        .client
        .next_of("match.vote_tally", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(tally["tallies"], json!({"forest": 0, "desert": 1}));

    let result = b
        .client
        .next_of("match.vote_result", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(
        (&result["winner"], &result["turnout"]),
        (&json!("desert"), &json!(0.5))
    );
    a.state(|state| state["resolved"] == "map:desert").await;
    let votes = eventually(|| async {
        let path = format!("/api/v1/votes/{vote}");
        server
            .api()
            .get::<serde_json::Value>(&path, Some(&a.token))
            .await
    });
    assert_eq!(votes.await["votes_cast"], json!({&a.id: "desert"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_fill_the_empty_places() {
    let script = format!(
        "{GAME}\nmatch_size = 3\nmax_players = 4\nbots = {{ min_players = 4, fill_after = 0.2, script = 'bot.lua' }}\n"
    );
    let folder = crate::server::folder();
    std::fs::write(folder.join("game/match.lua"), script).unwrap();
    let bot = "names = {'Anne', 'Edward'}\nfunction think(id, state) return { move = 1 } end\n";
    std::fs::write(folder.join("game/bot.lua"), bot).unwrap();
    let server = Server::in_folder(folder, &[]);
    let player = server.guest().await;
    player.client.matchmaker_add("default").await.unwrap();
    let matched = player
        .client
        .next_of("match.matched", SOON)
        .await
        .unwrap()
        .json();
    let ids: Vec<&str> = matched["players"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|id| id.as_str())
        .collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().any(|id| id.starts_with("bot_Anne_")), "{ids:?}");
    let bot = (*ids.iter().find(|id| id.starts_with("bot_Edward_")).unwrap()).to_owned();
    player
        .state(|state| {
            state["players"][&bot]["x"]
                .as_f64()
                .is_some_and(|x| x > 3.0)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_out_and_may_queue_again() {
    let server = Server::start();
    let (a, b) = server.pair().await;
    b.client.match_leave().await.unwrap();
    a.state(|state| state["players"].as_object().unwrap().len() == 1)
        .await;
    let join = b
        .client
        .request("match.join", &json!({"match_id": "0192-nothing"}))
        .await
        .unwrap_err();
    assert_eq!(join.code(), Some("match.not_found"));
    b.input(json!({"move": 1}));
    let hint = b.client.next_of("error", SOON).await.unwrap().json();
    assert_eq!(hint["error"]["code"], "match.not_in_match");
    assert_eq!(hint["type"], "match.input");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_expires_and_can_be_cancelled() {
    let server = Server::with(GAME, &[("ASOBI_MATCHMAKER__MAX_WAIT_SECONDS", "1")]);
    let player = server.guest().await;
    let queued = player.client.matchmaker_add("default").await.unwrap();
    let other = server.guest().await;
    let theft = other
        .client
        .matchmaker_remove(&queued.ticket_id)
        .await
        .unwrap_err();
    assert_eq!(theft.code(), Some("forbidden"));
    player
        .client
        .matchmaker_remove(&queued.ticket_id)
        .await
        .unwrap();
    let gone = player
        .client
        .matchmaker_remove(&queued.ticket_id)
        .await
        .unwrap_err();
    assert_eq!(gone.server().unwrap().reason, "not_found");
    let queued = player.client.matchmaker_add("default").await.unwrap();
    let expired = player
        .client
        .next_of("match.matchmaker_expired", SOON)
        .await
        .unwrap()
        .json();
    assert_eq!(expired["ticket_id"], queued.ticket_id.as_str());
    let unknown = player
        .client
        .matchmaker_add("no_such_mode")
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Some("matchmaker.unknown_mode"));
}
