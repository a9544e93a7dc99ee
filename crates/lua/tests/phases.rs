//! Phases as a script declares them, and what it may say to them.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::{Around, Effect, FaultKind, LogicFactory, PhaseNow};
use asobi_game::phases::{Condition, End, PhaseDef, PhaseSignal};
use asobi_lua::{LuaFactory, LuaSettings, ScriptSource, load_manifest};
use common::{Folder, Game, REST, now, setup};
use serde_json::json;

fn phases(script: &str) -> Vec<PhaseDef> {
    Game::new(script).logic.phases()
}

/// What loading a game with these phases says, from `phases(config)` at line 2.
fn refusal(list: &str) -> String {
    let folder = Folder::new(&[(
        "match.lua",
        &format!("\nfunction phases(config)\n  return {list}\nend\n{REST}"),
    )]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let faults = load_manifest(&source.current(), &LuaSettings::default()).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].callback, "phases");
    assert!(matches!(
        faults[0].kind,
        FaultKind::LoadError | FaultKind::Timeout
    ));
    // A match that is started anyway does not start without its phases either.
    let factory = LuaFactory::new(source, "match.lua", LuaSettings::default());
    let failed = now(factory.create(&setup())).err().unwrap();
    assert_eq!(failed.message, faults[0].message);
    failed.message
}

#[test]
fn the_guides_list_is_read() {
    let list = phases(
        r#"function phases(config)
          return {
            { name = "lobby",   start = { players = 4 } },
            { name = "combat",  duration = 120000, config = { gate = config.mode, spawns = {} } },
            { name = "results", duration = 8000.7, start = "all_ready" },
            { name = "later",   start = 500 }, { name = "last", start = { timer = 700 } },
            { name = "never",   start = "prev_ended", duration = math.huge },
            { name = "half",    start = { players_ratio = 0.5 } },
            { name = "named",   start = { event = "gate" }, end_condition = { players_below = 2 } },
          }
        end"#,
    );
    let starts: Vec<Condition> = list.iter().map(|phase| phase.start.clone()).collect();
    let expected = [
        Condition::Players(4),
        Condition::PrevEnded,
        Condition::AllReady,
        Condition::Timer(500),
        Condition::Timer(700),
        Condition::PrevEnded,
        Condition::PlayersRatio(0.5),
        Condition::Event("gate".into()),
    ];
    assert_eq!(starts, expected);
    assert_eq!(list[1].duration_ms, Some(120_000));
    assert_eq!(list[2].duration_ms, Some(8_000));
    assert_eq!(list[5].duration_ms, None);
    assert_eq!(list[1].config, json!({"gate": "default", "spawns": {}}));
    assert_eq!(list[0].config, json!({}));
    assert_eq!(list[7].end, Some(End::PlayersBelow(2)));
}

#[test]
fn the_first_spelling_is_read_in_seconds() {
    let list = phases(
        r#"phases = {
            { name = "lobby", start_condition = { type = "player_count", min = 4 } },
            { name = "combat", duration = 120 },
            { name = "results", duration = 0.5, start_condition = { type = "timer", seconds = 2 },
              timers = { { id = "bell", duration = 0.25 } } },
        }"#,
    );
    assert_eq!(list[0].start, Condition::Players(4));
    assert_eq!(list[1].duration_ms, Some(120_000));
    assert_eq!(
        (list[2].duration_ms, &list[2].start),
        (Some(500), &Condition::Timer(2_000))
    );
    let timers = serde_json::to_value(&list[2].timers).unwrap();
    assert_eq!(timers[0]["kind"]["countdown"]["duration_ms"], 250);
}

#[test]
fn a_malformed_list_is_an_error_that_names_the_line() {
    for (list, expected) in [
        ("7", "match.lua:2: phases must be a list of phases, not 7"),
        (
            "nil",
            "match.lua:2: phases must be a list of phases, not nil",
        ),
        (
            "{ name = 'x' }",
            "match.lua:2: phases must be a list: { {...}, {...} }",
        ),
        (
            "{ 'warmup' }",
            "match.lua:2: phases[1] = \"warmup\": expected a table",
        ),
        (
            "{ { duration = 5 } }",
            "match.lua:2: phases[1]: name = nil: expected a string of 1 to 64 bytes",
        ),
        (
            "{ { name = 'a', duration = 1 },\n { name = 'b', duration = '10000' } }",
            "match.lua:4: phases[2] (\"b\"): duration = \"10000\": expected a number of milliseconds, more than 0 and at most 30 days",
        ),
        (
            "{ { name = 'a', duration = 0/0 } }",
            "match.lua:3: phases[1] (\"a\"): duration = NaN: expected a number of milliseconds, more than 0 and at most 30 days",
        ),
        (
            "{ { name = 'a', durration = 5 } }",
            "match.lua:3: phases[1] (\"a\"): \"durration\" is none of",
        ),
        (
            "{ { name = 'a', start = 'all-ready' } }",
            "match.lua:3: phases[1] (\"a\"): start = \"all-ready\": expected",
        ),
        (
            "{ { name = 'a', start = { players = '4' } } }",
            "match.lua:3: phases[1] (\"a\"): start.players = \"4\": expected a whole number",
        ),
        (
            "{ { name = 'a', start = 1e18 } }",
            "match.lua:3: phases[1] (\"a\"): start = 1000000000000000000: expected a number of milliseconds",
        ),
        (
            "{ { name = 'a', start_condition = { type = 'players' } } }",
            "match.lua:3: phases[1] (\"a\"): start_condition: expected a table whose type",
        ),
        (
            "{ { name = 'a', start = 5 }, { name = 'b', start_condition = { type = 'all_ready' } } }",
            "match.lua:2: phases mixes start and start_condition: use one of them",
        ),
        (
            "{ { name = 'a', config = { 1, 2 } } }",
            "match.lua:3: phases[1] (\"a\"): config: expected a table with names, not a list",
        ),
        (
            "{ { name = 'a', timers = { { id = 'x', type = 'sundial' } } } }",
            "match.lua:3: phases[1] (\"a\"): timers[1].type: expected",
        ),
        (
            "{ { name = 'a', end_condition = 'done' } }",
            "match.lua:3: phases[1] (\"a\"): end_condition = \"done\": expected a function",
        ),
        (
            "setmetatable({}, { __index = error }) + 1",
            "match.lua:3: attempt to perform arithmetic on a table value",
        ),
        (
            "(function() while true do end end)()",
            "match.lua:3: phases used up its CPU budget of 1000 ms",
        ),
    ] {
        let message = refusal(list);
        assert!(message.starts_with(expected), "{list}: {message}");
    }
    // A list of a table names its own line.
    let folder = Folder::new(&[(
        "match.lua",
        &format!("{REST}\n\nphases = {{\n  {{ name = 'a', duration = true }} }}\n"),
    )]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let faults = load_manifest(&source.current(), &LuaSettings::default()).unwrap_err();
    let line = faults[0].line.unwrap() as usize;
    let text = std::fs::read_to_string(folder.path().join("match.lua")).unwrap();
    assert!(text.lines().nth(line - 1).unwrap().contains("name = 'a'"));
}

#[test]
fn callbacks_get_the_state_and_failing_ones_change_nothing() {
    let mut game = Game::new(
        r#"function on_phase_started(name, s) s.log[#s.log + 1] = "+" .. name return s end
        function on_phase_ended(name, s)
          s.log[#s.log + 1] = "-" .. name
          game.broadcast("over", {})
          if name == "bad" then error("no") end
          return s
        end"#,
    );
    now(game.logic.phase_started("combat"));
    now(game.logic.phase_ended("combat"));
    now(game.logic.phase_ended("bad"));
    assert_eq!(game.look()["log"], json!(["+combat", "-combat"]));
    let effects = game.effects();
    let sent = effects
        .iter()
        .filter(|e| matches!(e, Effect::Broadcast { .. }));
    assert_eq!(sent.count(), 1);
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::Fault(f) if f.message == "match.lua:5: no"))
    );
}

#[test]
fn a_function_ends_a_phase_also_after_a_restart_and_a_reload() {
    let script = |least: u32| {
        format!(
            "function phases() return {{ {{ name = 'hunt', end_condition = function(s) \
             if s.n == 99 then s.n = nil error('odd') end return s.n >= {least} end }} }} end"
        )
    };
    let mut game = Game::new(&script(2));
    assert_eq!(game.logic.phases()[0].end, Some(End::Asked));
    game.tick();
    assert!(!game.logic.phase_over("hunt"));
    game.tick();
    assert!(game.logic.phase_over("hunt"));
    assert!(!game.logic.phase_over("other"));
    let mut bytes = Vec::new();
    game.logic.snapshot(&mut bytes).unwrap();
    let mut back = game.factory.restore(&setup(), &bytes).unwrap();
    assert!(back.phase_over("hunt"));
    game.save(&script(3));
    game.tick();
    assert!(game.logic.phase_over("hunt"));
    for _ in 3..99 {
        game.tick();
    }
    // One that fails says nothing, and what it did to the state is undone.
    assert!(!game.logic.phase_over("hunt"));
    assert_eq!(game.fault().callback, "end_condition");
    assert_eq!(game.n(), 99);
}

#[test]
fn a_script_speaks_to_its_phases() {
    let mut game = Game::new(
        r#"function tick(s)
          s.said = { game.phase.event("gate"), game.phase.ready("a"), game.phase.ready("b", false),
            game.phase.all_ready(), game.phase.skip() }
          s.wrong = { game.phase.event(), game.phase.event(7), game.phase.ready("a", 1), game.phase.skip(1) }
          s.now = game.phase.current() or "none"
          return s
        end"#,
    );
    game.tick();
    let seen = game.look();
    assert_eq!(
        seen["said"][0],
        json!({"error": "this match has no phases"})
    );
    assert_eq!(seen["now"], "none");
    let phase = PhaseNow {
        name: Some("combat".into()),
        status: "active",
        ends_at: Some(5_000),
    };
    game.logic.inform(Around {
        now: 4_000,
        phase: Some(phase),
        ..Around::default()
    });
    game.effects();
    game.tick();
    let seen = game.look();
    assert_eq!(seen["said"], json!([true, true, true, true, true]));
    let now = json!({"phase": "combat", "status": "active", "remaining_ms": 1_000});
    assert_eq!(seen["now"], now);
    for wrong in seen["wrong"].as_array().unwrap() {
        assert!(
            wrong["error"].as_str().unwrap().contains("requires"),
            "{wrong}"
        );
    }
    let signals: Vec<PhaseSignal> = game
        .effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Phase(signal) => Some(signal),
            _ => None,
        })
        .collect();
    let expected = [
        PhaseSignal::Event("gate".into()),
        PhaseSignal::Ready("a".into(), true),
        PhaseSignal::Ready("b".into(), false),
        PhaseSignal::AllReady,
        PhaseSignal::Skip,
    ];
    assert_eq!(signals, expected);
}

#[test]
fn a_dropped_connection_and_a_return_reach_the_script() {
    let mut game = Game::new(
        r#"function on_disconnect(id, s) s.log[#s.log + 1] = id .. " gone" return s end
        function on_reconnect(id, s) s.log[#s.log + 1] = id .. " back" return s end"#,
    );
    now(game.logic.disconnected(&"a".into()));
    now(game.logic.reconnected(&"a".into()));
    assert_eq!(game.look()["log"], json!(["a gone", "a back"]));
    // A script may do without.
    let mut plain = Game::new("");
    now(plain.logic.disconnected(&"a".into()));
    assert_eq!(plain.faults(), []);
}
