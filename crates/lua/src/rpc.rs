//! Functions of a game that clients call by name: `rpc.lua` and `rpc/*.lua`.
//!
//! `rpc.lua` returns a table of functions: `ping` is the method `ping`, `quests = { claim = f }`
//! is `quests.claim`. `rpc/quests.lua` returns one as well, and its functions are `quests.*`. All
//! of them live in one VM, which shares nothing with those of matches. A function gets the
//! player's id and the parameters, may wait as callbacks do, and answers a table; or `nil` and a
//! reason, which refuses.
//!
//! Calls run side by side: while one waits, others go on. Changed scripts are taken up at the
//! next call, in a VM of their own; calls under way end in the one they began in.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use asobi_game::logic::{Effect, FaultKind, ScriptFault};
use asobi_game::services::Services;
use bytes::Bytes;
use mlua::{Function, MultiValue, Table, Value};

use crate::api;
use crate::context::Context;
use crate::decode::{DecodeError, decode};
use crate::fault::{Failure, FaultLimiter, clip};
use crate::globals::describe;
use crate::json::{self, Shape};
use crate::require;
use crate::sandbox::Vm;
use crate::settings::LuaSettings;
use crate::source::{ScriptSet, ScriptSource};
use crate::waiting::Asking;

/// The script of methods without a prefix.
const MAIN: &str = "rpc.lua";
/// The folder of scripts whose name is their methods' prefix.
const FOLDER: &str = "rpc/";
/// Characters of a refusal's reason.
const REASON_CHARS: usize = 200;
/// Tables within tables of methods.
const MOST_DEPTH: usize = 4;

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Called {
    /// JSON text of an object.
    Ok(Bytes),
    /// The game says no, and why; for the client.
    Refused(String),
    /// The parameters are no JSON that Lua could hold.
    Unreadable,
    /// There is no such method.
    Unknown,
    /// The function failed; the fault is among the effects.
    Failed,
}

/// A game's methods. One value on one thread.
pub struct Rpc {
    source: ScriptSource,
    settings: LuaSettings,
    services: Arc<dyn Services>,
    seen_version: Cell<Option<u64>>,
    loaded: RefCell<Rc<Loaded>>,
    limiter: RefCell<FaultLimiter>,
}

/// The methods of one version of the scripts. The VM goes last.
#[derive(Default)]
struct Loaded {
    methods: BTreeMap<String, Method>,
    context: Rc<Context>,
    vm: Option<Vm>,
}

struct Method {
    function: Function,
    script: String,
}

impl Rpc {
    /// The methods of a game. Nothing is loaded before the first call.
    pub fn new(source: ScriptSource, settings: LuaSettings, services: Arc<dyn Services>) -> Self {
        Self {
            source,
            settings,
            services,
            seen_version: Cell::new(None),
            loaded: RefCell::default(),
            limiter: RefCell::default(),
        }
    }

    /// Calls a method for a player. `params` is the JSON text of an object. What it wants done
    /// outside, and its faults, come with the answer.
    pub async fn call(&self, method: &str, player: &str, params: &[u8]) -> (Called, Vec<Effect>) {
        let mut effects = self.take_up();
        let loaded = self.loaded.borrow().clone();
        let (Some(vm), Some(found)) = (&loaded.vm, loaded.methods.get(method)) else {
            return (Called::Unknown, effects);
        };
        let mut asking = Asking::new(Arc::clone(&self.services));
        let run = Run {
            vm,
            context: &loaded.context,
            settings: &self.settings,
        };
        let called = run.call(found, player, params, &mut asking, &mut effects);
        let called = match called.await {
            Ok(called) => called,
            Err(failure) => {
                // What it wanted is dropped; what it logged tells why.
                effects.retain(|effect| matches!(effect, Effect::Log { .. } | Effect::Fault(_)));
                let fault = failure.into_fault(method, &found.script, None);
                effects.extend(self.admit(fault));
                Called::Failed
            }
        };
        (called, effects)
    }

    fn admit(&self, fault: ScriptFault) -> Option<Effect> {
        self.limiter.borrow_mut().admit(fault).map(Effect::Fault)
    }

    /// Loads the scripts, if they changed since the last look. Those that do not load leave the
    /// methods as they were.
    fn take_up(&self) -> Vec<Effect> {
        let version = self.source.version();
        if self.seen_version.replace(Some(version)) == Some(version) {
            return Vec::new();
        }
        let set = self.source.current();
        if !set.faults().is_empty() {
            return Vec::new();
        }
        match Loaded::load(&set, &self.settings, self.services.has_storage()) {
            Ok(loaded) => {
                self.loaded.replace(Rc::new(loaded));
                Vec::new()
            }
            Err(fault) => self.admit(fault).into_iter().collect(),
        }
    }
}

/// Whether the scripts of methods load.
pub(crate) fn check(set: &Arc<ScriptSet>, settings: &LuaSettings) -> Result<(), ScriptFault> {
    Loaded::load(set, settings, true).map(drop)
}

impl Loaded {
    fn load(
        set: &Arc<ScriptSet>,
        settings: &LuaSettings,
        storage: bool,
    ) -> Result<Self, ScriptFault> {
        let scripts: Vec<&str> = set
            .iter()
            .map(|(path, _)| path)
            .filter(|path| prefix(path).is_some())
            .collect();
        let Some(first) = scripts.first() else {
            return Ok(Self::default());
        };
        let mut loaded = Self::default();
        let vm = || {
            let vm = Vm::new(set.clone(), first, 0, settings.memory_limit_bytes)?;
            let installed = api::install(vm.lua(), &loaded.context, storage);
            installed.map_err(|error| Failure::from_error(&error))?;
            Ok(vm)
        };
        let vm = vm().map_err(|failure: Failure| failure.into_fault("load", first, None))?;
        for script in scripts {
            let text = set.get(script).map(AsRef::as_ref).unwrap_or_default();
            let add = loaded.add(&vm, script, text, settings);
            add.map_err(|failure| failure.into_fault("load", script, None))?;
        }
        loaded.vm = Some(vm);
        Ok(loaded)
    }

    fn add(
        &mut self,
        vm: &Vm,
        script: &str,
        text: &[u8],
        settings: &LuaSettings,
    ) -> Result<(), Failure> {
        let chunk = require::compile(vm.lua(), script, text);
        let chunk = chunk.map_err(|error| Failure::from_error(&error))?;
        let budget = Duration::from_millis(settings.init_budget_ms);
        let returned = vm.run(budget, || chunk.call::<Value>(()))?;
        let Value::Table(methods) = returned else {
            let returned = describe(&returned);
            let text = format!("must return a table of functions, not {returned}");
            return Err(Failure::new(FaultKind::LoadError, text));
        };
        let prefix = prefix(script).unwrap_or_default();
        self.collect(&methods, &prefix, script, 0);
        Ok(())
    }

    fn collect(&mut self, table: &Table, prefix: &str, script: &str, depth: usize) {
        for (name, value) in table.pairs::<String, Value>().flatten() {
            let name = format!("{prefix}{name}");
            match value {
                Value::Function(function) => {
                    let script = script.to_owned();
                    self.methods.insert(name, Method { function, script });
                }
                Value::Table(inner) if depth < MOST_DEPTH => {
                    self.collect(&inner, &format!("{name}."), script, depth + 1);
                }
                _ => {}
            }
        }
    }
}

/// What the methods of a script begin with; none if it is no script of methods.
fn prefix(path: &str) -> Option<String> {
    if path == MAIN {
        return Some(String::new());
    }
    let name = path.strip_prefix(FOLDER)?.strip_suffix(".lua")?;
    Some(format!("{}.", name.replace('/', ".")))
}

/// One call.
struct Run<'a> {
    vm: &'a Vm,
    context: &'a Context,
    settings: &'a LuaSettings,
}

impl Run<'_> {
    async fn call(
        &self,
        method: &Method,
        player: &str,
        params: &[u8],
        asking: &mut Asking,
        effects: &mut Vec<Effect>,
    ) -> Result<Called, Failure> {
        let params = match decode(self.vm.lua(), params, &mut Vec::new()) {
            Ok(params) => params,
            Err(DecodeError::Json(_)) => return Ok(Called::Unreadable),
            Err(DecodeError::Lua(error)) => {
                return Err(Failure::new(FaultKind::OutOfMemory, error.to_string()));
            }
        };
        let budget = Duration::from_millis(self.settings.rpc_budget_ms);
        // Others run while this one waits: what it has queued is taken before they queue theirs.
        let mut drain = || effects.extend(self.context.drain());
        let function = method.function.clone();
        let call = self.vm.call_function(
            function,
            budget,
            (player, params),
            self.context,
            asking,
            &mut drain,
        );
        let values = call.await;
        drain();
        self.read(values?)
    }

    fn read(&self, values: MultiValue) -> Result<Called, Failure> {
        let mut values = values.into_iter();
        match values.next() {
            Some(Value::Table(table)) => self.encode(&table),
            None => Ok(Called::Ok(Bytes::from_static(b"{}"))),
            Some(Value::Nil | Value::Boolean(false)) => match values.next() {
                Some(Value::String(reason)) => {
                    let reason = clip(&reason.to_string_lossy(), REASON_CHARS);
                    Ok(Called::Refused(reason))
                }
                _ => Ok(Called::Ok(Bytes::from_static(b"{}"))),
            },
            Some(other) => {
                let text = format!(
                    "a method must return a table, or nil and a reason, not {}",
                    describe(&other)
                );
                Err(Failure::new(FaultKind::RuntimeError, text))
            }
        }
    }

    fn encode(&self, table: &Table) -> Result<Called, Failure> {
        let shape = Shape {
            limit: self.settings.view_limit_bytes,
            empty_object: false,
        };
        let mut out = Vec::new();
        json::encode(self.vm.lua(), table, shape, &mut out)
            .map_err(|error| Failure::new(FaultKind::RuntimeError, error.to_string()))?;
        if out.first() != Some(&b'{') {
            let text = "a method must return a table with names, not a list";
            return Err(Failure::new(FaultKind::RuntimeError, text));
        }
        Ok(Called::Ok(Bytes::from(out)))
    }
}
