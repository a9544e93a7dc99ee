//! Scripts that wait for the server and do to their coroutines what nobody should. Each costs its
//! own callback at most: the process, the match and the next callback go on.

#![allow(clippy::unwrap_used)]

mod common;

use asobi_game::logic::FaultKind;
use common::waiting::Game;
use serde_json::json;

/// Runs `body` in the first four ticks, and after them a tick as it should be.
fn survives(body: &str) -> Game {
    let mut game = Game::new(&format!(
        r#"turn = 0
           function ask(key) return game.storage.get("c", key or "k").error end
           function tick(s)
             turn = turn + 1
             if turn <= 4 then {body} end
             if turn > 4 then s.seen, s.turn = ask(), turn end
             return s
           end"#
    ));
    for _ in 0..4 {
        game.tick();
    }
    // Who ran away is called less often for a while.
    let mut seen = (0..1_000).map(|_| game.tick());
    let seen = seen.find(|seen| seen["turn"] == 8);
    let seen = seen.unwrap_or_else(|| panic!("the match is dead after {body}"));
    assert_eq!(seen["seen"], "not_found", "{body}");
    game
}

#[test]
fn a_callback_keeps_its_own_coroutine() {
    for body in [
        // Its own, used again by the next callback.
        "own = own or coroutine.running() s.status = coroutine.status(own) ask()",
        "own = own or coroutine.running() pcall(coroutine.resume, own, 1) ask() pcall(coroutine.close, own)",
        "own = coroutine.running() coroutine.close(own)",
        "own = coroutine.running() coroutine.wrap(function() coroutine.close(own) end)()",
        "own = coroutine.running() coroutine.wrap(function() coroutine.resume(own) end)()",
        // Left behind in the middle of a yield, and resumed by the next callback.
        "if own then coroutine.resume(own, 1) end own = coroutine.running() coroutine.yield()",
        "if own then coroutine.close(own) end own = coroutine.running() coroutine.yield()",
        "if own then for i = 1, 9 do coroutine.resume(own, { ok = 'forged' }) end end
         own = coroutine.running() while true do ask() end",
        // One that waits for an answer is resumed by another with something else.
        "local co = coroutine.create(ask) table.sort({ 2, 1 }, function() coroutine.resume(co) return false end)
         coroutine.resume(co, { error = 'forged' }) coroutine.yield()",
        "local all = {} for i = 1, 50 do all[i] = coroutine.create(ask) end
         table.sort(all, function(a) pcall(coroutine.resume, a) return false end)
         for _, co in ipairs(all) do coroutine.close(co) end",
        "coroutine.yield(coroutine.running())",
        "return coroutine.running()",
    ] {
        survives(body);
    }
}

#[test]
fn who_asks_where_it_cannot_wait_gets_an_answer_or_an_error() {
    for body in [
        "table.sort({ 3, 2, 1 }, function(a, b) ask() return a < b end)",
        "table.sort({ 3, 2, 1 }, function(a, b) return coroutine.wrap(ask)() < 'x' end)",
        "string.gsub('abc', '.', function() return coroutine.wrap(ask)() end)",
        "setmetatable({}, { __gc = function() ask() coroutine.wrap(ask)() end }) for i = 1, 1e4 do local t = {} end",
        "local t = setmetatable({}, { __index = function(_, k) return ask(k) end }) s.v = t.x",
        "local t = setmetatable({}, { __lt = function() return ask() end, __concat = function() return ask() end })
         s.v = { t < t, t .. 'x' }",
        "local t = setmetatable({}, { __tostring = ask }) s.v = tostring(t)",
        "for word in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(ask()) end end) do s.v = word end",
        "for _, key in ipairs({ 'a', 'b' }) do s.v = select(2, pcall(ask, key)) end",
        "s.v = select(2, xpcall(ask, ask))",
        "xpcall(error, ask)",
        "local x <close> = setmetatable({}, { __close = function() ask() end })",
        "local x <close> = setmetatable({}, { __close = function() ask() error('closing') end }) error('failing')",
        "coroutine.yield = nil coroutine.resume = nil ask()",
        "game.storage.get(table.unpack({}, 1, 200000))",
        "game.storage.get(string.rep('x', 1e6), string.rep('y', 1e6))",
        "coroutine.resume(coroutine.create(ask), table.unpack({}, 1, 100000))",
        "coroutine.wrap(function(...) ask() return ... end)(table.unpack({}, 1, 100000))",
    ] {
        survives(body);
    }
}

#[test]
fn errors_of_every_kind_after_waiting() {
    let nothing = "error() ";
    let errors = [
        "error(nil)",
        "error({})",
        "error(7)",
        "error(ask)",
        "error(coroutine.running())",
        "error(string.rep('x', 4e6))",
        "error(setmetatable({}, { __tostring = function() error('again') end }))",
        "error(setmetatable({}, { __tostring = function() return {} end }))",
        "error(setmetatable({}, { __tostring = function() while true do end end }))",
        "error(setmetatable({}, { __tostring = ask }))",
        "error(setmetatable({}, { __tostring = function(e) return tostring(e) end }))",
        "error(setmetatable({}, { __tostring = function(e) error(e) end }))",
        "error(setmetatable({}, { __tostring = function() coroutine.yield() end }))",
        "error(setmetatable({}, { __tostring = function() return string.rep('x', 4e6) end }))",
        "error(setmetatable({}, { __name = string.rep('x', 4e6) }))",
        "error(setmetatable({}, { __metatable = 7, __index = error, __len = error }))",
        "local function f() return 1 + f() end f()",
        "string.rep('x', 1e9)",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end",
        "while true do end",
        nothing,
    ];
    for error in errors {
        for place in [
            "ask() $",
            "pcall(ask) coroutine.wrap(function() ask() $ end)()",
            "local co = coroutine.create(function() ask() $ end) coroutine.resume(co) ask() coroutine.close(co) error('outside')",
            "local x <close> = setmetatable({}, { __close = function() $ end }) ask() error('failing')",
            "local x <close> = setmetatable({}, { __close = function() $ end }) ask() $",
            "coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() $ end }) ask() coroutine.yield() end)()",
        ] {
            survives(&place.replace('$', error));
        }
    }
}

#[test]
fn depth_is_bounded_by_lua_and_not_by_the_stack() {
    for depth in [10, 150, 190, 197, 250, 10_000] {
        survives(&format!(
            "local function nest(n) if n == 0 then return ask() end return coroutine.wrap(nest)(n - 1) end
             s.v = select(2, pcall(nest, {depth})) nest({depth})"
        ));
        survives(&format!(
            "local function deep(n) if n == 0 then return ask() end return (deep(n - 1)) end s.v = deep({depth})"
        ));
        survives(&format!(
            "local function call(n) if n == 0 then ask() error('deep') end return pcall(call, n - 1) end call({depth})"
        ));
        survives(&format!(
            "local function shut(n) local x <close> = setmetatable({{}}, {{ __close = function() if n > 0 then shut(n - 1) end end }}) ask() end shut({depth})"
        ));
    }
    survives("local function f() ask() return coroutine.wrap(f)() end f()");
    survives("local function f() return pcall(coroutine.wrap(f)) end f() ask()");
}

#[test]
fn memory_runs_out_inside_a_coroutine() {
    for body in [
        "ask() local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
        "coroutine.wrap(function() ask() local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end end)()",
        "local t = {} pcall(function() while true do t[#t + 1] = ('x'):rep(1e6) .. #t end end) ask() t = nil",
        "local t = {} pcall(function() while true do t[#t + 1] = coroutine.create(ask) end end) ask()",
        "local t = {} local x <close> = setmetatable(t, { __close = function() while true do t[#t + 1] = ('x'):rep(1e6) .. #t end end })
         ask() error(t)",
        "local t = {} while true do t[#t + 1] = coroutine.wrap(ask) end",
        "local co = coroutine.wrap(function() local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t coroutine.yield() end end)
         while true do co() end",
    ] {
        survives(body);
    }
}

/// What a callback held that was left in the middle is collected like anything else.
#[test]
fn callbacks_left_behind_are_no_leak() {
    let mut game = Game::new(
        "function tick(s) local big = ('x'):rep(4e6) .. tostring(s) coroutine.yield() return big end",
    );
    for _ in 0..100 {
        game.tick();
        let kinds = game.faults().into_iter().map(|fault| fault.kind);
        assert!(
            kinds
                .into_iter()
                .all(|kind| kind == FaultKind::RuntimeError)
        );
    }
}

/// A request that never got away is not asked by the next yield.
#[test]
fn a_request_that_was_not_asked_is_forgotten() {
    let mut game = Game::new(
        r#"turn = 0
           function tick(s)
             turn = turn + 1
             if turn == 1 then
               pcall(table.sort, { 2, 1 }, function()
                 coroutine.wrap(function() game.storage.set("c", "k", 1) end)()
               end)
             else
               coroutine.yield()
             end
             return s
           end"#,
    );
    for _ in 0..3 {
        game.tick();
    }
    assert_eq!(game.asked(), 0);
    let faults = game.faults();
    assert!(
        faults
            .iter()
            .any(|fault| fault.message.contains("nobody resumes"))
    );
}

/// `coroutine.wrap` is Lua's: what a coroutine has open is closed when it fails.
#[test]
fn a_wrapped_coroutine_that_fails_is_closed() {
    let mut game = Game::new(
        r#"function tick(s)
             s.closed = {}
             local function open(name)
               return setmetatable({}, { __close = function(_, e) table.insert(s.closed, name .. tostring(e):sub(-6)) end })
             end
             s.ok, s.message = pcall(coroutine.wrap(function()
               local a <close> = open("a")
               game.storage.get("c", "k")
               local b <close> = open("b")
               error("inside")
             end))
             return s
           end"#,
    );
    let seen = game.tick();
    assert_eq!(seen["ok"], false);
    assert!(seen["message"].as_str().unwrap().ends_with("inside"));
    assert_eq!(seen["closed"], json!(["binside", "ainside"]));
    assert_eq!(game.faults(), []);
}
