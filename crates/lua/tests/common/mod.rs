//! What the integration tests share: game folders on disk and a match driven by hand.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod waiting;

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use asobi_game::logic::{
    Effect, FaultKind, Input, JoinRefusal, LogicFactory, MatchLogic, MatchSetup, ScriptFault,
    StepOutcome, View,
};
use asobi_game::{MatchId, PlayerId};
use asobi_lua::{LuaFactory, LuaSettings, ScriptSet, ScriptSource};
use bytes::Bytes;
use serde_json::value::RawValue;

/// A game folder that is gone when the test is over.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            Self(std::env::temp_dir().join(format!("asobi-lua-{}-{n}", std::process::id())));
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.0.join(path)).unwrap();
    }

    /// Reads the folder again and makes that the current scripts.
    pub fn publish(&self, source: &ScriptSource) {
        source.publish(ScriptSet::read(source.root().unwrap()).unwrap());
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The futures of a Lua match that asks the server nothing are ready at once.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a callback that waits"),
    }
}

/// A match that does not wait in its `init`.
pub fn create(factory: &LuaFactory) -> Result<Box<dyn MatchLogic>, ScriptFault> {
    now(factory.create(&setup()))
}

pub fn player(name: &str) -> PlayerId {
    PlayerId::from(name)
}

pub fn setup() -> MatchSetup {
    MatchSetup {
        match_id: MatchId::from("m1"),
        mode: "default".into(),
        seed: 1,
    }
}

/// A match in a folder of scripts.
pub struct Game {
    pub folder: Folder,
    pub source: ScriptSource,
    pub factory: LuaFactory,
    pub logic: Box<dyn MatchLogic>,
    /// The last view, for when the next is the same.
    pub seen: serde_json::Value,
}

/// What a script has to have besides what a test is about.
pub const REST: &str = r#"
match_size = 1
init = init or function() return { players = {}, n = 0, log = {} } end
join = join or function(id, s) s.players[id] = { x = 0 }; return s end
leave = leave or function(id, s) s.players[id] = nil; return s end
handle_input = handle_input or function(id, i, s) return s end
tick = tick or function(s) s.n = s.n + 1; return s end
get_state = get_state or function(id, s) return s end
"#;

impl Game {
    /// A match of `script` plus whatever of [`REST`] it does not define.
    pub fn new(script: &str) -> Self {
        Self::with(
            &[("match.lua", &format!("{script}\n{REST}"))],
            LuaSettings::default(),
        )
    }

    pub fn with(files: &[(&str, &str)], settings: LuaSettings) -> Self {
        let folder = Folder::new(files);
        let source = ScriptSource::open(folder.path()).unwrap();
        let factory = LuaFactory::new(source.clone(), "match.lua", settings);
        let logic = create(&factory).unwrap();
        Self {
            folder,
            source,
            factory,
            logic,
            seen: serde_json::Value::Null,
        }
    }

    /// Saves `script` over `match.lua` and publishes it.
    pub fn save(&self, script: &str) {
        self.folder.write("match.lua", &format!("{script}\n{REST}"));
        self.folder.publish(&self.source);
    }

    pub fn join(&mut self, name: &str) -> Result<(), JoinRefusal> {
        self.join_with(name, "{}")
    }

    pub fn join_with(&mut self, name: &str, ctx: &str) -> Result<(), JoinRefusal> {
        let ctx = RawValue::from_string(ctx.into()).unwrap();
        now(self.logic.join(&player(name), &ctx))
    }

    pub fn leave(&mut self, name: &str) {
        now(self.logic.leave(&player(name)));
    }

    pub fn step(&mut self, inputs: &[(&str, &str)]) -> StepOutcome {
        let inputs: Vec<Input> = inputs
            .iter()
            .map(|(who, payload)| Input {
                player: player(who),
                payload: Bytes::copy_from_slice(payload.as_bytes()),
            })
            .collect();
        now(self.logic.step(&inputs))
    }

    pub fn tick(&mut self) {
        assert_eq!(self.step(&[]), StepOutcome::Running);
    }

    /// The view of `name` as JSON.
    pub fn view(&mut self, name: &str) -> serde_json::Value {
        match self.logic.view(&player(name)) {
            Some(View::New(bytes)) => self.seen = serde_json::from_slice(&bytes).unwrap(),
            Some(View::Same) => {}
            None => panic!("no view; {:?}", self.logic.drain_effects()),
        }
        self.seen.clone()
    }

    /// What the state looks like, when `get_state` is that of [`REST`].
    pub fn look(&mut self) -> serde_json::Value {
        self.view("looker")
    }

    /// How often `tick` was called, in a script that counts like that of [`REST`].
    pub fn n(&mut self) -> i64 {
        self.look()["n"].as_i64().unwrap()
    }

    pub fn effects(&mut self) -> Vec<Effect> {
        self.logic.drain_effects()
    }

    pub fn faults(&mut self) -> Vec<ScriptFault> {
        self.effects()
            .into_iter()
            .filter_map(|e| match e {
                Effect::Fault(fault) => Some(fault),
                _ => None,
            })
            .collect()
    }

    /// The one fault there is.
    pub fn fault(&mut self) -> ScriptFault {
        let mut faults = self.faults();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        faults.remove(0)
    }

    /// The one fault there is, which must be of this kind, callback and line.
    pub fn expect_fault(&mut self, kind: FaultKind, callback: &str, line: u32) -> ScriptFault {
        let fault = self.fault();
        assert_eq!(
            (
                fault.kind,
                fault.callback.as_str(),
                fault.script.as_str(),
                fault.line
            ),
            (kind, callback, "match.lua", Some(line)),
            "{fault:?}"
        );
        fault
    }
}

/// What `code`, the body of a function of the state `s`, returns in a match's `tick`.
pub fn run(code: &str) -> serde_json::Value {
    let mut game = Game::new(&format!(
        "function tick(s) s.n = (function() {code} end)() return s end"
    ));
    game.tick();
    let view = game.look();
    assert_eq!(game.faults(), []);
    view["n"].clone()
}

/// CPU time of this thread: what budgets count, and what a busy machine does not stretch.
pub struct CpuClock(std::time::Duration);

impl CpuClock {
    pub fn start() -> Self {
        Self(Self::now())
    }

    pub fn elapsed(&self) -> std::time::Duration {
        Self::now() - self.0
    }

    fn now() -> std::time::Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        std::time::Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }
}
