//! A VM a game script may run in: the standard library without its ways out, `require` rooted
//! in the game folder, and one function through which every callback is called.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use asobi_game::logic::FaultKind;
use mlua::{Function, IntoLuaMulti, Lua, LuaOptions, MultiValue, StdLib, Table, Thread, Value};

use crate::budget::{self, Place};
use crate::fault::Failure;
use crate::random::Random;
use crate::require::{self, Modules};
use crate::source::ScriptSet;
use crate::stdlib;
use crate::strings;

/// Globals that reach outside of the match, or around the budgets.
const REMOVED: &[&str] = &[
    "io",
    "package",
    "debug",
    "load",
    "loadstring",
    "loadfile",
    "dofile",
    "print",
    "warn",
    "collectgarbage",
    "require",
];
const REMOVED_FROM_OS: &[&str] = &[
    "execute",
    "exit",
    "getenv",
    "remove",
    "rename",
    "tmpname",
    "setlocale",
];

/// One sandboxed Lua VM and what belongs to it.
pub(crate) struct Vm {
    /// The coroutine the last callback that may wait ran in, for the next one.
    spare: RefCell<Option<Thread>>,
    // Before `random`, so that it goes before it: the VM points at it.
    lua: Lua,
    random: Rc<Random>,
    modules: Rc<RefCell<Modules>>,
    main: String,
}

impl Vm {
    /// A VM for the script at `main`, not run yet.
    pub(crate) fn new(
        set: Arc<ScriptSet>,
        main: &str,
        seed: u64,
        memory_limit: usize,
    ) -> Result<Self, Failure> {
        let libs = StdLib::COROUTINE
            | StdLib::TABLE
            | StdLib::OS
            | StdLib::STRING
            | StdLib::UTF8
            | StdLib::MATH;
        // Lua's own `pcall`, which a coroutine may yield across; nothing here panics.
        let options = LuaOptions::new().catch_rust_panics(true);
        let random = Rc::new(Random::seeded(seed));
        let modules = Rc::new(RefCell::new(Modules::new(set, main)));
        let build = || {
            let lua = Lua::new_with(libs, options)?;
            remove_globals(&lua)?;
            stdlib::install(&lua, &random)?;
            strings::install(&lua)?;
            require::install(&lua, &modules)?;
            budget::install(&lua);
            lua.set_memory_limit(memory_limit)?;
            Ok(lua)
        };
        let lua = build().map_err(|e| Failure::from_error(&e))?;
        Ok(Self {
            spare: RefCell::default(),
            lua,
            random,
            modules,
            main: main.to_owned(),
        })
    }

    pub(crate) fn lua(&self) -> &Lua {
        &self.lua
    }

    pub(crate) fn random(&self) -> &Random {
        &self.random
    }

    pub(crate) fn modules(&self) -> &Rc<RefCell<Modules>> {
        &self.modules
    }

    /// The main script's path inside the game folder.
    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    /// Compiles and runs the main script's top level.
    pub(crate) fn run_main(&self, budget: Duration) -> Result<MultiValue, Failure> {
        let set = self.modules.borrow().scripts().clone();
        let Some(text) = set.get(&self.main) else {
            return Err(Failure::new(FaultKind::LoadError, "no such script"));
        };
        let chunk =
            require::compile(&self.lua, &self.main, text).map_err(|e| Failure::from_error(&e))?;
        self.run(budget, || chunk.call(())).map_err(|mut failure| {
            if failure.kind == FaultKind::RuntimeError {
                failure.kind = FaultKind::LoadError;
            }
            failure
        })
    }

    /// The script's global function `name`.
    pub(crate) fn callback(&self, name: &str) -> Option<Function> {
        match self.lua.globals().raw_get(name) {
            Ok(Value::Function(function)) => Some(function),
            _ => None,
        }
    }

    /// The script's global function `name`, which it has to have.
    pub(crate) fn defined(&self, name: &str) -> Result<Function, Failure> {
        self.callback(name).ok_or_else(|| {
            let text = format!("the script defines no function '{name}'");
            Failure::new(FaultKind::RuntimeError, text)
        })
    }

    /// Calls the script's global function `name`, which cannot wait.
    pub(crate) fn call(
        &self,
        name: &str,
        budget: Duration,
        args: impl IntoLuaMulti,
    ) -> Result<MultiValue, Failure> {
        let function = self.defined(name)?;
        self.run(budget, || function.call(args))
    }

    /// A coroutine that is about to call `function`.
    pub(crate) fn thread(&self, function: Function) -> Result<Thread, Failure> {
        let thread = match self.spare.take() {
            Some(thread) => thread.reset(function).map(|()| thread),
            None => self.lua.create_thread(function),
        };
        thread.map_err(|error| Failure::from_error(&error))
    }

    /// Keeps a coroutine that ran to its end.
    pub(crate) fn keep_thread(&self, thread: Thread) {
        self.spare.replace(Some(thread));
    }

    /// Runs `f` under a budget of CPU time.
    pub(crate) fn run<T>(
        &self,
        budget: Duration,
        f: impl FnOnce() -> mlua::Result<T>,
    ) -> Result<T, Failure> {
        let metered = budget::run(&self.lua, budget, f);
        if let Some(place) = metered.overrun {
            return Err(Failure::timeout(budget, place));
        }
        metered.result.map_err(|error| {
            let mut failure = Failure::from_error(&error);
            if failure.kind == FaultKind::OutOfMemory {
                failure.place = metered.hungry;
            }
            failure
        })
    }

    /// Calls the function once more to learn the line that uses up the memory.
    pub(crate) fn locate(
        &self,
        name: &str,
        budget: Duration,
        args: impl IntoLuaMulti,
    ) -> Option<Place> {
        let function = self.callback(name)?;
        budget::trace(&self.lua, budget, || function.call::<MultiValue>(args))
    }

    /// Frees everything that can be freed. Two rounds, for what the first one's finalizers free.
    pub(crate) fn collect(&self) {
        let _ = self.lua.gc_collect();
        let _ = self.lua.gc_collect();
    }

    /// Does `f` without a memory limit: putting a state back must not fail for want of memory.
    pub(crate) fn unlimited<T>(&self, f: impl FnOnce() -> T) -> T {
        let limit = self.lua.set_memory_limit(0).unwrap_or(0);
        let result = f();
        let _ = self.lua.set_memory_limit(limit);
        result
    }
}

fn remove_globals(lua: &Lua) -> mlua::Result<()> {
    let globals = lua.globals();
    for name in REMOVED {
        globals.raw_remove(*name)?;
    }
    let os: Table = globals.raw_get("os")?;
    for name in REMOVED_FROM_OS {
        os.raw_remove(*name)?;
    }
    globals.raw_get::<Table>("string")?.raw_remove("dump")
}
