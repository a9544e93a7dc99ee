//! Taking up changed scripts while the match goes on.
//!
//! The main script's top level runs again in the same VM, over the same globals, with the
//! `require` cache empty: functions are redefined, the state is not touched. If that fails, the
//! globals and the cache are put back as they were.

use std::sync::Arc;
use std::time::Duration;

use mlua::{Table, Value};

use crate::bots::Bots;
use crate::fault::Failure;
use crate::globals::Declared;
use crate::match_logic::LuaMatch;
use crate::modes;
use crate::source::ScriptSet;

/// Milliseconds between ticks, unless the script says otherwise.
const TICK_RATE_MS: u64 = 100;

/// What the script's globals say that matters while a match runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModeGlobals {
    pub(crate) tick_rate_ms: u64,
    pub(crate) shared_view: bool,
}

impl Default for ModeGlobals {
    fn default() -> Self {
        Self {
            tick_rate_ms: TICK_RATE_MS,
            shared_view: false,
        }
    }
}

impl LuaMatch {
    /// Reads the globals that matter while a match runs. Wrong ones were reported when the
    /// manifest was read.
    pub(crate) fn read_globals(&mut self) {
        let main = self.vm.main().to_owned();
        let mut declared = Declared::new(self.vm.lua().globals(), &main);
        let tick_rate = declared
            .integer("tick_rate", 1)
            .map_or(TICK_RATE_MS, |ms| ms.clamp(10, 1000) as u64);
        let shared = declared.choice("state_strategy", &["shared"]).is_some();
        self.mode = ModeGlobals {
            tick_rate_ms: tick_rate,
            shared_view: shared,
        };
        let set = self.vm.modules().borrow().scripts().clone();
        let script = declared
            .table("bots", "bots.")
            .and_then(|mut bots| modes::bot_script(&set, &mut bots, &main));
        let bots = self.bots.get_mut();
        if bots.as_ref().map(Bots::script) != script.as_deref() {
            *bots = script.map(|script| Bots::new(set, script, self.seed));
        }
    }

    /// Looks whether the scripts changed, and takes them up if so. A version is tried once.
    pub(crate) fn reload_if_changed(&mut self) {
        let version = self.source.version();
        if version == self.seen_version {
            return;
        }
        self.seen_version = version;
        let set = self.source.current();
        if !set.faults().is_empty() {
            for fault in set.faults() {
                self.report_fault(fault.clone());
            }
            return;
        }
        if let Some(bots) = self.bots.get_mut() {
            bots.take_up(&set);
        }
        let modules = self.vm.modules().clone();
        if !modules.borrow().differs_from(&set) {
            modules.borrow_mut().set_scripts(set);
        } else if let Err(failure) = self.reload(set) {
            self.report("reload", failure, None);
        }
    }

    fn reload(&mut self, set: Arc<ScriptSet>) -> Result<(), Failure> {
        let prepare = || -> mlua::Result<(Table, Table)> {
            let lua = self.vm.lua();
            Ok((shallow_copy(lua, &lua.globals())?, lua.create_table()?))
        };
        let (globals, cache) = prepare().map_err(|e| Failure::from_error(&e))?;
        let modules = self.vm.modules().clone();
        let old_set = modules.borrow_mut().set_scripts(set);
        let old_cache = modules.borrow_mut().set_loaded(Some(cache));
        let mark = self.context.mark();
        let budget = Duration::from_millis(self.settings.init_budget_ms);
        let result = self.vm.run_main(budget);
        if let Err(failure) = result {
            self.context.drop_since(mark);
            self.vm.collect();
            modules.borrow_mut().set_scripts(old_set);
            modules.borrow_mut().set_loaded(old_cache);
            let put_back = self
                .vm
                .unlimited(|| put_back(&self.vm.lua().globals(), &globals));
            put_back.map_err(|e| Failure::from_error(&e))?;
            return Err(failure);
        }
        self.read_globals();
        // The phases are those the match began with, but the functions that end them are new.
        match self.read_phases() {
            Ok(declared) => self.phase_ends = declared.ends,
            Err(failure) => self.report("phases", failure, None),
        }
        Ok(())
    }
}

fn shallow_copy(lua: &mlua::Lua, table: &Table) -> mlua::Result<Table> {
    let copy = lua.create_table()?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        copy.raw_set(key, value)?;
    }
    Ok(copy)
}

/// Makes `globals` hold what `copy` holds and nothing else.
fn put_back(globals: &Table, copy: &Table) -> mlua::Result<()> {
    let mut added = Vec::new();
    for pair in globals.pairs::<Value, Value>() {
        let (key, _) = pair?;
        if copy.raw_get::<Value>(key.clone())?.is_nil() {
            added.push(key);
        }
    }
    for key in added {
        globals.raw_set(key, Value::Nil)?;
    }
    for pair in copy.pairs::<Value, Value>() {
        let (key, value) = pair?;
        globals.raw_set(key, value)?;
    }
    Ok(())
}
