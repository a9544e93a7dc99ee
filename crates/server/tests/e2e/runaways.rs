//! Scripts are guests: each runaway is stopped, named with file and line, and the match plays on.

use asobi_client::Event;
use serde_json::{Value, json};

use crate::server::{SOON, Server};

/// Sends an input that goes wrong, then one that does not; answers the `module.error`.
async fn survives(input: Value) -> Value {
    let server = Server::start();
    let (a, b) = server.pair().await;
    a.input(json!({"move": 1}));
    a.at(1).await;
    a.input(input);
    let fault = |event: &Event| event.kind == "module.error";
    let error = a
        .client
        .next_where(SOON, fault)
        .await
        .expect("module.error")
        .json();
    b.input(json!({"move": 7}));
    b.at(7).await;
    // The failed callback had no effect.
    a.at(1).await;
    assert_eq!(error["module"], "lua");
    assert_eq!(error["callback"], "handle_input");
    assert_eq!(error["script"], "match.lua");
    assert!(error["line"].as_u64().is_some(), "{error}");
    assert!(
        error["message"].as_str().unwrap().starts_with("match.lua:"),
        "{error}"
    );
    assert!(server.log().contains("match.lua:"));
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop() {
    assert_eq!(
        survives(json!({"move": 3, "spin": true})).await["kind"],
        "timeout"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_string() {
    assert_eq!(
        survives(json!({"fill": true})).await["kind"],
        "out_of_memory"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_grows_for_ever() {
    let error = survives(json!({"grow": true})).await;
    assert!(
        ["timeout", "out_of_memory"].contains(&error["kind"].as_str().unwrap()),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pathological_pattern() {
    assert_eq!(survives(json!({"search": true})).await["kind"], "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_a_change_takes_the_change_back() {
    let error = survives(json!({"move": 3, "crash": true})).await;
    assert!(
        error["message"].as_str().unwrap().contains("boom"),
        "{error}"
    );
}

/// A tick that never ends must not take the other matches of its thread with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_runaway_match_leaves_the_others_their_time() {
    let script = crate::server::GAME.replace(
        "  state.ticks = state.ticks + 1",
        "  for _, p in pairs(state.players) do if p.x == 666 then while true do end end end\n  state.ticks = state.ticks + 1",
    );
    let server = Server::with(&script, &[("ASOBI_MATCHES__SIMULATION_THREADS", "1")]);
    let (a, _b) = server.pair().await;
    let (c, _d) = server.pair().await;
    a.input(json!({"move": 666}));
    a.client.next_of("module.error", SOON).await.unwrap();
    c.client.take_events();
    let before = c.state(|_| true).await["ticks"].as_i64().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    c.client.take_events();
    let ticks = c.state(|_| true).await["ticks"].as_i64().unwrap() - before;
    // 20 ticks a second, undisturbed.
    assert!(ticks >= 45, "the neighbour got {ticks} ticks in 3 s");
}
