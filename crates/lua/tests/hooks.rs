//! `hooks.lua`: what a game does outside of any match.
#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::{Effect, FaultKind};
use asobi_lua::{Filtered, Hooks, LuaSettings, ScriptSet, ScriptSource, load_manifest};
use common::{Folder, REST};

fn hooks(files: &[(&str, &str)]) -> Hooks {
    let set = ScriptSet::from_files(files.iter().map(|(name, text)| (*name, (*text).to_owned())));
    Hooks::new(ScriptSource::fixed(set), LuaSettings::default())
}

const FILTER: &str = r#"
function chat_filter(channel, sender, text)
  if text == "crash" then error("boom") end
  if text == "spin" then while true do end end
  if text == "table" then return {} end
  if text:find("darn") then return (text:gsub("darn", "****")) end
  if channel == "global:quiet" then return false, "quiet hours" end
  if sender == "mallory" then return false end
  if text == "fine" then return true end
end
"#;

#[test]
fn a_filter_passes_changes_and_refuses() {
    let mut hooks = hooks(&[("hooks.lua", FILTER)]);
    let mut say = |channel, sender, text| hooks.chat_filter(channel, sender, text);
    assert_eq!(say("global:a", "ada", "hello"), Filtered::Pass);
    assert_eq!(say("global:a", "ada", "fine"), Filtered::Pass);
    let changed = Filtered::Change("**** it".into());
    assert_eq!(say("global:a", "ada", "darn it"), changed);
    let refused = Filtered::Refuse(Some("quiet hours".into()));
    assert_eq!(say("global:quiet", "ada", "hello"), refused);
    assert_eq!(say("global:a", "mallory", "hello"), Filtered::Refuse(None));
}

#[test]
fn a_filter_that_fails_lets_nothing_through_and_says_why() {
    let mut hooks = hooks(&[("hooks.lua", FILTER)]);
    let failed = Filtered::Refuse(Some("filter_failed".into()));
    for (text, kind, line) in [
        ("crash", FaultKind::RuntimeError, Some(3)),
        ("spin", FaultKind::Timeout, Some(4)),
        ("table", FaultKind::RuntimeError, None),
    ] {
        assert_eq!(hooks.chat_filter("global:a", "ada", text), failed);
        let effects = hooks.drain_effects();
        let Some(Effect::Fault(fault)) = effects.first() else {
            // Of the same callback only so many are reported.
            continue;
        };
        assert_eq!((fault.kind, fault.line), (kind, line));
        assert_eq!(fault.callback, "chat_filter");
    }
    assert_eq!(
        hooks.chat_filter("global:a", "ada", "hello"),
        Filtered::Pass
    );
}

#[test]
fn a_small_game_has_its_filter_in_its_one_script() {
    let script = format!("{FILTER}\n{REST}");
    let mut hooks = hooks(&[("match.lua", &script)]);
    assert_eq!(
        hooks.chat_filter("global:a", "mallory", "x"),
        Filtered::Refuse(None)
    );
}

#[test]
fn a_game_without_a_filter_lets_everything_through() {
    let mut hooks = hooks(&[("match.lua", REST)]);
    assert_eq!(hooks.chat_filter("global:a", "ada", "x"), Filtered::Pass);
}

#[test]
fn a_changed_filter_counts_from_the_next_message() {
    let folder = Folder::new(&[("match.lua", REST), ("hooks.lua", FILTER)]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let mut hooks = Hooks::new(source.clone(), LuaSettings::default());
    assert_eq!(hooks.chat_filter("c", "ada", "x"), Filtered::Pass);
    folder.write("hooks.lua", "function chat_filter() return false end");
    folder.publish(&source);
    assert_eq!(hooks.chat_filter("c", "ada", "x"), Filtered::Refuse(None));
    // A change that does not load leaves the filter as it was.
    folder.write("hooks.lua", "error('no')");
    folder.publish(&source);
    assert_eq!(hooks.chat_filter("c", "ada", "x"), Filtered::Refuse(None));
    assert_eq!(hooks.drain_effects().len(), 1);
}

#[test]
fn games_declare_their_channels() {
    let script = format!(
        "chat = {{ global = {{ 'lobby', 7 }}, slow_mode = {{ ['global:lobby'] = 5, ['match:'] = 'x' }} }}\n{REST}"
    );
    let set = ScriptSet::from_files([
        ("match.lua", script),
        (
            "hooks.lua",
            "chat = { global = { 'trade', 'lobby' } }".into(),
        ),
    ]);
    let manifest = load_manifest(&set.into(), &LuaSettings::default()).unwrap();
    assert_eq!(manifest.game.chat.globals, ["lobby", "trade"]);
    assert_eq!(manifest.game.chat.slow_mode, [("global:lobby".into(), 5)]);
    assert_eq!(manifest.warnings.len(), 2);
}
