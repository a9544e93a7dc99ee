//! Scripts change while the match goes on.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use asobi_game::logic::FaultKind;
use asobi_lua::{LuaSettings, ScriptSource, ScriptWatcher};
use common::{Folder, Game, REST};
use serde_json::json;

const BY_ONE: &str = "function tick(s) s.n = s.n + 1 return s end";
const BY_TEN: &str = "function tick(s) s.n = s.n + 10 return s end";

#[test]
fn a_saved_script_counts_from_the_next_tick_and_the_state_is_kept() {
    let mut game = Game::new(BY_ONE);
    game.tick();
    game.save(BY_TEN);
    game.tick();
    assert_eq!(game.faults(), []);
    assert_eq!(game.look()["n"], 11);
}

#[test]
fn a_broken_script_is_reported_once_and_the_last_good_one_goes_on() {
    let mut game = Game::new(BY_ONE);
    for (broken, kind, line, text) in [
        (
            "function tick(s) s.n = = 1 end",
            FaultKind::LoadError,
            1,
            "unexpected symbol",
        ),
        (
            "function tick(s) s.n = 1000 return s end\nleave = nil\nstray = 1\nlocal x = nothing.here",
            FaultKind::LoadError,
            4,
            "attempt to index a nil value (global 'nothing')",
        ),
        (
            "tick = nil while true do end",
            FaultKind::Timeout,
            1,
            "CPU budget",
        ),
    ] {
        game.save(broken);
        let before = game.n();
        game.tick();
        let fault = game.expect_fault(kind, "reload", line);
        assert!(fault.message.contains(text), "{}", fault.message);
        game.tick();
        assert_eq!(game.faults(), [], "not tried again");
        assert_eq!(game.n(), before + 2);
    }
    game.leave("a");
    assert_eq!(
        game.faults(),
        [],
        "a global that the failed script removed is back"
    );
    game.save("function tick(s) s.stray = stray s.n = 0 return s end");
    game.tick();
    assert_eq!(
        game.look()["stray"],
        json!(null),
        "a global that the failed script made is gone"
    );
    assert_eq!(game.faults(), []);
}

#[test]
fn modules_are_read_again() {
    let main = format!(
        "local rules = require('rules.speed') function tick(s) s.n = s.n + rules.step() return s end {REST}"
    );
    let files = [
        ("match.lua", main.as_str()),
        (
            "rules/speed.lua",
            "return { step = function() return 1 end }",
        ),
    ];
    let mut game = Game::with(&files, LuaSettings::default());
    game.tick();
    game.folder.write(
        "rules/speed.lua",
        "return { step = function() return 5 end }",
    );
    game.folder.publish(&game.source);
    game.tick();
    assert_eq!(game.n(), 6);
    // A module that breaks, at compile time and when it runs.
    for broken in ["return {", "error('no')"] {
        game.folder.write("rules/speed.lua", broken);
        game.folder.publish(&game.source);
        game.tick();
        let fault = game.fault();
        assert_eq!(
            (fault.callback.as_str(), fault.script.as_str(), fault.line),
            ("reload", "rules/speed.lua", Some(1))
        );
    }
    assert_eq!(game.n(), 16);
}

#[test]
fn a_script_the_match_does_not_use_does_not_run_it_again() {
    let script = "runs = (runs or 0) + 1 function get_state(id, s) return { runs = runs } end";
    let mut game = Game::new(script);
    game.folder.write("other.lua", "return 1");
    game.folder.publish(&game.source);
    game.tick();
    assert_eq!(game.look()["runs"], 1);
    game.save(&format!("{script} require('other')"));
    game.tick();
    assert_eq!(game.look()["runs"], 2);
    game.folder.write("other.lua", "return 2");
    game.folder.publish(&game.source);
    game.tick();
    assert_eq!(game.look()["runs"], 3);
}

#[test]
fn globals_about_the_match_are_taken_up() {
    let mut game = Game::new("");
    assert_eq!(
        (game.logic.tick_rate_ms(), game.logic.shared_view()),
        (100, false)
    );
    game.save("tick_rate = 50 state_strategy = 'shared' function get_state(s) return { shared = s.n } end");
    game.tick();
    assert_eq!(
        (game.logic.tick_rate_ms(), game.logic.shared_view()),
        (50, true)
    );
    assert_eq!(game.look()["shared"], 1);
    game.save("tick_rate = 5");
    game.tick();
    assert_eq!(game.logic.tick_rate_ms(), 10);
    game.save("tick_rate = 5000");
    game.tick();
    assert_eq!(game.logic.tick_rate_ms(), 1000);
}

#[test]
fn new_matches_start_with_the_scripts_of_now() {
    let mut game = Game::new(BY_ONE);
    game.save(BY_TEN);
    game.logic = common::create(&game.factory).unwrap();
    game.tick();
    assert_eq!(game.n(), 10);
}

/// What the watcher told about the folder, in time.
fn next(told: &mpsc::Receiver<Vec<String>>) -> Vec<String> {
    told.recv_timeout(Duration::from_secs(10))
        .expect("the watcher noticed")
}

#[test]
fn the_watcher_publishes_what_loads_and_names_what_does_not() {
    let folder = Folder::new(&[("match.lua", &format!("{BY_ONE} {REST}"))]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let factory = asobi_lua::LuaFactory::new(source.clone(), "match.lua", LuaSettings::default());
    let logic = common::create(&factory).unwrap();
    let mut game = Game {
        folder,
        source: source.clone(),
        factory,
        logic,
        seen: json!(null),
    };
    let (tell, told) = mpsc::channel();
    let watcher = ScriptWatcher::start(source.clone(), LuaSettings::default(), move |set| {
        tell.send(set.faults().iter().map(|f| f.message.clone()).collect())
            .unwrap();
    })
    .unwrap();

    game.folder.write("match.lua", &format!("{BY_TEN} {REST}"));
    assert_eq!(next(&told), Vec::<String>::new());
    game.tick();
    assert_eq!(game.n(), 10);

    game.folder.write("match.lua", "function tick(s)");
    assert_eq!(next(&told), ["match.lua:1: 'end' expected near <eof>"]);
    game.tick();
    assert_eq!(game.n(), 20);
    let fault = game.fault();
    assert_eq!(
        (fault.callback.as_str(), fault.message.as_str()),
        ("reload", "match.lua:1: 'end' expected near <eof>")
    );
    // New matches still get the last scripts that load.
    assert!(common::create(&game.factory).is_ok());

    // One that compiles but declares nonsense is broken, too.
    game.folder
        .write("match.lua", &format!("{REST} match_size = -1"));
    let faults = next(&told);
    assert!(
        faults.len() == 1 && faults[0].contains("match_size = -1"),
        "{faults:?}"
    );

    game.folder.write("match.lua", &format!("{BY_ONE} {REST}"));
    assert_eq!(next(&told), Vec::<String>::new());
    game.effects();
    game.tick();
    assert_eq!((game.n(), game.faults().len()), (21, 0));

    let start = Instant::now();
    drop(watcher);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "stopping does not wait for the next look"
    );
}

#[test]
fn a_half_written_file_is_given_a_second_look() {
    let folder = Folder::new(&[("match.lua", &format!("{BY_ONE} {REST}"))]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let (tell, told) = mpsc::channel();
    let _watcher = ScriptWatcher::start(source.clone(), LuaSettings::default(), move |set| {
        tell.send(set.faults().len()).unwrap();
    })
    .unwrap();
    // Half a file, and the other half before anybody has looked twice.
    folder.write("match.lua", "function tick(s)");
    std::thread::sleep(Duration::from_millis(260));
    folder.write("match.lua", &format!("{BY_TEN} {REST}"));
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(0));
}
