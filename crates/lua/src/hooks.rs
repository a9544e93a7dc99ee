//! What a game does outside of any match: `chat_filter`, in a VM of its own.
//!
//! The functions stand in `hooks.lua`, or in the game's main script (`config.lua`, `match.lua`)
//! when there is none. The VM shares nothing with those of matches. It takes up changed scripts
//! at the next call; while a change does not load, the script before it goes on.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use asobi_game::logic::{Effect, FaultKind, ScriptFault};
use mlua::{MultiValue, Value};

use crate::api;
use crate::context::Context;
use crate::fault::{Failure, FaultLimiter, clip};
use crate::globals::describe;
use crate::modes::main_script;
use crate::sandbox::Vm;
use crate::settings::LuaSettings;
use crate::source::{ScriptSet, ScriptSource};

/// Where a game keeps its hooks.
pub(crate) const HOOKS: &str = "hooks.lua";
/// The function that looks at messages.
pub(crate) const CHAT_FILTER: &str = "chat_filter";
/// Characters of a refusal's reason.
const REASON_CHARS: usize = 200;

/// What `chat_filter` says about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// It goes out as it is.
    Pass,
    /// This goes out instead.
    Change(String),
    /// Nothing goes out. The reason, if there is one, is for the sender.
    Refuse(Option<String>),
}

/// A game's hooks. One value on one thread.
pub struct Hooks {
    source: ScriptSource,
    settings: LuaSettings,
    seen_version: Option<u64>,
    script: Option<Script>,
    context: Rc<Context>,
    limiter: FaultLimiter,
}

struct Script {
    vm: Vm,
    path: String,
}

impl Hooks {
    /// The hooks of a game. Nothing is loaded before the first call.
    pub fn new(source: ScriptSource, settings: LuaSettings) -> Self {
        Self {
            source,
            settings,
            seen_version: None,
            script: None,
            context: Rc::default(),
            limiter: FaultLimiter::default(),
        }
    }

    /// What the game says about a message before it goes out. A filter that fails refuses: a
    /// message made to make it fail must not get past it.
    pub fn chat_filter(&mut self, channel: &str, sender: &str, text: &str) -> Filtered {
        self.take_up();
        let Some(script) = &self.script else {
            return Filtered::Pass;
        };
        if script.vm.callback(CHAT_FILTER).is_none() {
            return Filtered::Pass;
        }
        let budget = Duration::from_millis(self.settings.hook_budget_ms);
        let called = script.vm.call(CHAT_FILTER, budget, (channel, sender, text));
        match called.and_then(read_verdict) {
            Ok(verdict) => verdict,
            Err(failure) => {
                let fault = failure.into_fault(CHAT_FILTER, &script.path, None);
                self.report(fault);
                Filtered::Refuse(Some("filter_failed".into()))
            }
        }
    }

    /// Takes what the hooks logged and how they failed.
    pub fn drain_effects(&mut self) -> Vec<Effect> {
        self.context.drain()
    }

    fn report(&mut self, fault: ScriptFault) {
        if let Some(fault) = self.limiter.admit(fault) {
            self.context.fault(fault);
        }
    }

    /// Loads the scripts, if they changed since the last look.
    fn take_up(&mut self) {
        let version = self.source.version();
        if self.seen_version == Some(version) {
            return;
        }
        self.seen_version = Some(version);
        let set = self.source.current();
        // Whoever watches the folder tells of scripts that do not compile.
        if !set.faults().is_empty() {
            return;
        }
        match self.load(&set) {
            Ok(script) => self.script = script,
            Err(fault) => self.report(fault),
        }
    }

    fn load(&self, set: &Arc<ScriptSet>) -> Result<Option<Script>, ScriptFault> {
        let path = match set.get(HOOKS) {
            Some(_) => HOOKS,
            None => main_script(set),
        };
        if set.get(path).is_none() {
            return Ok(None);
        }
        let load = || {
            let vm = Vm::new(set.clone(), path, 0, self.settings.memory_limit_bytes)?;
            api::install(vm.lua(), &self.context, true).map_err(|e| Failure::from_error(&e))?;
            vm.run_main(Duration::from_millis(self.settings.init_budget_ms))?;
            Ok(vm)
        };
        let vm = load().map_err(|failure: Failure| failure.into_fault("load", path, None))?;
        let path = path.to_owned();
        Ok(Some(Script { vm, path }))
    }
}

/// `nil` and `true` let a message pass, a string replaces it, `false` and perhaps a reason
/// refuses it.
fn read_verdict(values: MultiValue) -> Result<Filtered, Failure> {
    let mut values = values.into_iter();
    match values.next() {
        None | Some(Value::Nil | Value::Boolean(true)) => Ok(Filtered::Pass),
        Some(Value::String(text)) => Ok(Filtered::Change(text.to_string_lossy())),
        Some(Value::Boolean(false)) => {
            let reason = match values.next() {
                Some(Value::String(reason)) => Some(clip(&reason.to_string_lossy(), REASON_CHARS)),
                _ => None,
            };
            Ok(Filtered::Refuse(reason))
        }
        Some(other) => {
            let other = describe(&other);
            let text = format!("chat_filter must return a string, true, false or nil, not {other}");
            Err(Failure::new(FaultKind::RuntimeError, text))
        }
    }
}
