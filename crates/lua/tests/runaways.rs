//! Every way a script may run away is stopped, named, and leaves the match playing.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::FaultKind::{self, OutOfMemory, RuntimeError, Timeout};
use common::Game;
use serde_json::json;

/// A match whose `handle_input` runs `body` (on line 2) when told to, and works otherwise.
fn game(body: &str) -> Game {
    let mut game = Game::new(&format!(
        "function handle_input(id, i, s) if i.run then s.dirty = true\n{body}\nend s.good = (s.good or 0) + 1 return s end"
    ));
    game.join("a").unwrap();
    game
}

/// Runs it, and checks that it was stopped where it should be and that the match goes on.
fn stopped(body: &str, kind: FaultKind, line: u32) {
    let mut game = game(body);
    game.step(&[("a", "{}"), ("a", r#"{"run":true}"#)]);
    let fault = game.expect_fault(kind, "handle_input", line);
    assert!(
        fault.message.starts_with(&format!("match.lua:{line}: ")),
        "{}",
        fault.message
    );
    assert_eq!(fault.player, Some(common::player("a")));
    game.step(&[("a", "{}")]);
    assert_eq!(game.faults(), []);
    let view = game.look();
    assert_eq!(
        (&view["good"], &view["n"], &view["dirty"]),
        (&json!(2), &json!(2), &json!(null)),
        "{view}"
    );
}

#[test]
fn an_endless_loop() {
    stopped("while true do end", Timeout, 2);
}

#[test]
fn a_huge_string() {
    stopped("local x = string.rep('x', 1e9)", OutOfMemory, 2);
}

#[test]
fn a_table_that_grows_for_ever() {
    stopped("local t = {} while true do t[#t + 1] = {} end", Timeout, 2);
}

#[test]
fn infinite_recursion() {
    // Whether the stack, the memory or the time is used up first is all the same.
    let mut game = game("local function f() return 1 + f() end f()");
    game.step(&[("a", r#"{"run":true}"#)]);
    let fault = game.fault();
    assert_eq!(
        (fault.callback.as_str(), fault.line),
        ("handle_input", Some(2)),
        "{fault:?}"
    );
    game.tick();
    assert_eq!(game.look()["n"], 2);
}

#[test]
fn a_huge_move() {
    stopped("table.move({}, 1, 1e9, 2)", RuntimeError, 2);
}

#[test]
fn a_finalizer() {
    stopped(
        "setmetatable({}, { __gc = function() while true do end end })",
        RuntimeError,
        2,
    );
}

#[test]
fn a_coroutine() {
    stopped(
        "coroutine.wrap(function() while true do end end)()",
        Timeout,
        2,
    );
}

#[test]
fn a_loop_of_coroutines() {
    stopped(
        "while true do coroutine.wrap(function() for i = 1, 1e6 do end end)() end",
        Timeout,
        2,
    );
}

#[test]
fn a_loop_of_pcalls() {
    stopped(
        "while true do pcall(function() while true do end end) end",
        Timeout,
        2,
    );
}

#[test]
fn nested_pcalls() {
    stopped(
        "local function f() while true do pcall(f) end end f()",
        Timeout,
        2,
    );
}

#[test]
fn an_error_handler_that_loops() {
    stopped(
        "xpcall(function() while true do end end, function() while true do end end)",
        Timeout,
        2,
    );
}

#[test]
fn an_error_handler_that_fails() {
    stopped(
        "while true do xpcall(error, function() error('again') end) end",
        Timeout,
        2,
    );
}

#[test]
fn a_close_that_loops() {
    stopped(
        "local x <close> = setmetatable({}, { __close = function() while true do end end }) while true do end",
        Timeout,
        2,
    );
}

#[test]
fn a_close_that_loops_in_a_coroutine() {
    let body = "coroutine.wrap(function()
        local x <close> = setmetatable({}, { __close = function() while true do end end })
        while true do end
    end)()";
    stopped(body, Timeout, 4);
}

#[test]
fn an_index_that_recurses() {
    stopped(
        "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) while true do pcall(function() return t[1] end) end",
        Timeout,
        2,
    );
}

#[test]
fn a_lying_length() {
    for call in [
        "table.insert(t, 1, 1)",
        "table.remove(t, 1)",
        "table.concat(t)",
        "table.unpack(t)",
        "table.sort(t)",
    ] {
        let body = format!(
            "local t = setmetatable({{}}, {{ __len = function() return 1e15 // 1 | 0 end, __index = type }}) {call}"
        );
        stopped(&body, RuntimeError, 2);
    }
}

#[test]
fn nothing_repeated_for_ever() {
    let mut game = game("s.nothing = string.rep('', 1 << 60)");
    game.step(&[("a", r#"{"run":true}"#)]);
    assert_eq!(game.faults(), []);
    assert_eq!(game.look()["nothing"], "");
}

#[test]
fn pathological_patterns() {
    for call in [
        "string.find(a, '.-.-.-.-.-b')",
        "string.match(a, ('a*'):rep(30) .. 'b')",
        "string.gsub(a, '.-.-.-b', '')",
        "for _ in string.gmatch(a, '.-.-.-b') do end",
        "string.find(('('):rep(1e5), '%b()%b()')",
        "string.find(a, '[^x]-[^y]-[^z]-b')",
    ] {
        stopped(
            &format!("local a = string.rep('a', 20000) {call}"),
            Timeout,
            2,
        );
    }
}

#[test]
fn a_sort_without_a_lua_comparison() {
    stopped(
        "local t = {} for i = 1, 3e5 do t[i] = 0 end while true do table.sort(t, rawequal) end",
        Timeout,
        2,
    );
}

#[test]
fn a_string_that_doubles() {
    stopped(
        "local s = 'x'\nwhile true do\ns = s .. s\nend",
        OutOfMemory,
        4,
    );
}

/// Single operations that are slow, in a loop: no hook fires while one is at work.
#[test]
fn slow_operations_in_a_loop_do_not_overrun_by_much() {
    let long = "local s = string.rep('x', 8e6)";
    let emptied = "local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 1e5 do t[i] = nil end";
    for (prepare, operation) in [
        (long, "s:upper()"),
        (long, "s:reverse()"),
        (long, "s:sub(2)"),
        (long, "local x = string.format('%s', s)"),
        (long, "local x = s .. 'y'"),
        (long, "local x = s < s"),
        (long, "tonumber(s, 36)"),
        (long, "utf8.len(s)"),
        (long, "s:find('y', 1, true)"),
        (long, "string.rep(s, 3)"),
        (emptied, "next(t)"),
        ("", "pcall(table.unpack, {}, 1, 200000)"),
        (
            "",
            "pcall(table.concat, setmetatable({}, { __index = type }), '', 1, 500000)",
        ),
        ("local f = string.rep('%c', 500)", "os.date(f)"),
        ("", "pcall(error, string.rep('x', 1e6))"),
    ] {
        let script = format!(
            "function init() {prepare} function run() while true do {operation} end end return {{}} end
            function tick(s) run() return s end"
        );
        let mut game = Game::new(&script);
        let start = common::CpuClock::start();
        game.tick();
        let took = start.elapsed();
        let fault = game.fault();
        assert_eq!(fault.kind, Timeout, "{operation}: {fault:?}");
        println!("{operation}: {took:?}");
        assert!(
            took.as_millis() < 2000,
            "{operation} took {took:?} of 50 ms"
        );
    }
}

/// Recursion through C functions ends at Lua's own limit, long before the native stack does.
#[test]
fn recursion_through_c_functions() {
    for body in [
        "local function f(s) return (s:gsub('.', f)) end f('x')",
        "local function f() table.sort({ 2, 1 }, f) end f()",
        "local function f() coroutine.wrap(f)() end f()",
        "local t = {} t.__index = function(t, k) return t[k] end setmetatable(t, t) local x = t.x",
        "local t = setmetatable({}, { __lt = function(a, b) table.sort({ b, a }) end }) table.sort({ t, t })",
        "local t = setmetatable({}, { __tostring = function(t) return tostring(t) end }) tostring(t)",
        "local t = setmetatable({}, { __concat = function(a, b) return a .. b end }) local x = t .. t",
    ] {
        let mut game = game(body);
        game.step(&[("a", r#"{"run":true}"#)]);
        let fault = game.fault();
        assert_eq!(fault.callback, "handle_input", "{body}: {fault:?}");
        game.tick();
        assert_eq!(game.look()["n"], 2);
    }
}
