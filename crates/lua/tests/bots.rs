//! Bots play by a script of their own.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::FaultKind;
use asobi_lua::LuaSettings;
use bytes::Bytes;
use common::{Game, REST, player};
use serde_json::json;

fn with_bot(script: &str) -> Game {
    let main = format!("bots = {{ script = 'bots/bot.lua' }} {REST}");
    Game::with(
        &[
            ("match.lua", &main),
            ("bots/bot.lua", script),
            ("bots/aim.lua", "return { x = 7 }"),
        ],
        LuaSettings::default(),
    )
}

fn think(game: &mut Game, bot: &str, view: &Bytes) -> Option<serde_json::Value> {
    let bytes = game.logic.think(&player(bot), view)?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn bots_think_about_what_they_see() {
    let mut game = with_bot(
        "names = { 'Ann', 'not a name', 'Bob', 5 }
        local aim, seen = require('aim'), {}
        function think(id, s) seen[s] = true local n = 0 for _ in pairs(seen) do n = n + 1 end
          return { id = id, x = s.x + aim.x, views = n, game = game == nil } end",
    );
    assert_eq!(game.logic.bot_names(), ["Ann", "Bob"]);
    let view = Bytes::from_static(br#"{"x":1}"#);
    let expected = |id: &str, x: i64, views: i64| {
        Some(json!({"id": id, "x": x, "views": views, "game": true}))
    };
    assert_eq!(
        think(&mut game, "bot_Ann_1", &view),
        expected("bot_Ann_1", 8, 1)
    );
    assert_eq!(
        think(&mut game, "bot_Bob_1", &view),
        expected("bot_Bob_1", 8, 1),
        "decoded once"
    );
    let other = Bytes::from_static(br#"{"x":2}"#);
    assert_eq!(
        think(&mut game, "bot_Bob_1", &other),
        expected("bot_Bob_1", 9, 2)
    );
}

#[test]
fn a_bot_that_fails_is_reported_now_and_then() {
    for (body, kind, text) in [
        (
            "error('dumb')",
            FaultKind::RuntimeError,
            "bots/bot.lua:1: dumb",
        ),
        (
            "while true do end",
            FaultKind::Timeout,
            "bots/bot.lua:1: think used up its CPU budget of 5 ms",
        ),
        (
            "return 5",
            FaultKind::RuntimeError,
            "bots/bot.lua: think must return a table, the bot's input",
        ),
        (
            "return string.rep('x', 1e9)",
            FaultKind::OutOfMemory,
            "bots/bot.lua:1: think used up the memory budget",
        ),
    ] {
        let mut game = with_bot(&format!("function think(id, s) {body} end"));
        let view = Bytes::from_static(b"{}");
        for _ in 0..3 {
            assert_eq!(think(&mut game, "bot_a_1", &view), None);
        }
        assert_eq!(think(&mut game, "bot_b_1", &view), None);
        let faults = game.faults();
        let players: Vec<_> = faults.iter().map(|f| f.player.clone().unwrap()).collect();
        assert_eq!(players, [player("bot_a_1"), player("bot_b_1")], "once each");
        assert_eq!(
            (
                faults[0].kind,
                faults[0].callback.as_str(),
                faults[0].message.as_str()
            ),
            (kind, "think", text)
        );
        game.tick();
    }
}

#[test]
fn a_bot_script_that_does_not_load_is_reported_once() {
    let mut game = with_bot("function think(");
    for bot in ["bot_a_1", "bot_b_1"] {
        assert_eq!(think(&mut game, bot, &Bytes::from_static(b"{}")), None);
    }
    assert_eq!(game.fault().kind, FaultKind::LoadError);
    assert_eq!(
        game.logic.bot_names(),
        ["Spark", "Blitz", "Volt", "Neon", "Pulse"]
    );
    // And works once it is mended.
    game.folder
        .write("bots/bot.lua", "function think(id, s) return {} end");
    game.folder.publish(&game.source);
    game.tick();
    assert_eq!(
        think(&mut game, "bot_a_1", &Bytes::from_static(b"{}")),
        Some(json!({}))
    );
}

#[test]
fn a_mode_without_a_bot_script_thinks_nothing() {
    let mut game = Game::new("");
    assert_eq!(
        think(&mut game, "bot_a_1", &Bytes::from_static(b"{}")),
        None
    );
    assert_eq!(game.faults(), []);
    assert_eq!(game.logic.bot_names().len(), 5);
}
