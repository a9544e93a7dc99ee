//! Modules come from the game folder and nowhere else.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_lua::{LuaSettings, ScriptSet, ScriptSource};
use common::{Folder, Game, REST, run};
use serde_json::json;

#[test]
fn modules_come_from_beside_the_script_or_from_the_root() {
    let main = format!(
        "local a, b, c = require('near'), require('lib.far'), require('near')
        function init() return {{ n = a.name .. b .. tostring(a == c) .. tostring(require('nothing')) }} end
        function tick(s) return s end {REST}"
    );
    let folder = Folder::new(&[
        ("config.lua", "return { arena = 'arena/match.lua' }"),
        ("arena/match.lua", &main),
        (
            "arena/near.lua",
            "return { name = 'near in arena, ' .. ... }",
        ),
        ("near.lua", "return { name = 'near in root' }"),
        ("lib/far.lua", "return ' far '"),
        ("arena/nothing.lua", ""),
    ]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let factory =
        asobi_lua::LuaFactory::new(source.clone(), "arena/match.lua", LuaSettings::default());
    let logic = common::now(asobi_game::logic::LogicFactory::create(
        &factory,
        &common::setup(),
    ))
    .unwrap();
    let mut game = Game {
        folder,
        source,
        factory,
        logic,
        seen: json!(null),
    };
    assert_eq!(game.look()["n"], "near in arena, near far truetrue");
}

#[test]
fn what_require_refuses_it_names() {
    for (module, message) in [
        ("'../secret'", "'../secret' is not a module name"),
        ("'/etc/passwd'", "is not a module name"),
        ("'a\\n'", "is not a module name"),
        ("42", "require needs a module's name, got integer"),
        ("'missing'", "module 'missing' not found in the game folder"),
    ] {
        let text = run(&format!(
            "return tostring(select(2, pcall(require, {module})))"
        ));
        assert!(text.as_str().unwrap().contains(message), "{module}: {text}");
    }
}

#[test]
fn modules_in_a_circle_are_named() {
    let main = format!("require('a') {REST}");
    let folder = Folder::new(&[
        ("match.lua", &main),
        ("a.lua", "\nrequire('b')"),
        ("b.lua", "\n\nreturn require('a')"),
    ]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let factory = asobi_lua::LuaFactory::new(source, "match.lua", LuaSettings::default());
    let fault = common::now(asobi_game::logic::LogicFactory::create(
        &factory,
        &common::setup(),
    ))
    .err()
    .unwrap();
    assert_eq!(
        fault.message,
        "b.lua:3: modules require each other in a circle: a -> b -> a"
    );
}

#[test]
fn an_error_in_a_module_names_the_module() {
    let main = format!("local m = require('m') function tick(s) return m(s) end {REST}");
    let files = [
        ("match.lua", main.as_str()),
        ("m.lua", "return function(s)\n\nreturn s.a.b end"),
    ];
    let mut game = Game::with(&files, LuaSettings::default());
    game.tick();
    let fault = game.fault();
    assert_eq!((fault.script.as_str(), fault.line), ("m.lua", Some(3)));
    assert_eq!(
        fault.message,
        "m.lua:3: attempt to index a nil value (field 'a')"
    );
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let outside = Folder::new(&[("secret.lua", "return 'secret'")]);
    let folder = Folder::new(&[("match.lua", &format!("x = require('link') {REST}"))]);
    std::os::unix::fs::symlink(
        outside.path().join("secret.lua"),
        folder.path().join("link.lua"),
    )
    .unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("folder")).unwrap();
    let set = ScriptSet::read(folder.path()).unwrap();
    assert_eq!(
        set.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        ["match.lua"]
    );
}
