//! What players see, and how a match ends and is continued.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::{LogicFactory, StepOutcome, View};
use asobi_lua::LuaSettings;
use bytes::Bytes;
use common::{Game, player};
use serde_json::json;

fn see(game: &mut Game, who: &str) -> Option<String> {
    match game.logic.view(&player(who))? {
        View::Same => Some("same".into()),
        View::New(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
    }
}

#[test]
fn the_same_table_is_encoded_once_a_tick() {
    let mut game = Game::new(
        "function get_state(id, s) if id == 'spy' then return { n = s.n } end return s end",
    );
    for _ in 0..3 {
        game.tick();
        let first = see(&mut game, "a").unwrap();
        assert!(first.starts_with('{'), "a new tick, a new view: {first}");
        assert_eq!(see(&mut game, "b").unwrap(), "same");
        assert_ne!(see(&mut game, "spy").unwrap(), "same");
        assert_ne!(
            see(&mut game, "c").unwrap(),
            "same",
            "the previous call returned another table"
        );
        assert_eq!(see(&mut game, "d").unwrap(), "same");
    }
}

#[test]
fn a_new_table_at_a_freed_address_is_not_the_same() {
    // Every call makes garbage of the last view; addresses come back all the time.
    let mut game = Game::new(
        "function get_state(id, s) local g = {} for i = 1, 50 do g[i] = {} end return { me = id } end",
    );
    game.tick();
    for i in 0..2000 {
        assert_eq!(
            see(&mut game, &format!("p{i}")).unwrap(),
            format!(r#"{{"me":"p{i}"}}"#)
        );
    }
}

#[test]
fn a_table_that_is_filled_anew_for_each_player_is_not_the_same() {
    let mut game =
        Game::new("local view = {} function get_state(id, s) view.me = id return view end");
    game.tick();
    assert_eq!(see(&mut game, "a").unwrap(), r#"{"me":"a"}"#);
    assert_eq!(see(&mut game, "b").unwrap(), r#"{"me":"b"}"#);
    assert_eq!(see(&mut game, "b").unwrap(), "same");
}

#[test]
fn a_shared_view_gets_the_state_alone() {
    let mut game = Game::new(
        "state_strategy = 'shared' function get_state(s, more) return { n = s.n, more = more } end",
    );
    assert!(game.logic.shared_view());
    game.tick();
    assert_eq!(see(&mut game, "anyone").unwrap(), r#"{"n":1}"#);
}

#[test]
fn a_view_that_fails_is_no_view() {
    for (get_state, text) in [
        ("return 5", "get_state must return a table"),
        ("return", "get_state must return a table"),
        ("return { 1, 2 }", "not a list"),
        ("error('blind')", "match.lua:1: blind"),
        (
            "while true do end",
            "match.lua:1: get_state used up its CPU budget of 20 ms",
        ),
        ("return { string.rep('x', 1100000) }", "1048576 bytes"),
    ] {
        let mut game = Game::new(&format!("function get_state(id, s) {get_state} end"));
        game.tick();
        assert_eq!(see(&mut game, "a"), None);
        let fault = game.fault();
        assert!(
            fault.callback == "get_state" && fault.message.contains(text),
            "{}",
            fault.message
        );
        game.tick();
    }
}

#[test]
fn empty_views_are_objects() {
    let mut game = Game::new("function get_state(id, s) return { inner = {}, list = { {} } } end");
    game.tick();
    assert_eq!(game.look(), json!({"inner": [], "list": [[]]}));
    let mut game = Game::new("function get_state(id, s) return {} end");
    game.tick();
    assert_eq!(see(&mut game, "a").unwrap(), "{}");
}

#[test]
fn a_match_ends_when_its_state_says_so() {
    let finish = |how: &str| {
        let mut game = Game::new(&format!(
            "function tick(s) s.n = s.n + 1 if s.n == 2 then {how} end return s end"
        ));
        game.tick();
        let outcome = game.step(&[]);
        (outcome, game.faults())
    };
    let finished = |json: &'static str| StepOutcome::Finished(Bytes::from_static(json.as_bytes()));
    assert_eq!(finish("s._finished = true"), (finished("{}"), vec![]));
    assert_eq!(
        finish("s._finished = true s._result = {}"),
        (finished("{}"), vec![])
    );
    assert_eq!(
        finish("s._finished = true s._result = { winner = 'a' }"),
        (finished(r#"{"winner":"a"}"#), vec![])
    );
    assert_eq!(finish("s._finished = 1"), (StepOutcome::Running, vec![]));
    let (outcome, faults) = finish("s._finished = true s._result = { string.rep('x', 2e6) }");
    assert_eq!((outcome, faults.len()), (finished("{}"), 1));
}

#[test]
fn a_match_is_continued_from_its_snapshot() {
    let mut game = Game::new(
        "function init(c) return { players = {}, n = 0, rolls = {}, id = c.match_id, mode = c.mode, [7] = 1.0, half = 0.5 } end
        function tick(s) s.n = s.n + 1 s.rolls[s.n] = math.random(1000000) return s end",
    );
    game.join("a").unwrap();
    game.tick();
    let mut bytes = Vec::new();
    game.logic.snapshot(&mut bytes).unwrap();
    let mut copy = Game {
        logic: game.factory.restore(&common::setup(), &bytes).unwrap(),
        ..Game::new("")
    };
    game.tick();
    copy.tick();
    let view = game.look();
    assert_eq!(view, copy.look());
    assert_eq!(
        (&view["id"], &view["mode"], &view["players"]["a"]["x"]),
        (&json!("m1"), &json!("default"), &json!(0))
    );
}

#[test]
fn foreign_bytes_are_no_snapshot() {
    let mut game = Game::new("");
    let mut bytes = Vec::new();
    game.logic.snapshot(&mut bytes).unwrap();
    let mut other_version = bytes.clone();
    other_version[7] = 99;
    for bad in [
        &b""[..],
        b"nonsense",
        &bytes[..bytes.len() - 1],
        &[&bytes[..], b"x"].concat(),
        &other_version,
    ] {
        let fault = game.factory.restore(&common::setup(), bad).err().unwrap();
        assert_eq!(fault.callback, "restore");
    }
    assert!(game.factory.restore(&common::setup(), &bytes).is_ok());
}

#[test]
fn a_script_that_does_not_load_makes_no_match() {
    let fault = |script: &str| {
        let folder = common::Folder::new(&[("match.lua", script)]);
        let source = asobi_lua::ScriptSource::open(folder.path()).unwrap();
        let factory = asobi_lua::LuaFactory::new(source, "match.lua", LuaSettings::default());
        common::create(&factory).err().unwrap()
    };
    assert_eq!(
        fault("x = = 1").message,
        "match.lua:1: unexpected symbol near '='"
    );
    assert_eq!(fault("\n\nerror('top')").message, "match.lua:3: top");
    assert_eq!(
        fault("while true do end").message,
        "match.lua:1: load used up its CPU budget of 1000 ms"
    );
    assert_eq!(fault("").callback, "init");
    assert_eq!(
        fault("function init() return 3 end").message,
        "match.lua: init must return the state, a table, not 3"
    );
    assert_eq!(
        fault("function init()\nerror({}) end").message,
        "match.lua:2: the error is a table"
    );
    assert_eq!(
        fault("function init() while true do end end").message,
        "match.lua:1: init used up its CPU budget of 1000 ms"
    );
}

#[test]
fn votes() {
    let mut game = Game::new(
        "vote_templates = { map = { method = 'ranked', window_ms = 1 }, default = { quorum = 0.5 } }
        function vote_requested(s)
          if s.n == 1 then return { template = 'map', options = { { id = 'a', label = 'A' }, 'b', 3 }, window_ms = 5000.0, extra = {} } end
          if s.n == 2 then return false end
          if s.n == 3 then return {} end
          if s.n == 4 then return { options = { 'a' }, weights = {} } end
        end",
    );
    assert_eq!(game.logic.vote_requested(), None);
    game.tick();
    let vote = game.logic.vote_requested().unwrap();
    let whole = serde_json::json!({
        "template": "map", "method": "ranked", "window_ms": 5000.0, "extra": [],
        "options": [{"id": "a", "label": "A"}, "b", 3],
    });
    assert_eq!(serde_json::Value::Object(vote), whole);
    for _ in 0..2 {
        game.tick();
        assert_eq!(game.logic.vote_requested(), None);
    }
    game.tick();
    let vote = game.logic.vote_requested().unwrap();
    assert_eq!(
        (&vote["quorum"], &vote["weights"]),
        (&0.5.into(), &serde_json::json!([]))
    );
    assert_eq!(game.faults().len(), 0);
    assert_eq!(Game::new("").logic.vote_requested(), None);
}

#[test]
fn what_is_no_vote_is_a_named_fault() {
    let many = "(function() local many = {}
        for n = 1, 10000 do many[n] = { id = 'option' .. n, label = 'one of very many' } end
        return { options = many } end)()";
    let wrong = [
        ("5", "must return a table or nil, not 5"),
        ("error('no vote')", "match.lua:1: no vote"),
        ("{ 'a', 'b' }", "a vote is a table with names"),
        (many, "more than 262144 bytes"),
    ];
    for (value, message) in wrong {
        let mut game = Game::new(&format!("function vote_requested(s) return {value} end"));
        assert_eq!(game.logic.vote_requested(), None);
        let faults = game.faults();
        assert_eq!(faults[0].callback, "vote_requested");
        assert!(faults[0].message.contains(message), "{faults:?}");
    }
    let mut game = Game::new("");
    game.logic.vote_fault("window_ms = -1");
    assert_eq!(game.faults()[0].message, "match.lua: window_ms = -1");
}

#[test]
fn inputs_that_are_not_json_are_reported() {
    let mut game = Game::new("function handle_input(id, i, s) s.n = 99 return s end");
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    game.step(&[("a", "{"), ("a", &deep), ("a", "")]);
    assert_eq!(game.faults().len(), 3);
    assert_eq!(game.look()["n"], 1);
}

#[test]
fn objects_are_objects_again_after_a_restart() {
    let script = "
        local Ship = {} Ship.__index = Ship
        function Ship:sail() self.x = self.x + self.speed() end
        Fast = function() return 10 end
        local helper = require('helper')
        function init() return { n = 0, a = setmetatable({ x = 0, speed = Fast }, Ship), b = setmetatable({ x = 5 }, helper.Rock), lost = HIDDEN } end
        function tick(s) s.n = s.n + 1 s.a:sail() s.b:roll() s.still = s.lost ~= nil return s end";
    let helper = "local Rock = {} Rock.__index = Rock function Rock:roll() self.x = self.x - 1 end return { Rock = Rock }";
    let start = |hidden: &str| {
        let main = format!("{}\n{}", script.replace("HIDDEN", hidden), common::REST);
        Game::with(
            &[("match.lua", &main), ("helper.lua", helper)],
            LuaSettings::default(),
        )
    };
    for (hidden, lost) in [("nil", 0), ("function() end", 1)] {
        let mut game = start(hidden);
        game.tick();
        let mut bytes = Vec::new();
        game.logic.snapshot(&mut bytes).unwrap();
        game.logic.snapshot(&mut Vec::new()).unwrap();
        assert_eq!(game.effects().len(), lost, "said once");
        game.logic = game.factory.restore(&common::setup(), &bytes).unwrap();
        game.tick();
        assert_eq!(game.faults(), []);
        let view = game.look();
        assert_eq!(
            (&view["a"]["x"], &view["b"]["x"], &view["still"]),
            (&json!(20), &json!(3), &json!(false))
        );
    }
}
