//! `strategy = "ranked.lua"`: a game groups its tickets itself.
#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::{Effect, FaultKind, ScriptFault};
use asobi_lua::{LuaSettings, ScriptSet, ScriptSource, Strategist, load_manifest};
use common::{Folder, REST};

const TICKETS: &[u8] = br#"[{"id":"a","size":1},{"id":"b","size":1},{"id":"c","size":2}]"#;
const CONFIG: &[u8] = br#"{"match_size":2}"#;

fn strategist(script: &str) -> Strategist {
    let set = ScriptSet::from_files([("own.lua", script.to_owned())]);
    Strategist::new(ScriptSource::fixed(set), LuaSettings::default())
}

fn faults(strategist: &mut Strategist) -> Vec<ScriptFault> {
    let effects = strategist.drain_effects().into_iter();
    let fault = |effect| match effect {
        Effect::Fault(fault) => Some(fault),
        _ => None,
    };
    effects.filter_map(fault).collect()
}

#[test]
fn a_strategy_sees_tickets_and_config_and_answers_groups() {
    let mut own = strategist(
        "function match(tickets, config)
           local group = {}
           for _, ticket in ipairs(tickets) do
             if #group < config.match_size and ticket.size == 1 then group[#group + 1] = ticket.id end
           end
           return { group, { tickets[3].id } }
         end",
    );
    assert_eq!(
        own.group("own.lua", TICKETS, CONFIG),
        [vec!["a", "b"], vec!["c"]]
    );
    assert_eq!(faults(&mut own), []);
}

#[test]
fn what_fails_answers_no_groups_and_says_why() {
    for (body, kind, text) in [
        ("error('boom')", FaultKind::RuntimeError, "boom"),
        ("while true do end", FaultKind::Timeout, "CPU budget"),
        ("return nil", FaultKind::RuntimeError, "garbage"),
        ("", FaultKind::RuntimeError, "garbage"),
        ("return 7", FaultKind::RuntimeError, "garbage"),
        ("return { 'a' }", FaultKind::RuntimeError, "garbage"),
        ("return { { 1, 2 } }", FaultKind::RuntimeError, "garbage"),
        (
            "return { { function() end } }",
            FaultKind::RuntimeError,
            "garbage",
        ),
        (
            "return { first = { 'a' } }",
            FaultKind::RuntimeError,
            "garbage",
        ),
        (
            "local x = string.rep('x', 1e9)",
            FaultKind::OutOfMemory,
            "memory",
        ),
    ] {
        let mut own = strategist(&format!("function match(tickets, config) {body} end"));
        assert_eq!(
            own.group("own.lua", TICKETS, CONFIG),
            Vec::<Vec<String>>::new(),
            "{body}"
        );
        let faults = faults(&mut own);
        assert_eq!(faults.len(), 1, "{body}");
        assert_eq!(
            (faults[0].kind, faults[0].callback.as_str()),
            (kind, "match"),
            "{body}"
        );
        assert!(
            faults[0].message.contains(text),
            "{body}: {}",
            faults[0].message
        );
    }
    let mut none = strategist("x = 1");
    assert!(none.group("own.lua", TICKETS, CONFIG).is_empty());
    assert!(faults(&mut none)[0].message.contains("no function 'match'"));
    let mut none = strategist("x = 1");
    assert!(none.group("gone.lua", TICKETS, CONFIG).is_empty());
    assert_eq!(faults(&mut none).len(), 1);
}

#[test]
fn a_changed_strategy_counts_from_the_next_look() {
    let folder = Folder::new(&[
        ("match.lua", REST),
        ("own.lua", "function match() return { { 'a' } } end"),
    ]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let mut own = Strategist::new(source.clone(), LuaSettings::default());
    assert_eq!(own.group("own.lua", TICKETS, CONFIG), [["a"]]);
    folder.write("own.lua", "function match() return { { 'b' } } end");
    folder.publish(&source);
    assert_eq!(own.group("own.lua", TICKETS, CONFIG), [["b"]]);
    folder.write("own.lua", "error('no')");
    folder.publish(&source);
    assert_eq!(own.group("own.lua", TICKETS, CONFIG), [["b"]]);
    assert_eq!(faults(&mut own)[0].callback, "load");
}

#[test]
fn a_mode_names_a_script_that_is_there() {
    let mode = |strategy: &str| {
        let script = format!("match_size = 2 strategy = '{strategy}' {REST}");
        let set = ScriptSet::from_files([("match.lua", script), ("own.lua", String::new())]);
        let loaded = load_manifest(&set.into(), &LuaSettings::default()).unwrap();
        (loaded.game.modes[0].clone(), loaded.warnings.len())
    };
    let (own, warnings) = mode("own.lua");
    assert_eq!(own.matching.script.as_deref(), Some("own.lua"));
    assert_eq!((own.strategy.as_str(), warnings), ("own.lua", 0));
    for bad in ["gone.lua", "../own.lua", "/own.lua", "odd"] {
        let (mode, warnings) = mode(bad);
        assert_eq!((mode.matching.script, warnings), (None, 1), "{bad}");
        assert_eq!(mode.strategy, "fill");
    }
}
