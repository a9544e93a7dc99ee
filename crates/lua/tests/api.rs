//! The `game` table.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::{Effect, LogLevel};
use common::{Game, run};
use serde_json::json;

/// What one call does in a match: its answer and its effects.
fn call(code: &str) -> (serde_json::Value, Vec<Effect>) {
    let mut game = Game::new(&format!("function tick(s) s.n = {code} return s end"));
    game.tick();
    let view = game.look();
    (view["n"].clone(), game.effects())
}

#[test]
fn ids_are_uuids() {
    let (id, _) = call("game.id()");
    assert_eq!(
        uuid::Uuid::parse_str(id.as_str().unwrap())
            .unwrap()
            .get_version_num(),
        7
    );
}

#[test]
fn messages_become_effects() {
    let (answer, effects) = call("game.broadcast('boom', { x = 1, list = {}, })");
    assert_eq!(answer, json!(true));
    let [Effect::Broadcast { event, payload }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(event, "boom");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(payload).unwrap(),
        json!({"x": 1, "list": []})
    );
    for call_ in [
        "game.broadcast('x')",
        "game.broadcast('x', {})",
        "game.broadcast('x', { 1 })",
        "game.broadcast('x', 5)",
    ] {
        let (answer, effects) = call(call_);
        assert!(
            answer == json!(true)
                && matches!(&effects[..], [Effect::Broadcast { payload, .. }] if payload == "{}"),
            "{call_}"
        );
    }
    let (answer, effects) = call("game.send('p1', { 1, {} })");
    assert_eq!(answer, json!(true));
    assert!(
        matches!(&effects[..], [Effect::Send { to, message }] if to.as_str() == "p1" && message == "[1,{}]")
    );
    let (_, effects) = call("game.send('p1', 'hi')");
    assert!(matches!(&effects[..], [Effect::Send { message, .. }] if message == "\"hi\""));
    assert!(matches!(
        call("game.match.set_joinable(false)").1[..],
        [Effect::SetJoinable(false)]
    ));
    assert!(
        matches!(&call("game.bots.add('Spark')").1[..], [Effect::AddBot(name)] if name == "Spark")
    );
    assert!(
        matches!(&call("game.bots.remove('bot_Spark_a3f91c')").1[..], [Effect::RemoveBot(id)] if id == "bot_Spark_a3f91c")
    );
}

#[test]
fn wrong_arguments_are_answered_by_their_shape() {
    for (code, shape) in [
        (
            "game.log('info')",
            "log requires (level, message[, meta_table])",
        ),
        (
            "game.log('info', 'x', 5)",
            "log requires (level, message[, meta_table])",
        ),
        (
            "game.log('loud', 'x')",
            "log level must be debug|info|warn|warning|error",
        ),
        ("game.broadcast()", "broadcast requires (event, payload)"),
        (
            "game.broadcast(5, {})",
            "broadcast requires (event, payload)",
        ),
        (
            "game.broadcast('a b', {})",
            "broadcast event name must be 1-64 chars of [A-Za-z0-9_-]",
        ),
        (
            "game.broadcast(string.rep('a', 65), {})",
            "broadcast event name must be 1-64 chars of [A-Za-z0-9_-]",
        ),
        (
            "game.broadcast('x', { string.rep('a', 70000), k = 1 })",
            "broadcast payload: more than 65536 bytes of JSON",
        ),
        ("game.send('p')", "send requires (player_id, message)"),
        ("game.send(1, 2)", "send requires (player_id, message)"),
        (
            "game.match.set_joinable(1)",
            "match.set_joinable requires (boolean)",
        ),
        ("game.bots.add()", "bots.add requires (name)"),
        (
            "game.bots.add('a.b')",
            "bot name must be 1-32 chars of [A-Za-z0-9_-]",
        ),
        ("game.bots.remove()", "bots.remove requires (bot_id)"),
    ] {
        let (answer, effects) = call(code);
        assert_eq!(
            (answer, effects.len()),
            (json!({"error": shape}), 0),
            "{code}"
        );
    }
    for reserved in ["state", "ack", "finished", "vote_vetoed"] {
        let (answer, _) = call(&format!("game.broadcast('{reserved}', {{}})"));
        assert!(
            answer["error"]
                .as_str()
                .unwrap()
                .contains("is reserved by asobi")
        );
    }
}

#[test]
fn log_lines_are_bounded() {
    let log = |args: &str| {
        let (answer, mut effects) = call(&format!("game.log({args})"));
        assert_eq!(answer, json!(true), "{args}");
        match effects.remove(0) {
            Effect::Log {
                level,
                message,
                meta,
            } => (level, message, meta),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(log("'warning', 'a'"), (LogLevel::Warn, "a".into(), None));
    assert_eq!(
        log("'error', 'a\\nb', { n = 1 }"),
        (LogLevel::Error, "ab".into(), Some(r#"{"n":1}"#.into()))
    );
    assert_eq!(log("'debug', { x = { 1, {} } }").1, r#"{"x":[1,{}]}"#);
    assert_eq!(log("'info', string.rep('ä', 600)").1, "ä".repeat(500));
    assert_eq!(
        log("'info', 'x', { s = string.rep('x', 2100) }").2.unwrap(),
        r#"{"_truncated":true}"#
    );
    let mut game = Game::new(
        "function tick(s) s.n = 0 for i = 1, 50 do if game.log('info', 'x') then s.n = s.n + 1 end end return s end",
    );
    game.tick();
    assert_eq!((game.n(), game.effects().len()), (30, 30));
}

#[test]
fn entities_are_found_by_distance() {
    let with = |code: &str| {
        run(&format!(
            "local e = {{ a = {{ x = 0, y = 0, type = 'ship' }}, b = {{ x = 3, y = 4, type = 'rock' }}, c = {{ x = 10, y = 0, type = 'ship' }}, d = {{}}, e = 5 }}
            local function ids(hits) if hits.error then return hits end local t = {{}} for i, h in ipairs(hits) do t[i] = h.id .. h.distance end table.sort(t) return table.concat(t, ' ') end
            local function order(hits) local t = {{}} for i, h in ipairs(hits) do t[i] = h.id end return table.concat(t) end
            local near, radius = game.spatial.nearest, game.spatial.query_radius {code}"
        ))
    };
    assert_eq!(with("return ids(radius(e, 0, 0, 5))"), json!("a0.0 b5.0"));
    assert_eq!(
        with("return ids(radius(e, 0, 0, 50, { type = 'ship' }))"),
        json!("a0.0 c10.0")
    );
    assert_eq!(
        with("return ids(radius(e, 0, 0, 50, { type = { 'rock' }, exclude = 'b' }))"),
        json!("")
    );
    assert_eq!(
        with("return ids(radius(e, 0, 0, 50, { exclude = { 'a', 'b' } }))"),
        json!("c10.0")
    );
    assert_eq!(
        with("return order(radius(e, 0, 0, 50, { sort = 'nearest' }))"),
        json!("abc")
    );
    assert_eq!(
        with("return order(radius(e, 0, 0, 50, { sort = 'farthest', max_results = 2 }))"),
        json!("cb")
    );
    assert_eq!(with("return order(near(e, 9, 0, 2))"), json!("cb"));
    assert_eq!(with("return order(near({}, 9, 0, 2))"), json!(""));
    assert_eq!(
        with("return near(e, 0, 0, 1)[1].entity == e.a"),
        json!(true)
    );
    assert_eq!(
        with(
            "return { game.spatial.distance(e.a, e.b), game.spatial.in_range(e.a, e.b, 5), game.spatial.in_range(e.a, e.b, 4.9) }"
        ),
        json!([5.0, true, false])
    );
    let error = |shape: &str| json!({"error": shape});
    assert_eq!(
        with("return radius(1, 2, 3)"),
        error("query_radius(x, y, radius) requires zone context")
    );
    assert_eq!(
        with("return radius(e, 2)"),
        error("query_radius requires (x, y, radius) or (entities, x, y, radius[, opts])")
    );
    assert_eq!(
        with("return near(e)"),
        error("nearest requires (entities, x, y, n[, opts])")
    );
    assert_eq!(
        with("return game.spatial.distance(e.a, e.d)"),
        error("distance requires (entity_a, entity_b)")
    );
    assert_eq!(
        with("return game.spatial.in_range(e.a, e.b)"),
        error("in_range requires (entity_a, entity_b, range)")
    );
}
