//! `game.timer` and `on_timer`.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::{Effect, FiredTimer};
use asobi_game::timers::{Timer, TimerKey};
use common::{CpuClock, Game, now, run};
use serde_json::json;
use serde_json::value::RawValue;

fn fired(id: u64, name: &str, data: &str) -> FiredTimer {
    FiredTimer {
        id,
        name: name.into(),
        data: Some(RawValue::from_string(data.into()).unwrap()),
    }
}

fn started(game: &mut Game) -> Vec<Timer> {
    let effects = game.effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::StartTimer(timer) => Some(timer),
            _ => None,
        })
        .collect()
}

#[test]
fn wrong_arguments_are_told() {
    for call in [
        "after()",
        "after(5)",
        "after(-1, 'x')",
        "after(1e18, 'x')",
        "after(0/0, 'x')",
        "after(math.huge, 'x')",
        "after('5', 'x')",
        "after(math.maxinteger, 'x')",
        "after(5, '')",
        "after(5, string.rep('x', 65))",
        "after(5, 7)",
        "after(5, function() end)",
        "after(5, 'x', string.rep('x', 600))",
        "every(0, 'x')",
        "every(9, 'x')",
        "every(-0.5, 'x')",
        "cancel()",
        "cancel({})",
        "cancel(-1)",
        "cancel(0/0)",
    ] {
        let answer = run(&format!("return game.timer.{call}"));
        assert!(answer["error"].is_string(), "{call}: {answer}");
    }
    assert!(run("return game.timer.after(0, 'x')").is_i64());
    assert!(run("return game.timer.every(10, 'x', { a = { 1, 2 } })").is_i64());
    assert_eq!(run("return game.timer.cancel(42)"), json!(true));
    let most = run(
        "local n = 0 while type(game.timer.after(1, 'x')) == 'number' do n = n + 1 end return n",
    );
    assert_eq!(most, json!(10_000));
}

/// The ids in a state stay those of the timers, whatever was undone in between.
#[test]
fn an_undone_callback_leaves_no_timer_and_a_replayed_one_no_other_id() {
    let mut game = Game::new(
        r#"function handle_input(id, i, s)
          s.timer = game.timer.after(100, "t" .. i.n)
          s.log[#s.log + 1] = s.timer
          if i.fail then error("no") end
          return s
        end"#,
    );
    game.step(&[
        ("a", r#"{"n":1}"#),
        ("a", r#"{"n":2,"fail":true}"#),
        ("a", r#"{"n":3}"#),
    ]);
    let timers = started(&mut game);
    let names: Vec<&str> = timers.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["t1", "t3"]);
    let ids: Vec<u64> = timers.iter().map(|t| t.id).collect();
    assert_eq!(game.look()["log"], json!(ids));
}

const KEEPS: &str = r#"
function on_timer(name, data, s)
  s.log[#s.log + 1] = name .. ":" .. tostring(data and data.n)
  if data and data.cancel then game.timer.cancel(data.cancel) end
  if data and data.fail then s.log = nil error("no") end
  if data and data.loop then while true do end end
  game.send("a", name)
  return s
end"#;

#[test]
fn timers_fire_in_order_and_a_failing_one_is_undone_alone() {
    let mut game = Game::new(KEEPS);
    let all = [
        fired(1, "a", r#"{"n":1}"#),
        fired(2, "b", r#"{"n":2,"fail":true}"#),
        fired(3, "c", r#"{"n":3}"#),
        FiredTimer {
            data: None,
            ..fired(4, "d", "0")
        },
    ];
    assert_eq!(now(game.logic.timers(&all)), 4);
    assert_eq!(game.look()["log"], json!(["a:1", "c:3", "d:nil"]));
    let effects = game.effects();
    let sent = effects.iter().filter(|e| matches!(e, Effect::Send { .. }));
    assert_eq!(sent.count(), 3);
}

#[test]
fn a_timer_cancels_another_that_is_due_with_it() {
    let mut game = Game::new(KEEPS);
    let all = [
        fired(1, "a", r#"{"cancel":2}"#),
        fired(2, "b", "{}"),
        fired(3, "c", r#"{"cancel":"d"}"#),
        fired(4, "d", "{}"),
        fired(5, "e", "{}"),
    ];
    assert_eq!(now(game.logic.timers(&all)), 5);
    assert_eq!(game.look()["log"], json!(["a:nil", "c:nil", "e:nil"]));
    let keys = game
        .effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::CancelTimer(key) => Some(key),
            _ => None,
        });
    let expected = [TimerKey::Id(2), TimerKey::Name("d".into())];
    assert_eq!(keys.collect::<Vec<_>>(), expected);
}

#[test]
fn runaway_timers_leave_the_others_for_the_next_tick() {
    let mut game = Game::new(KEEPS);
    let all: Vec<FiredTimer> = (0..50)
        .map(|id| fired(id + 1, "x", r#"{"loop":true}"#))
        .collect();
    let handled = now(game.logic.timers(&all));
    assert!((1..20).contains(&handled), "{handled}");
    assert!(!game.faults().is_empty());
    game.tick();
}

#[test]
fn a_thousand_timers_at_once_cost_one_undo_copy() {
    let mut game = Game::new(
        "function init() local s = { hits = 0, log = {}, players = {}, n = 0, junk = {} } \
         for i = 1, 3000 do s.junk[i] = 'entry ' .. i end return s end
         function on_timer(name, data, s) s.hits = s.hits + data return s end
         function get_state(id, s) return { hits = s.hits } end",
    );
    let all: Vec<FiredTimer> = (0..1_000).map(|id| fired(id + 1, "x", "1")).collect();
    let clock = CpuClock::start();
    assert_eq!(now(game.logic.timers(&all)), 1_000);
    let took = clock.elapsed();
    assert_eq!(game.look()["hits"], 1_000);
    // Copying this state before each would take seconds in a debug build.
    assert!(took < std::time::Duration::from_millis(100), "{took:?}");
}

#[test]
fn a_timer_without_on_timer_is_reported() {
    let mut game = Game::new("");
    // A phase's own timer has id 0, and the clients see it anyway.
    assert_eq!(now(game.logic.timers(&[fired(0, "bell", "{}")])), 1);
    assert_eq!(game.faults(), []);
    assert_eq!(now(game.logic.timers(&[fired(1, "bell", "{}")])), 1);
    let message = game.fault().message;
    assert_eq!(
        message,
        "match.lua: timer \"bell\" fired, but the script defines no function 'on_timer'"
    );
}
