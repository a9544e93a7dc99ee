//! How long the hot paths take. Nothing here fails; run it with
//! `cargo test --release -p asobi-lua -- --ignored --nocapture measure`.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use asobi_game::logic::{Input, LogicFactory, MatchLogic, MatchSetup, View};
use asobi_game::{MatchId, PlayerId};
use bytes::Bytes;
use mlua::Table;
use serde_json::value::RawValue;

use crate::json::{self, Shape};
use crate::sandbox::Vm;
use crate::snapshot::Seen;
use crate::{LuaFactory, LuaSettings, ScriptSet, ScriptSource, decode, snapshot};

/// A game as one would write it: ten ships, shots, hits, a view for everybody.
const GAME: &str = r#"
match_size = 10
function init() return { players = {}, shots = {}, time = 0 } end
function join(id, s)
  s.players[id] = { x = math.random(800), y = math.random(600), hp = 100, score = 0, angle = 0.5,
    name = id, alive = true, vx = 0, vy = 0, boons = { "speed", "hull" }, reload = 0 }
  return s
end
function leave(id, s) s.players[id] = nil return s end
function handle_input(id, i, s)
  local p = s.players[id]
  if i.right then p.vx = 5.5 end
  if i.left then p.vx = -5.5 end
  if i.aim_x then p.angle = math.atan(i.aim_y - p.y, i.aim_x - p.x) end
  if i.shoot and p.reload <= 0 then
    p.reload = 5
    table.insert(s.shots, { x = p.x, y = p.y, vx = math.cos(p.angle) * 12, vy = math.sin(p.angle) * 12,
      owner = id, life = 20 })
  end
  return s
end
function tick(s)
  s.time = s.time + 1
  for _, p in pairs(s.players) do
    p.x = math.max(0, math.min(800, p.x + p.vx)) p.y = math.max(0, math.min(600, p.y + p.vy))
    p.reload = p.reload - 1
  end
  for i = #s.shots, 1, -1 do
    local b = s.shots[i]
    b.x = b.x + b.vx b.y = b.y + b.vy b.life = b.life - 1
    local gone = b.life <= 0
    for id, p in pairs(s.players) do
      if id ~= b.owner and (p.x - b.x) ^ 2 + (p.y - b.y) ^ 2 < 400 then
        p.hp = p.hp - 1 s.players[b.owner].score = s.players[b.owner].score + 1 gone = true
      end
    end
    if gone then table.remove(s.shots, i) end
  end
  return s
end
function get_state(id, s) VIEW end
"#;

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("waits"),
    }
}

/// The median time of one call, in microseconds.
fn time(rounds: u32, mut f: impl FnMut()) -> f64 {
    median(
        (0..rounds)
            .map(|_| {
                let start = Instant::now();
                f();
                start.elapsed()
            })
            .collect(),
    )
}

/// In microseconds.
fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort();
    samples[samples.len() / 2].as_secs_f64() * 1e6
}

fn game(view: &str) -> Box<dyn MatchLogic> {
    let set = ScriptSet::from_files([("match.lua", GAME.replace("VIEW", view))]);
    let factory = LuaFactory::new(
        ScriptSource::fixed(set),
        "match.lua",
        LuaSettings::default(),
    );
    let setup = MatchSetup {
        match_id: MatchId::from("m"),
        mode: "default".into(),
        seed: 3,
    };
    let mut game = now(factory.create(&setup)).unwrap();
    let ctx = RawValue::from_string("{}".into()).unwrap();
    for i in 0..10 {
        now(game.join(&player(i), &ctx)).unwrap();
    }
    game
}

fn player(i: usize) -> PlayerId {
    PlayerId::from(format!("0192f0c1-7b1a-7c3e-9d5b-00000000000{i}"))
}

fn inputs(tick: u64) -> Vec<Input> {
    (0..10)
        .map(|i| {
            let shoot = (tick + i as u64).is_multiple_of(5);
            let json = format!(
                r#"{{"right":true,"left":false,"aim_x":{},"aim_y":300.5,"shoot":{shoot}}}"#,
                tick % 800
            );
            Input {
                player: player(i),
                payload: Bytes::from(json),
            }
        })
        .collect()
}

/// A value of about 5 KB of JSON.
fn state(vm: &Vm) -> Table {
    vm.lua()
        .load(
            r#"local s = { players = {}, shots = {}, time = 12.5, phase = "playing" }
            for i = 1, 20 do
              s.players["0192f0c1-7b1a-7c3e-9d5b-0000000000" .. i] = { x = i * 3.7, y = i * 11, hp = 100, score = i,
                angle = i / 7, name = "Captain " .. i, alive = true, boons = { "speed", "hull" } }
            end
            for i = 1, 30 do s.shots[i] = { x = i * 1.5, y = i, owner = i, life = 20 } end
            return s"#,
        )
        .eval()
        .unwrap()
}

fn vm() -> Vm {
    let set = ScriptSet::from_files([("match.lua", "")]).into();
    Vm::new(set, "match.lua", 1, 64 << 20).unwrap()
}

#[test]
#[ignore = "measures"]
fn measure_encoding() {
    let vm = vm();
    let state = state(&vm);
    let shape = Shape {
        limit: 1 << 20,
        empty_object: false,
    };
    let mut out = Vec::with_capacity(16 << 10);
    let ours = time(2000, || {
        out.clear();
        json::encode(vm.lua(), &state, shape, &mut out).unwrap();
    });
    println!("encode {} bytes: {ours:.1} us", out.len());
    let mut seen = Seen::default();
    let mut bytes = Vec::new();
    let anchors = vm.lua().create_table().unwrap();
    let write = time(2000, || {
        bytes.clear();
        snapshot::encode(
            vm.lua(),
            &state,
            Some(&anchors),
            1 << 20,
            &mut seen,
            &mut bytes,
        )
        .unwrap();
    });
    let read = time(1000, || {
        black_box(snapshot::decode(vm.lua(), &bytes, Some(&anchors)).unwrap());
    });
    println!(
        "snapshot of {} bytes: {write:.1} us to write, {read:.1} us to read",
        bytes.len()
    );

    fn visit(table: &Table) -> usize {
        let pairs = table.pairs::<mlua::Value, mlua::Value>().flatten();
        pairs
            .map(|(_, value)| value.as_table().map_or(1, visit))
            .sum()
    }
    let walk = time(1000, || {
        black_box(visit(&state));
    });
    println!("the same tables walked through mlua: {walk:.1} us");

    let input = br#"{"right":true,"left":false,"aim_x":412,"aim_y":300.5,"shoot":true}"#;
    let mut scratch = Vec::new();
    let input = time(5000, || {
        black_box(decode::decode(vm.lua(), input, &mut scratch).unwrap());
    });
    println!("decode an input of five fields: {input:.2} us");
    println!("a VM: {} bytes", self::vm().lua().used_memory());
}

#[test]
#[ignore = "measures"]
fn measure_ticks() {
    let private = "return { me = id, players = s.players, shots = s.shots, time = s.time }";
    for (name, view) in [
        ("one view for all", "return s"),
        ("a view for each", private),
    ] {
        let mut game = game(view);
        let mut tick = 0;
        let mut bytes = 0;
        let (mut with, mut without, mut views) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..1000 {
            tick += 1;
            let inputs = inputs(tick);
            let start = Instant::now();
            now(game.step(&inputs));
            with.push(start.elapsed());
            let start = Instant::now();
            now(game.step(&[]));
            without.push(start.elapsed());
            let start = Instant::now();
            for i in 0..10 {
                if let Some(View::New(view)) = black_box(game.view(&player(i))) {
                    bytes = view.len();
                }
            }
            views.push(start.elapsed());
            assert_eq!(game.drain_effects().len(), 0);
        }
        println!(
            "{name}: step with 10 inputs {:.1} us, without {:.1} us, 10 views of {bytes} bytes {:.1} us",
            median(with),
            median(without),
            median(views),
        );
    }
}

#[test]
#[ignore = "measures"]
fn measure_library() {
    let plain = mlua::Lua::new();
    let ours = mlua::Lua::new();
    let random = crate::random::Random::seeded(1).into();
    crate::stdlib::install(&ours, &random).unwrap();
    crate::strings::install(&ours).unwrap();
    let closures = mlua::Lua::new();
    let insert: mlua::Function = closures.load("return table.insert").eval().unwrap();
    let through = closures
        .create_function(move |_, args: mlua::MultiValue| insert.call::<mlua::MultiValue>(args))
        .unwrap();
    closures
        .load("table.insert = ...")
        .call::<()>(through)
        .unwrap();
    let find = closures
        .create_function(|_, (s, p): (mlua::LuaString, mlua::LuaString)| {
            Ok(memchr::memmem::find(&s.as_bytes(), &p.as_bytes()).map(|i| i + 1))
        })
        .unwrap();
    closures.load("string.find = ...").call::<()>(find).unwrap();
    for (name, body) in [
        (
            "table.insert",
            "local t = {} for i = 1, 100000 do insert(t, i) end",
        ),
        (
            "string.find, plain",
            "for i = 1, 100000 do find('some text or other', 'other') end",
        ),
        (
            "string.find, %d+",
            "for i = 1, 100000 do find('some text or 17', '%d+') end",
        ),
        (
            "string.gsub",
            "for i = 1, 100000 do gsub('a b c d e', '%w', '<%0>') end",
        ),
    ] {
        let code =
            format!("local insert, find, gsub = table.insert, string.find, string.gsub {body}");
        let ns = |lua: &mlua::Lua| {
            let run: mlua::Function = lua.load(code.as_str()).into_function().unwrap();
            time(20, || run.call::<()>(()).unwrap()) / 100.0
        };
        println!(
            "{name}: Lua's {:.0} ns, ours {:.0} ns, a closure {:.0} ns",
            ns(&plain),
            ns(&ours),
            ns(&closures)
        );
    }
    let create = time(200, || {
        black_box(game("return s"));
    });
    println!("a match with ten players, made and dropped: {create:.0} us");
}

/// The arena as it is shipped, ten captains in battle.
#[test]
#[ignore = "measures"]
fn measure_arena() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/arena");
    let source = ScriptSource::open(folder.as_ref()).unwrap();
    let factory = LuaFactory::new(source, "match.lua", LuaSettings::default());
    let setup = MatchSetup {
        match_id: MatchId::from("m"),
        mode: "arena".into(),
        seed: 3,
    };
    let mut game = now(factory.create(&setup)).unwrap();
    let ctx = RawValue::from_string("{}".into()).unwrap();
    for i in 0..10 {
        now(game.join(&player(i), &ctx)).unwrap();
    }
    let (mut steps, mut views, mut thoughts, mut saves) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut seen) = (0, Bytes::from_static(b"{}"));
    for tick in 0..800u64 {
        let inputs: Vec<Input> = (0..10)
            .map(|i| {
                let aim = (tick + 7 * i as u64) % 6;
                let json =
                    format!(r#"{{"seq":{tick},"thrust":1,"turn":0.3,"aim":{aim}.5,"fire":true}}"#);
                Input {
                    player: player(i),
                    payload: Bytes::from(json),
                }
            })
            .collect();
        let start = Instant::now();
        now(game.step(&inputs));
        steps.push(start.elapsed());
        let start = Instant::now();
        if let Some(View::New(view)) = game.view(&player(0)) {
            seen = view;
        }
        views.push(start.elapsed());
        bytes = bytes.max(seen.len());
        let start = Instant::now();
        for i in 0..10 {
            black_box(game.think(&player(i), &seen));
        }
        thoughts.push(start.elapsed());
        let mut out = Vec::new();
        let start = Instant::now();
        game.snapshot(&mut out).unwrap();
        saves.push(start.elapsed());
        game.vote_requested();
        game.drain_effects();
    }
    println!(
        "arena: step {:.0} us, view of up to {bytes} bytes {:.0} us, ten bots' thoughts {:.0} us, snapshot {:.0} us",
        median(steps),
        median(views),
        median(thoughts),
        median(saves),
    );
}

#[test]
#[ignore = "measures"]
fn measure_spatial() {
    let vm = vm();
    let context = crate::context::Context::default();
    crate::api::install(vm.lua(), &context.into(), true).unwrap();
    let code = "entities = {} for i = 1, 200 do entities['e' .. i] = { x = i * 7 % 500, y = i * 13 % 500, type = 'a' } end
        local spatial, sqrt = game.spatial, math.sqrt
        function own() local hits = {} for id, e in pairs(entities) do
            local d = (e.x - 250) ^ 2 + (e.y - 250) ^ 2
            if d <= 10000 then hits[#hits + 1] = { id = id, entity = e, distance = sqrt(d) } end end return hits end
        function radius() return spatial.query_radius(entities, 250, 250, 100) end
        function typed() return spatial.query_radius(entities, 250, 250, 100, { type = 'a', exclude = 'e3', sort = 'nearest' }) end
        function nearest() return spatial.nearest(entities, 250, 250, 5) end";
    vm.lua().load(code).exec().unwrap();
    for name in ["own", "radius", "typed", "nearest"] {
        let function: mlua::Function = vm.lua().globals().get(name).unwrap();
        let us = time(1000, || function.call::<()>(()).unwrap());
        println!("spatial, 200 entities, {name}: {us:.1} us");
    }
}
