//! `require`: modules of the game folder and nothing else.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Table, Value};

use crate::budget::{self, Verdict};
use crate::source::ScriptSet;

/// Where a VM's modules come from and which it has.
pub(crate) struct Modules {
    set: Arc<ScriptSet>,
    /// The main script's folder, with its slash.
    base: String,
    loaded: Option<Table>,
    loading: Vec<String>,
    /// The paths of all scripts that were run, the main one included.
    used: BTreeSet<String>,
}

impl Modules {
    pub(crate) fn new(set: Arc<ScriptSet>, main: &str) -> Self {
        let base = main
            .rfind('/')
            .map_or("", |slash| &main[..=slash])
            .to_owned();
        Self {
            set,
            base,
            loaded: None,
            loading: Vec::new(),
            used: BTreeSet::from([main.to_owned()]),
        }
    }

    pub(crate) fn scripts(&self) -> &Arc<ScriptSet> {
        &self.set
    }

    /// What `require` has returned so far, by module name.
    pub(crate) fn loaded(&self) -> Option<Table> {
        self.loaded.clone()
    }

    /// Puts other scripts in place, for modules that are not loaded yet.
    pub(crate) fn set_scripts(&mut self, set: Arc<ScriptSet>) -> Arc<ScriptSet> {
        std::mem::replace(&mut self.set, set)
    }

    /// Puts another cache in place; answers what was there.
    pub(crate) fn set_loaded(&mut self, loaded: Option<Table>) -> Option<Table> {
        std::mem::replace(&mut self.loaded, loaded)
    }

    /// Whether a script that was run is not the same in `set`.
    pub(crate) fn differs_from(&self, set: &ScriptSet) -> bool {
        self.set
            .differing(set)
            .iter()
            .any(|path| self.used.contains(*path))
    }

    /// The module's path: beside the main script, or else from the folder's root.
    fn find(&self, name: &str) -> Option<(String, Arc<[u8]>)> {
        let tail = format!("{}.lua", name.replace('.', "/"));
        [format!("{}{tail}", self.base), tail]
            .into_iter()
            .find_map(|path| self.set.get(&path).cloned().map(|text| (path, text)))
    }
}

/// Gives the VM its `require`.
pub(crate) fn install(lua: &Lua, modules: &Rc<RefCell<Modules>>) -> mlua::Result<()> {
    modules.borrow_mut().loaded = Some(lua.create_table()?);
    let modules = modules.clone();
    let require = lua.create_function(move |lua, name: Value| {
        let Value::String(name) = name else {
            return Err(error(format!(
                "require needs a module's name, got {}",
                name.type_name()
            )));
        };
        let name = name.to_string_lossy();
        require_module(lua, &modules, &name)
    })?;
    lua.globals().raw_set("require", require)
}

fn require_module(lua: &Lua, modules: &RefCell<Modules>, name: &str) -> mlua::Result<Value> {
    let loaded = modules.borrow().loaded().expect("set by install");
    let known: Value = loaded.raw_get(name)?;
    if !known.is_nil() {
        return Ok(known);
    }
    if !is_module_name(name) {
        return Err(error(format!(
            "'{name}' is not a module name (letters, digits, _ and dots, like 'bots.aim')"
        )));
    }
    check_circle(&modules.borrow().loading, name)?;
    let Some((path, text)) = modules.borrow().find(name) else {
        return Err(error(format!(
            "module '{name}' not found in the game folder"
        )));
    };
    // Compiling a large file takes its time, without a hook.
    if budget::check() == Verdict::Exceeded {
        return Err(error("CPU budget used up".into()));
    }
    let chunk = compile(lua, &path, &text)?;
    {
        let mut modules = modules.borrow_mut();
        modules.loading.push(name.to_owned());
        modules.used.insert(path);
    }
    let result = chunk.call::<Value>(name);
    modules.borrow_mut().loading.pop();
    let value = match result? {
        Value::Nil => Value::Boolean(true),
        value => value,
    };
    loaded.raw_set(name, &value)?;
    Ok(value)
}

fn check_circle(loading: &[String], name: &str) -> mlua::Result<()> {
    match loading.iter().position(|l| l == name) {
        None => Ok(()),
        Some(start) => {
            let circle = loading[start..].join(" -> ");
            Err(error(format!(
                "modules require each other in a circle: {circle} -> {name}"
            )))
        }
    }
}

fn error(message: String) -> mlua::Error {
    mlua::Error::RuntimeError(message)
}

/// `[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*`: no way to say `..` or `/`.
fn is_module_name(name: &str) -> bool {
    name.split('.').all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Compiles source text, never bytecode, under its path as Lua will show it.
pub(crate) fn compile(lua: &Lua, path: &str, text: &[u8]) -> mlua::Result<Function> {
    lua.load(text)
        .set_name(format!("@{path}"))
        .set_mode(ChunkMode::Text)
        .into_function()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules() {
        for good in ["a", "bots.chaser", "_x.y2.Z"] {
            assert!(is_module_name(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "../a",
            "/etc/passwd",
            "a/b",
            "42",
            "a\n",
            "a-b",
            "ä",
        ] {
            assert!(!is_module_name(bad), "{bad}");
        }
    }
}
