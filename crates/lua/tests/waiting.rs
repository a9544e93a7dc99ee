//! Callbacks that wait for the server, which here is a map that answers late.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use asobi_game::logic::FaultKind;
use asobi_lua::LuaSettings;
use common::player;
use common::waiting::{Game, input, wait};
use serde_json::json;

#[test]
fn a_tick_reads_what_another_wrote() {
    let mut game = Game::new(
        r#"function tick(s)
             local found = game.storage.get("town", "gate")
             s.found, s.problem = found.ok, found.error
             s.wrote = game.storage.set("town", "gate", { open = true, n = 3 }).ok
             return s
           end"#,
    );
    let first = game.tick();
    assert_eq!(first["problem"], "not_found");
    assert_eq!(first["wrote"], json!({"version": 1}));
    assert_eq!(game.tick()["found"], json!({"open": true, "n": 3}));
    assert_eq!(game.faults(), []);
}

#[test]
fn init_may_wait() {
    let mut game = Game::new(
        r#"function init() return { start = game.storage.get("a", "b").error, players = {} } end"#,
    );
    assert_eq!(game.tick()["start"], "not_found");
}

#[test]
fn join_leave_and_inputs_may_wait() {
    let mut game = Game::new(
        r#"function join(id, s) s.joined = game.storage.set("p", id, 1).ok.version return s end
           function leave(id, s) s.left = game.storage.get("p", id).ok return s end
           function handle_input(id, i, s) s.input = game.storage.get("p", id).ok return s end"#,
    );
    let ctx = serde_json::value::RawValue::from_string("{}".into()).unwrap();
    wait(game.logic.join(&player("a"), &ctx)).unwrap();
    let seen = game.step(&[input("{}")]);
    assert_eq!((&seen["joined"], &seen["input"]), (&json!(1), &json!(1)));
    wait(game.logic.leave(&player("a")));
    assert_eq!(game.tick()["left"], 1);
}

#[test]
fn a_coroutine_of_the_script_may_ask_too() {
    let mut game = Game::new(
        r#"function tick(s)
             local function ask(key) coroutine.yield("before") return game.storage.get("c", key).error end
             local co = coroutine.create(ask)
             local _, first = coroutine.resume(co, "k")
             local _, second = coroutine.resume(co)
             local nested = coroutine.wrap(function()
               return coroutine.wrap(function() return game.storage.get("c", "k").error end)()
             end)
             s.seen = { first, second, nested(), coroutine.status(co) }
             local ok, message = pcall(coroutine.wrap(function() error("inside") end))
             s.inside = message
             return s
           end"#,
    );
    let seen = game.tick();
    assert_eq!(
        seen["seen"],
        json!(["before", "not_found", "not_found", "dead"])
    );
    assert!(seen["inside"].as_str().unwrap().ends_with("inside"));
    assert_eq!(game.faults(), []);
}

#[test]
fn who_cannot_wait_is_told_so() {
    let mut game = Game::new(
        r#"function get_state(id, s) s.view = game.storage.get("a", "b").error return s end
           function tick(s)
             local t = { 2, 1 }
             table.sort(t, function(a, b) s.sort = game.storage.get("a", "b").error return a < b end)
             return s
           end"#,
    );
    let seen = game.tick();
    for place in ["view", "sort"] {
        let text = seen[place].as_str().unwrap();
        assert!(text.starts_with("get cannot wait here"), "{text}");
    }
    assert_eq!(game.asked(), 0);
}

#[test]
fn waiting_is_not_cpu() {
    let mut game = Game::slow(
        r#"function tick(s) s.e = game.storage.get("a", "b").error return s end"#,
        Duration::from_millis(150),
    );
    assert_eq!(game.tick()["e"], "not_found");
    assert_eq!(game.faults(), []);
}

#[test]
fn the_budget_covers_all_parts_of_a_callback() {
    let mut game = Game::new(
        r#"function tick(s)
             game.storage.get("a", "b")
             while true do end
           end"#,
    );
    game.tick();
    let faults = game.faults();
    assert_eq!(
        (faults[0].kind, faults[0].line),
        (FaultKind::Timeout, Some(3))
    );
    assert!(faults[0].message.contains("50 ms"), "{}", faults[0].message);
}

#[test]
fn a_loop_that_asks_for_ever_ends() {
    let mut game =
        Game::new(r#"function tick(s) while true do game.storage.get("a", "b") end end"#);
    game.tick();
    let fault = &game.faults()[0];
    assert!(fault.message.contains("more than 100"), "{}", fault.message);
    assert_eq!(game.asked(), 100);
}

#[test]
fn a_second_run_gets_the_first_ones_answers() {
    let mut game = Game::new(
        r#"function handle_input(id, i, s) s.wrote = game.storage.set("a", "k", i.n).ok.version return s end
           function tick(s) s.n = (s.n or 0) + 1 if s.n == 1 then error("boom") end return s end"#,
    );
    let seen = game.step(&[input(r#"{"n": 7}"#)]);
    // The tick failed and was undone, the input was applied again: without asking again.
    assert_eq!(seen["wrote"], 1);
    assert_eq!(game.asked(), 1);
    assert_eq!(game.faults().len(), 1);
}

#[test]
fn a_yield_that_nobody_resumes_is_a_fault() {
    let mut game = Game::new("function tick(s) coroutine.yield(1) return s end");
    game.tick();
    let fault = &game.faults()[0];
    assert!(
        fault.message.contains("nobody resumes"),
        "{}",
        fault.message
    );
    assert!(game.tick().is_object());
}

#[test]
fn a_close_that_fails_while_a_callback_fails_ends_nothing() {
    let mut game = Game::new(
        r#"function tick(s)
             local x <close> = setmetatable({}, { __close = function() error("closing") end })
             game.storage.get("a", "b")
             error("failing")
           end"#,
    );
    game.tick();
    assert_eq!(game.faults()[0].line, Some(4));
}

#[test]
fn wrong_arguments_are_answered_at_once() {
    let mut game = Game::new(
        r#"function tick(s)
             s.errors = {
               game.storage.get("a").error,
               game.storage.get({}, "b").error,
               game.storage.set("a", "b").error,
               game.storage.set("a", "b", 1, "x").error,
               game.storage.player_set("p", "a", "b").error,
               game.storage.list().error,
               game.notify("p", "kind").error,
               game.notify_many("p", "kind", "subject").error,
             }
             s.reached = game.notify_many({ "a", 7, "b" }, "kind", "subject", { n = 1 }).ok
             return s
           end"#,
    );
    let seen = game.tick();
    assert_eq!(seen["errors"].as_array().unwrap().len(), 8);
    assert_eq!(seen["reached"], json!(["a", "b"]));
    assert_eq!(game.asked(), 1);
}

#[test]
fn a_value_that_is_far_too_large_is_not_even_asked() {
    let mut game = Game::new(
        r#"function tick(s) s.error = game.storage.set("a", "b", string.rep("x", 2000000)).error return s end"#,
    );
    let seen = game.tick();
    let error = seen["error"].as_str();
    assert!(
        error.is_some_and(|error| error.starts_with("value: ")),
        "{seen} {:?}",
        game.faults()
    );
    assert_eq!(game.asked(), 0);
}

fn large_answers(budget_ms: u64, script: &str) -> Game {
    let settings = LuaSettings {
        tick_budget_ms: budget_ms,
        input_budget_ms: budget_ms,
        ..LuaSettings::default()
    };
    let game = Game::with(script, Duration::ZERO, settings);
    let large = format!("\"{}\"", "x".repeat(1 << 20)).into();
    let mut objects = game.shelf.objects.lock().unwrap();
    objects.insert("large".into(), large);
    drop(objects);
    game
}

#[test]
fn answers_take_memory_and_are_bounded() {
    let mut game = large_answers(
        60_000,
        r#"function tick(s) for i = 1, 90 do game.storage.get("c", "large") end return s end"#,
    );
    game.tick();
    let fault = &game.faults()[0];
    assert!(
        fault.message.contains("more than 16 MB"),
        "{}",
        fault.message
    );
    assert_eq!(game.asked(), 16);
}

#[test]
fn reading_an_answer_is_the_scripts_time() {
    let mut game = large_answers(
        1,
        r#"function tick(s) for i = 1, 90 do game.storage.get("c", "large") end return s end"#,
    );
    game.tick();
    assert_eq!(game.faults()[0].kind, FaultKind::Timeout);
}

/// Inputs whose answers are too large to keep are not run again: the state is kept after them.
#[test]
fn what_large_answers_led_to_is_kept() {
    let mut game = large_answers(
        60_000,
        r#"function handle_input(id, i, s)
             s.count = (s.count or 0) + 1
             s.size = #game.storage.get("c", "large").ok
             return s
           end
           function tick(s) s.n = s.n + 1 if s.n < 2 and not passed then passed = true error("boom") end return s end"#,
    );
    let inputs: Vec<_> = (0..6).map(|_| input("{}")).collect();
    let seen = game.step(&inputs);
    assert_eq!(
        (&seen["count"], &seen["size"]),
        (&json!(6), &json!(1 << 20))
    );
    assert_eq!(game.asked(), 6, "nobody is asked twice");
}
