//! Strategies a game writes itself: `strategy = "ranked.lua"` with `match(tickets, config)`.
//!
//! The function gets a list of tickets, oldest first, and answers a list of groups, each a list
//! of ticket ids. Each script has a VM of its own that shares nothing with matches, and is taken
//! up anew when the scripts change; while a change does not load, the script before it goes on.
//! Whether an answer makes sense is checked by whoever asked (`asobi_game::strategy::answer`).

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use asobi_game::logic::{Effect, FaultKind, ScriptFault};
use mlua::{Table, Value};

use crate::api;
use crate::context::Context;
use crate::decode::decode;
use crate::fault::{Failure, FaultLimiter};
use crate::globals::describe;
use crate::sandbox::Vm;
use crate::settings::LuaSettings;
use crate::source::{ScriptSet, ScriptSource};

/// The function that groups tickets.
const MATCH: &str = "match";

/// A game's strategies. One value on one thread.
pub struct Strategist {
    source: ScriptSource,
    settings: LuaSettings,
    scripts: HashMap<String, Script>,
    context: Rc<Context>,
    limiter: FaultLimiter,
}

struct Script {
    /// The version of the scripts that was looked at last.
    seen: u64,
    /// None until a version of it has loaded.
    vm: Option<Vm>,
}

impl Strategist {
    /// The strategies of a game. Nothing is loaded before the first question.
    pub fn new(source: ScriptSource, settings: LuaSettings) -> Self {
        Self {
            source,
            settings,
            scripts: HashMap::new(),
            context: Rc::default(),
            limiter: FaultLimiter::default(),
        }
    }

    /// Asks the strategy in `script` for groups. `tickets` is a JSON list, `config` a JSON
    /// object. A strategy that fails or answers no list of lists of strings answers no groups;
    /// why is among the effects.
    pub fn group(&mut self, script: &str, tickets: &[u8], config: &[u8]) -> Vec<Vec<String>> {
        self.take_up(script);
        let Some(vm) = self
            .scripts
            .get(script)
            .and_then(|script| script.vm.as_ref())
        else {
            return Vec::new();
        };
        let budget = Duration::from_millis(self.settings.strategy_budget_ms);
        match ask(vm, budget, tickets, config) {
            Ok(groups) => groups,
            Err(failure) => {
                let fault = failure.into_fault(MATCH, script, None);
                self.report(fault);
                Vec::new()
            }
        }
    }

    /// Reports what is wrong with an answer of `script`.
    pub fn complain(&mut self, script: &str, text: String) {
        let failure = Failure::new(FaultKind::RuntimeError, text);
        self.report(failure.into_fault(MATCH, script, None));
    }

    /// Takes what the strategies logged and how they failed.
    pub fn drain_effects(&mut self) -> Vec<Effect> {
        self.context.drain()
    }

    fn report(&mut self, fault: ScriptFault) {
        if let Some(fault) = self.limiter.admit(fault) {
            self.context.fault(fault);
        }
    }

    /// Loads a script, if the scripts changed since the last look.
    fn take_up(&mut self, path: &str) {
        let version = self.source.version();
        if self
            .scripts
            .get(path)
            .is_some_and(|script| script.seen == version)
        {
            return;
        }
        let set = self.source.current();
        // Whoever watches the folder tells of scripts that do not compile.
        let loaded = set.faults().is_empty().then(|| self.load(&set, path));
        let script = self.scripts.entry(path.to_owned());
        let script = script.or_insert(Script { seen: 0, vm: None });
        script.seen = version;
        match loaded {
            Some(Ok(vm)) => script.vm = Some(vm),
            Some(Err(fault)) => self.report(fault),
            None => {}
        }
    }

    fn load(&self, set: &Arc<ScriptSet>, path: &str) -> Result<Vm, ScriptFault> {
        let load = || {
            let vm = Vm::new(set.clone(), path, 0, self.settings.memory_limit_bytes)?;
            api::install(vm.lua(), &self.context, true).map_err(|e| Failure::from_error(&e))?;
            vm.run_main(Duration::from_millis(self.settings.init_budget_ms))?;
            Ok(vm)
        };
        load().map_err(|failure: Failure| failure.into_fault("load", path, None))
    }
}

fn ask(
    vm: &Vm,
    budget: Duration,
    tickets: &[u8],
    config: &[u8],
) -> Result<Vec<Vec<String>>, Failure> {
    let mut scratch = Vec::new();
    let mut read = |json| {
        let value = decode(vm.lua(), json, &mut scratch);
        value.map_err(|e| Failure::new(FaultKind::RuntimeError, e.to_string()))
    };
    let (tickets, config) = (read(tickets)?, read(config)?);
    let answer = vm.call(MATCH, budget, (tickets, config))?;
    let groups = match answer.into_iter().next() {
        Some(Value::Table(groups)) => list(&groups),
        other => Err(wrong(&other.unwrap_or(Value::Nil))),
    }?;
    let ids = |group: Value| match group {
        Value::Table(ids) => list(&ids)?.into_iter().map(id).collect(),
        other => Err(wrong(&other)),
    };
    groups.into_iter().map(ids).collect()
}

/// The entries of a table that is a list and nothing else.
fn list(table: &Table) -> Result<Vec<Value>, Failure> {
    let entries: Vec<Value> = table.sequence_values().flatten().collect();
    match table.pairs::<Value, Value>().count() == entries.len() {
        true => Ok(entries),
        false => {
            let text = "garbage: match must return lists, not tables with other keys";
            Err(Failure::new(FaultKind::RuntimeError, text))
        }
    }
}

fn id(value: Value) -> Result<String, Failure> {
    match value {
        Value::String(id) => Ok(id.to_string_lossy()),
        other => Err(wrong(&other)),
    }
}

fn wrong(found: &Value) -> Failure {
    let found = describe(found);
    let text = format!("garbage: match must return a list of lists of ticket ids, not {found}");
    Failure::new(FaultKind::RuntimeError, text)
}
