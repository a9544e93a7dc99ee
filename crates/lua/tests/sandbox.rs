//! What the sandbox takes away, replaces and leaves.

#![allow(clippy::unwrap_used)]

mod common;

use common::run;
use serde_json::json;

#[test]
fn ways_out_are_gone_and_the_rest_is_there() {
    let gone = "io package debug load loadstring loadfile dofile print warn collectgarbage string.dump os.execute \
                os.exit os.getenv os.remove os.rename os.tmpname os.setlocale";
    let kept = "os.clock os.date os.difftime os.time coroutine.wrap math.floor utf8.char table.sort string.format \
                pcall error select next setmetatable require game.id game.log game.broadcast game.send \
                game.match.set_joinable game.bots.add game.bots.remove game.spatial.nearest game.storage.get game.notify game.chat.send \
                game.timer.after game.timer.every game.timer.cancel game.phase.event game.phase.current";
    let later = "game.economy game.leaderboard game.zone game.terrain";
    for name in gone.split_whitespace().chain(later.split_whitespace()) {
        assert_eq!(run(&format!("return {name} == nil")), json!(true), "{name}");
    }
    for name in kept.split_whitespace() {
        assert_eq!(run(&format!("return {name} ~= nil")), json!(true), "{name}");
    }
}

#[test]
fn mathematics() {
    assert_eq!(run("return math.sqrt(-4)"), json!(0.0));
    assert_eq!(run("return math.sqrt(16)"), json!(4.0));
    assert_eq!(
        run("for i = 1, 1000 do local r = math.random() if r < 0 or r >= 1 then return r end end"),
        json!(null)
    );
    assert_eq!(
        run("local t = {} for i = 1, 200 do t[math.random(3)] = true end return t"),
        json!([true, true, true])
    );
    assert_eq!(
        run("local t = {} for i = 1, 200 do t[math.random(-1.9, 1.9) + 2] = true end return t"),
        json!([true, true, true])
    );
    assert_eq!(run("return math.type(math.random(5.7))"), json!("integer"));
    assert_eq!(
        run("return { pcall(math.random, 2, 1) }"),
        json!([
            false,
            "bad argument #2 to 'math.random' (interval is empty)"
        ])
    );
    assert_eq!(run("return (pcall(math.random, 0))"), json!(false));
    assert_eq!(
        run(
            "math.randomseed(5) local a = math.random(1e9) math.randomseed(5) return a == math.random(1e9)"
        ),
        json!(true)
    );
}

#[test]
fn tables_work_as_ever() {
    let code = "local t = { 1, 2, 3 } table.insert(t, 4) table.insert(t, 1, 0) table.remove(t, 2) table.remove(t)
        table.sort(t, function(a, b) return a > b end)
        return table.concat(t, ',') .. '|' .. table.concat(table.move({ 1, 2 }, 1, 2, 2), ',') .. '|' .. select('#', table.unpack({}, 1, 3))
            .. '|' .. table.concat(table.pack(table.unpack({ 1, 2, 3 }, 2)), ',')";
    assert_eq!(run(code), json!("3,2,0|1,1,2|3|2,3"));
    let proxy = "local d = { 'a', 'b', 'c' }
        local t = setmetatable({}, { __len = function() return #d end, __index = d, __newindex = d })
        table.insert(t, 'd') table.insert(t, 1, 'z') table.remove(t, 2) local last = table.remove(t)
        return table.concat(t, ',') .. '|' .. last .. '|' .. table.concat({ table.unpack(t) }, ',')";
    assert_eq!(run(proxy), json!("z,b,c|d|z,b,c"));
    for (code, message) in [
        (
            "table.insert({}, 5, 1)",
            "bad argument #2 to 'insert' (position out of bounds)",
        ),
        (
            "table.insert({}, 1, 2, 3)",
            "wrong number of arguments to 'insert'",
        ),
        (
            "table.insert(nil, 1)",
            "bad argument #1 to 'insert' (table expected, got nil)",
        ),
        (
            "table.remove({}, 7)",
            "bad argument #2 to 'remove' (position out of bounds)",
        ),
        (
            "table.concat({ {} })",
            "invalid value (at index 1) in table for 'concat'",
        ),
        ("table.sort({ 1, 'a' })", "attempt to compare"),
        ("table.move({}, 1, 1e9, 2)", "too many elements"),
    ] {
        let text = run(&format!("return select(2, pcall(function() {code} end))"));
        let text = text.as_str().unwrap();
        let wanted = message.split(" (at").next().unwrap();
        assert!(
            text.contains(wanted) || text.contains(message),
            "{code}: {text}"
        );
    }
}

#[test]
fn coroutines_yield_across_pcall() {
    let code = "local co = coroutine.wrap(function() local ok, v = pcall(function() return coroutine.yield(1) + 1 end) return v end)
        return { co(), co(41) }";
    assert_eq!(run(code), json!([1, 42]));
}
