//! Names for what bytes cannot hold.
//!
//! Objects are tables with a metatable, and some states hold functions. Neither can be written
//! down, but both usually have a place in the script: a global, a module, a field of one, a
//! local that one of its functions uses. Written down is the way there, and after a restart the
//! same script has the same thing at the end of it.
//!
//! # Why unsafe
//!
//! The locals a function uses are reachable by the raw API alone. This runs once a second and
//! match at most, and only for states that need it.
#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::{CStr, c_void};

use mlua::{Function, Lua, MultiValue, Table, Value, ffi};

/// Most values that are looked at.
const MAX_VALUES: usize = 20_000;
/// Longest way that is taken.
const MAX_STEPS: usize = 8;

/// One step of a way.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Global = b'g' as isize,
    Module = b'm' as isize,
    Field = b'f' as isize,
    Local = b'l' as isize,
}

/// A way to a value: step kinds, each with a length and a name.
pub(crate) type Way = Vec<u8>;

fn longer(way: &[u8], step: Step, name: &[u8]) -> Option<Way> {
    let length = u8::try_from(name.len()).ok()?;
    Some([way, &[step as u8, length], name].concat())
}

/// The ways to `wanted`, as far as there are any, by address.
pub(crate) fn find(
    lua: &Lua,
    modules: Option<&Table>,
    wanted: &[Value],
) -> HashMap<*const c_void, Way> {
    let mut left: HashSet<*const c_void> = wanted.iter().map(Value::to_pointer).collect();
    let mut search = Search {
        queue: VecDeque::new(),
        seen: HashSet::new(),
    };
    search.fields(&lua.globals(), &[], Step::Global);
    if let Some(modules) = modules {
        search.fields(modules, &[], Step::Module);
    }
    let mut found = HashMap::new();
    while let Some((value, way, steps)) = search.queue.pop_front() {
        if left.remove(&value.to_pointer()) {
            found.insert(value.to_pointer(), way.clone());
        }
        if left.is_empty() || search.seen.len() > MAX_VALUES {
            break;
        }
        if steps < MAX_STEPS {
            search.open(lua, &value, &way, steps);
        }
    }
    found
}

/// The value at the end of `way`, or nil.
pub(crate) fn resolve(lua: &Lua, modules: Option<&Table>, mut way: &[u8]) -> Value {
    let mut at = Value::Nil;
    while let [kind, length, rest @ ..] = way {
        let Some((name, rest)) = rest.split_at_checked(usize::from(*length)) else {
            return Value::Nil;
        };
        way = rest;
        let key = lua.create_string(name);
        let next = match (kind, &at, key) {
            (b'g', _, Ok(key)) => lua.globals().raw_get(key),
            (b'm', _, Ok(key)) => modules.map_or(Ok(Value::Nil), |m| m.raw_get(key)),
            (b'f', Value::Table(table), Ok(key)) => table.raw_get(key),
            (b'l', Value::Function(function), _) => Ok(locals(lua, function)
                .into_iter()
                .find(|(n, _)| n == name)
                .map_or(Value::Nil, |(_, v)| v)),
            _ => return Value::Nil,
        };
        match next {
            Ok(next) => at = next,
            Err(_) => return Value::Nil,
        }
    }
    at
}

struct Search {
    queue: VecDeque<(Value, Way, usize)>,
    seen: HashSet<*const c_void>,
}

impl Search {
    fn add(&mut self, value: Value, way: Option<Way>, steps: usize) {
        if let (Value::Table(_) | Value::Function(_), Some(way)) = (&value, way)
            && self.seen.insert(value.to_pointer())
        {
            self.queue.push_back((value, way, steps));
        }
    }

    fn open(&mut self, lua: &Lua, value: &Value, way: &[u8], steps: usize) {
        match value {
            Value::Table(table) => self.fields_at(table, way, Step::Field, steps + 1),
            Value::Function(function) => {
                for (name, value) in locals(lua, function) {
                    self.add(value, longer(way, Step::Local, &name), steps + 1);
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, table: &Table, way: &[u8], step: Step) {
        self.fields_at(table, way, step, 1);
    }

    fn fields_at(&mut self, table: &Table, way: &[u8], step: Step, steps: usize) {
        for (key, value) in table.pairs::<Value, Value>().flatten() {
            if let Value::String(name) = key {
                self.add(value, longer(way, step, &name.as_bytes()), steps);
            }
        }
    }
}

/// The locals outside of it that a function uses, with their names.
fn locals(lua: &Lua, function: &Function) -> Vec<(Vec<u8>, Value)> {
    // SAFETY: `lua_getupvalue` pushes one value and answers a name that lives as long as the
    // function; pushing the name may raise, which `exec_raw` catches, over frames that own
    // nothing.
    let values: mlua::Result<MultiValue> = unsafe {
        lua.exec_raw(function, |l| {
            // A C function's have no names, and there are those that hold all of Lua.
            let mut n = if ffi::lua_iscfunction(l, 1) == 0 {
                1
            } else {
                i32::MAX
            };
            while n < 256 && ffi::lua_checkstack(l, 3) != 0 {
                let name = ffi::lua_getupvalue(l, 1, n);
                if name.is_null() {
                    break;
                }
                let name = CStr::from_ptr(name);
                ffi::lua_pushlstring(l, name.as_ptr(), name.count_bytes());
                n += 1;
            }
            ffi::lua_remove(l, 1);
        })
    };
    let mut values = values.unwrap_or_default().into_iter();
    let mut locals = Vec::new();
    while let (Some(value), Some(Value::String(name))) = (values.next(), values.next()) {
        locals.push((name.as_bytes().to_vec(), value));
    }
    locals
}
