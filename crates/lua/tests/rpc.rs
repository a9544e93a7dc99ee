//! `rpc.lua` and `rpc/*.lua`: functions that clients call.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use asobi_game::logic::{Effect, FaultKind};
use asobi_game::services::{Answering, NoServices, Request, Services};
use asobi_lua::{Called, LuaSettings, Rpc, ScriptSet, ScriptSource};
use bytes::Bytes;
use common::{Folder, now};

fn rpc(files: &[(&str, &str)]) -> Rpc {
    let set = ScriptSet::from_files(files.iter().map(|(name, text)| (*name, (*text).to_owned())));
    let source = ScriptSource::fixed(set);
    Rpc::new(source, LuaSettings::default(), Arc::new(NoServices))
}

fn ok(json: &'static str) -> Called {
    Called::Ok(Bytes::from_static(json.as_bytes()))
}

const METHODS: &str = r#"
return {
  echo = function(player, params) return { player = player, n = params.n } end,
  nothing = function() end,
  no = function() return nil, "not today" end,
  list = function() return { 1, 2 } end,
  number = function() return 7 end,
  crash = function() game.send("someone", "never"); error("boom") end,
  spin = function() while true do end end,
  say = function(player) game.send(player, "hi"); return {} end,
  deep = { er = { still = function() return { deep = true } end } },
  noise = "not a function",
}
"#;

#[test]
fn methods_are_called_by_name() {
    let rpc = rpc(&[
        ("rpc.lua", METHODS),
        (
            "rpc/quests.lua",
            "return { claim = function(p, q) return { got = q.id } end }",
        ),
    ]);
    let call = |method: &str, params: &str| now(rpc.call(method, "ada", params.as_bytes())).0;
    let Called::Ok(echo) = call("echo", r#"{"n":2}"#) else {
        panic!()
    };
    let echo: serde_json::Value = serde_json::from_slice(&echo).unwrap();
    assert_eq!(echo, serde_json::json!({"n": 2, "player": "ada"}));
    assert_eq!(call("nothing", "{}"), ok("{}"));
    assert_eq!(call("no", "{}"), Called::Refused("not today".into()));
    assert_eq!(call("deep.er.still", "{}"), ok(r#"{"deep":true}"#));
    assert_eq!(call("quests.claim", r#"{"id":"q"}"#), ok(r#"{"got":"q"}"#));
    let deep = format!("{{\"n\":{}{}}}", "[".repeat(100), "]".repeat(100));
    for unreadable in ["{\"n\":1e400}", deep.as_str()] {
        assert_eq!(call("echo", unreadable), Called::Unreadable);
    }
    for unknown in ["", "noise", "deep", "quests", "claim", "print", "rpc.echo"] {
        assert_eq!(call(unknown, "{}"), Called::Unknown, "{unknown}");
    }
}

#[test]
fn a_method_that_fails_has_no_effect_and_names_its_line() {
    let rpc = rpc(&[("rpc.lua", METHODS)]);
    for (method, kind, line) in [
        ("crash", FaultKind::RuntimeError, Some(8)),
        ("spin", FaultKind::Timeout, Some(9)),
        ("list", FaultKind::RuntimeError, None),
        ("number", FaultKind::RuntimeError, None),
    ] {
        let (called, effects) = now(rpc.call(method, "ada", b"{}"));
        assert_eq!(called, Called::Failed);
        let [Effect::Fault(fault)] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!((fault.kind, fault.line), (kind, line), "{}", fault.message);
        assert_eq!(fault.callback, method);
    }
    let (called, effects) = now(rpc.call("say", "ada", b"{}"));
    assert_eq!((called, effects.len()), (ok("{}"), 1));
}

#[test]
fn changed_methods_count_from_the_next_call_and_broken_ones_do_not() {
    let folder = Folder::new(&[
        ("match.lua", common::REST),
        ("rpc.lua", "return { v = function() return { n = 1 } end }"),
    ]);
    let source = ScriptSource::open(folder.path()).unwrap();
    let rpc = Rpc::new(source.clone(), LuaSettings::default(), Arc::new(NoServices));
    assert_eq!(now(rpc.call("v", "ada", b"{}")).0, ok(r#"{"n":1}"#));
    folder.write("rpc.lua", "return { v = function() return { n = 2 } end }");
    folder.publish(&source);
    assert_eq!(now(rpc.call("v", "ada", b"{}")).0, ok(r#"{"n":2}"#));
    folder.write("rpc.lua", "return 7");
    folder.publish(&source);
    let (called, effects) = now(rpc.call("v", "ada", b"{}"));
    assert_eq!(called, ok(r#"{"n":2}"#));
    assert!(matches!(&effects[..], [Effect::Fault(fault)] if fault.callback == "load"));
    folder.remove("rpc.lua");
    folder.publish(&source);
    assert_eq!(now(rpc.call("v", "ada", b"{}")).0, Called::Unknown);
}

/// Lets each asker wait for a few polls.
struct Late;

impl Services for Late {
    fn ask(&self, _: Request) -> Answering {
        let mut polls = 0;
        Box::pin(std::future::poll_fn(move |_| {
            polls += 1;
            match polls > 3 {
                true => Poll::Ready(Ok(Bytes::from_static(b"5"))),
                false => Poll::Pending,
            }
        }))
    }
}

#[test]
fn calls_run_side_by_side_and_keep_their_effects_apart() {
    let script = r#"return {
      slow = function(player, params)
        game.send(player, "before")
        local n = game.storage.get("a", "b").ok
        game.send(player, "after")
        if params.fail then error("late") end
        return { n = n, by = player }
      end }"#;
    let set = ScriptSet::from_files([("rpc.lua", script)]);
    let rpc = Rpc::new(
        ScriptSource::fixed(set),
        LuaSettings::default(),
        Arc::new(Late),
    );
    let done = Rc::new(RefCell::new(Vec::new()));
    let mut calls: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for (player, params) in [("ada", "{}"), ("bob", r#"{"fail":true}"#), ("eve", "{}")] {
        let (rpc, done) = (&rpc, done.clone());
        calls.push(Box::pin(async move {
            let answer = rpc.call("slow", player, params.as_bytes()).await;
            done.borrow_mut().push((player, answer));
        }));
    }
    let mut context = Context::from_waker(Waker::noop());
    let mut open: Vec<bool> = vec![true; calls.len()];
    while open.iter().any(|open| *open) {
        for (call, open) in calls.iter_mut().zip(&mut open) {
            if *open {
                *open = call.as_mut().poll(&mut context).is_pending();
            }
        }
    }
    drop(calls);
    for (player, (called, effects)) in done.take() {
        let sends = effects
            .iter()
            .filter(|e| matches!(e, Effect::Send { to, .. } if to.as_str() == player));
        match player {
            "bob" => assert_eq!((called, sends.count()), (Called::Failed, 0)),
            _ => {
                let Called::Ok(json) = called else { panic!() };
                assert!(std::str::from_utf8(&json).unwrap().contains(player));
                assert_eq!((sends.count(), effects.len()), (2, 2));
            }
        }
    }
}
