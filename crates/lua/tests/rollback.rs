//! A callback that fails has no effect.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::{Effect, FaultKind, JoinRefusal};
use asobi_lua::LuaSettings;
use common::Game;
use serde_json::json;

const INPUTS: &str = r#"
function handle_input(id, i, s)
  s.log[#s.log + 1] = id .. ":" .. i.n
  game.send(id, i.n)
  if i.fail then s.log = "ruined" error("no") end
  if i.loop then s.log = nil while true do end end
  if i.bad then s.log = 7 return 42 end
  if i.none then s.log = 7 return end
  return s
end
"#;

#[test]
fn a_failed_input_is_undone_alone() {
    let mut game = Game::new(INPUTS);
    game.step(&[
        ("a", r#"{"n":1}"#),
        ("b", r#"{"n":2,"fail":true}"#),
        ("a", r#"{"n":3}"#),
        ("b", r#"{"n":4}"#),
        ("b", r#"{"n":5,"bad":true}"#),
        ("b", r#"{"n":6,"none":true}"#),
        ("a", r#"{"n":7}"#),
    ]);
    assert_eq!(game.look()["log"], json!(["a:1", "a:3", "b:4", "a:7"]));
    let effects = game.effects();
    let sent: Vec<String> = effects
        .iter()
        .filter_map(|e| match e {
            Effect::Send { message, .. } => Some(String::from_utf8(message.to_vec()).unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(
        sent,
        ["1", "3", "4", "7"],
        "no effect of a failed input, none twice for a replayed one"
    );
    let faults: Vec<_> = effects
        .iter()
        .filter_map(|e| match e {
            Effect::Fault(f) => Some(f.message.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        faults,
        [
            "match.lua:5: no",
            "match.lua: handle_input must return the state, a table, not 42",
            "match.lua: handle_input must return the state; is a 'return state' missing?",
        ]
    );
}

#[test]
fn an_endless_input_bars_its_player_for_the_step() {
    let mut game = Game::new(INPUTS);
    game.step(&[
        ("a", r#"{"n":1}"#),
        ("b", r#"{"n":2,"loop":true}"#),
        ("b", r#"{"n":3}"#),
        ("a", r#"{"n":4}"#),
    ]);
    let fault = game.fault();
    assert_eq!(
        (fault.kind, fault.player),
        (FaultKind::Timeout, Some(common::player("b")))
    );
    assert_eq!(game.look()["log"], json!(["a:1", "a:4"]));
    game.step(&[("b", r#"{"n":5}"#)]);
    assert_eq!(game.look()["log"], json!(["a:1", "a:4", "b:5"]));
}

#[test]
fn the_inputs_of_one_step_share_a_budget() {
    let mut game = Game::new(INPUTS);
    let names: Vec<String> = (0..40).map(|i| format!("p{i}")).collect();
    let inputs: Vec<(&str, &str)> = names
        .iter()
        .map(|n| (n.as_str(), r#"{"n":1,"loop":true}"#))
        .collect();
    let start = common::CpuClock::start();
    game.step(&inputs);
    assert!(
        start.elapsed().as_millis() < 400,
        "40 endless inputs took {:?}",
        start.elapsed()
    );
    // The tick still ran.
    assert_eq!(game.look()["n"], 1);
}

#[test]
fn a_failed_tick_keeps_the_inputs() {
    let mut game = Game::new(&format!(
        "{INPUTS}
        function tick(s)
          s.n = s.n + 1 s.log[#s.log + 1] = 'tick' game.broadcast('ticked', {{}})
          if s.n == 2 then error('two') end
          return s
        end"
    ));
    game.tick();
    assert_eq!(game.effects().len(), 1);
    game.step(&[("a", r#"{"n":1}"#)]);
    assert_eq!(game.look()["log"], json!(["tick", "a:1"]));
    assert_eq!(game.n(), 1);
    let effects = game.effects();
    assert!(
        matches!(&effects[..], [Effect::Send { .. }, Effect::Fault(_)]),
        "{effects:?}"
    );
}

#[test]
fn what_a_script_logged_before_it_failed_is_kept() {
    let mut game = Game::new(
        "function tick(s) game.log('info', 'here') game.broadcast('x', {}) error('no') end",
    );
    game.tick();
    let effects = game.effects();
    assert!(
        matches!(&effects[..], [Effect::Log { .. }, Effect::Fault(_)]),
        "{effects:?}"
    );
}

#[test]
fn a_failed_callback_takes_back_its_random_numbers() {
    let script = "function tick(s)
        s.rolls = s.rolls or {}
        local roll = math.random(1000000)
        if s.fail_next then s.fail_next = nil error('no') end
        s.rolls[#s.rolls + 1] = roll return s end
      function handle_input(id, i, s) s.fail_next = i.fail return s end";
    let rolls = |fail: bool| {
        let mut game = Game::new(script);
        game.tick();
        if fail {
            game.step(&[("a", r#"{"fail":true}"#)]);
            assert_eq!(game.faults().len(), 1);
            game.step(&[("a", "{}")]);
        }
        game.tick();
        game.look()["rolls"].as_array().unwrap()[..2].to_vec()
    };
    assert_eq!(rolls(false), rolls(true));
}

#[test]
fn functions_and_metatables_in_the_state_survive_an_undo() {
    let mut game = Game::new(
        "Ship = {} Ship.__index = Ship
        function Ship:sail() self.x = self.x + 1 end
        function init() return { ship = setmetatable({ x = 0 }, Ship), hook = function(n) return n * 2 end, n = 1 } end
        function tick(s) s.ship:sail() s.n = s.hook(s.n) if s.n == 4 then s.n = 100 error('no') end return s end
        function handle_input(id, i, s) s.n = 10 return s end",
    );
    game.tick();
    game.tick();
    assert_eq!(game.faults().len(), 1);
    game.step(&[("a", "{}")]);
    let view = game.look();
    assert_eq!((&view["n"], &view["ship"]["x"]), (&json!(20), &json!(2)));
}

#[test]
fn shared_tables_stay_shared_after_an_undo() {
    let mut game = Game::new(
        "function init() local p = { x = 0 } return { a = p, b = p, n = 0 } end
        function tick(s) s.n = s.n + 1 s.a.x = s.a.x + 1 if s.n == 1 and not s.again then error('no') end return s end
        function handle_input(id, i, s) s.again = true return s end",
    );
    game.tick();
    game.step(&[("a", "{}")]);
    let view = game.look();
    assert_eq!((&view["a"]["x"], &view["b"]["x"]), (&json!(1), &json!(1)));
}

#[test]
fn a_refused_join_leaves_no_trace() {
    let mut game = Game::new(
        "function join(id, s, ctx)
          s.players[id] = {} s.n = s.n + 100 game.broadcast('hello', {})
          if ctx.code == 'no' then return nil, 'wrong_code' end
          if ctx.code == 'long' then return nil, string.rep('x', 65) end
          if ctx.code == 'ugly' then return false, 'a\\nb' end
          if ctx.code == 'none' then return end
          if ctx.code == 'bad' then return 7 end
          if ctx.code == 'fail' then error('broken') end
          return s
        end",
    );
    let refused = |reason: Option<&str>| Err(JoinRefusal::Refused(reason.map(str::to_owned)));
    assert_eq!(
        game.join_with("a", r#"{"code":"no"}"#),
        refused(Some("wrong_code"))
    );
    assert_eq!(game.join_with("a", r#"{"code":"long"}"#), refused(None));
    assert_eq!(game.join_with("a", r#"{"code":"ugly"}"#), refused(None));
    assert_eq!(game.effects().len(), 0);
    assert_eq!(game.join_with("a", r#"{"code":"none"}"#), refused(None));
    assert!(game.fault().message.contains("return state"));
    assert_eq!(
        game.join_with("a", r#"{"code":"bad"}"#),
        Err(JoinRefusal::Failed)
    );
    assert_eq!(
        game.join_with("a", r#"{"code":"fail"}"#),
        Err(JoinRefusal::Failed)
    );
    assert_eq!(game.faults().len(), 2);
    assert_eq!(game.look(), json!({"players": [], "n": 0, "log": []}));
    assert_eq!(game.join_with("a", r#"{"code":"yes"}"#), Ok(()));
    game.tick();
    assert_eq!(
        game.look(),
        json!({"players": {"a": []}, "n": 101, "log": []})
    );
}

#[test]
fn leave_and_vote_resolved_are_undone_too() {
    let mut game = Game::new(
        "function leave(id, s) s.n = 50 error('no') end
        function vote_resolved(template, result, s) s.n = 60 if result.winner == 'x' then return nil end s.won = result.winner return s end",
    );
    game.leave("a");
    common::now(game.logic.vote_resolved("map", r#"{"winner":"x"}"#));
    let callbacks: Vec<String> = game.faults().into_iter().map(|f| f.callback).collect();
    assert_eq!(callbacks, ["leave", "vote_resolved"]);
    assert_eq!(game.look()["n"], 0);
    game.tick();
    common::now(game.logic.vote_resolved("map", r#"{"winner":"y"}"#));
    assert_eq!((&game.look()["won"], game.n()), (&json!("y"), 60));
}

#[test]
fn too_large_a_state_is_played_on_without_undo_and_says_so_once() {
    let settings = LuaSettings {
        undo_limit_bytes: 1000,
        snapshot_limit_bytes: 1500,
        ..LuaSettings::default()
    };
    let script = format!(
        "function init() return {{ n = 0, big = string.rep('x', 2000) }} end
        function tick(s) s.n = s.n + 1 if s.n == 2 then error('no') end return s end {}",
        common::REST
    );
    let mut game = Game::with(&[("match.lua", &script)], settings);
    game.tick();
    let fault = game.fault();
    assert!(
        fault.callback == "snapshot" && fault.message.contains("1000 bytes"),
        "{fault:?}"
    );
    game.tick();
    game.tick();
    let faults = game.faults();
    assert!(
        faults.len() == 1 && faults[0].callback == "tick",
        "{faults:?}"
    );
    assert_eq!(game.look()["n"], 3);
    assert!(game.logic.snapshot(&mut Vec::new()).is_err());
}

#[test]
fn an_endless_tick_is_skipped_ever_longer_and_forgiven() {
    let mut game = Game::new(
        "function init() return { n = 0, loop = true } end
        function tick(s) s.n = s.n + 1 if s.loop then while true do end end return s end
        function handle_input(id, i, s) s.loop = i.loop s.inputs = (s.inputs or 0) + 1 return s end",
    );
    let mut ran = Vec::new();
    for step in 0..20 {
        let start = common::CpuClock::start();
        game.step(&[("a", r#"{"loop":true}"#)]);
        if start.elapsed().as_millis() >= 40 {
            ran.push(step);
        }
    }
    assert_eq!(ran, [0, 2, 5, 10, 19], "steps that ran tick");
    for _ in 0..18 {
        game.step(&[("a", r#"{"loop":false}"#)]);
    }
    let view = game.look();
    assert_eq!(
        (&view["n"], &view["inputs"]),
        (&json!(2), &json!(38)),
        "inputs were taken all along"
    );
}

#[test]
fn faults_are_rate_limited_by_callback() {
    let mut game =
        Game::new("function tick(s) error('t') end function leave(id, s) error('l') end");
    for _ in 0..10 {
        game.tick();
    }
    game.leave("a");
    assert_eq!(game.faults().len(), 4);
}

#[test]
fn inputs_that_work_but_take_long_share_a_budget_too() {
    // Busy by the clock, not by a count: this machine's speed does not matter.
    let mut game = Game::new(
        "function handle_input(id, i, s) local t = os.clock() while os.clock() - t < 0.008 do end
          s.taken = (s.taken or 0) + 1 return s end",
    );
    let start = common::CpuClock::start();
    game.step(&[("a", "{}"); 60]);
    assert!(
        start.elapsed().as_millis() < 300,
        "60 slow inputs took {:?}",
        start.elapsed()
    );
    let fault = game.fault();
    assert!(fault.message.contains("dropped"), "{fault:?}");
    let taken = game.look()["taken"].as_i64().unwrap();
    assert!((2..=15).contains(&taken), "{taken} inputs were taken");
}

#[test]
fn endless_views_cost_less_and_less() {
    let mut game = Game::new(
        "function get_state(id, s) if id == 'ok' then return { n = s.n } end while true do end end",
    );
    let start = common::CpuClock::start();
    let (ticks, mut seen) = (20, 0);
    for _ in 0..ticks {
        game.tick();
        for who in ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "ok"] {
            seen += u32::from(game.logic.view(&common::player(who)).is_some());
        }
    }
    // Nine players' views of 20 ms for 20 ticks would be 3.6 seconds.
    assert!(start.elapsed().as_millis() < 1800, "{:?}", start.elapsed());
    assert!(
        seen > 4,
        "a view that works is seen again, {seen} of {ticks}"
    );
}
