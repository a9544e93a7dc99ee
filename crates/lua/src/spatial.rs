//! `game.spatial` over a table of entities the script passes in: pure functions of `x` and `y`.
//!
//! The forms without entities ask the zone around a world script, and answer an error here.
//!
//! # Why unsafe
//!
//! A script calls these instead of a loop of its own, so they had better be faster. A radius
//! query among 200 entities takes 11 us here, 19 us as a loop in Lua, and took 105 us when this
//! was written against mlua's tables. No frame of these functions owns anything (what has to be sorted
//! lies in memory of the VM's), so the errors the API raises may jump over them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};

use mlua::{Lua, Table, ffi};

use crate::stdlib::pay;

const QUERY_RADIUS: &CStr =
    c"query_radius requires (x, y, radius) or (entities, x, y, radius[, opts])";
const NEAREST: &CStr = c"nearest requires (entities, x, y, n[, opts])";
const IN_RANGE: &CStr = c"in_range requires (entity_a, entity_b, range)";
const DISTANCE: &CStr = c"distance requires (entity_a, entity_b)";

/// Entities between two questions to the meter.
const PAY_EVERY: usize = 1024;

// Where things are on the stack of a query.
const ENTITIES: c_int = 1;
const OPTIONS: c_int = 5;
const TYPES: c_int = 6;
const EXCLUDED: c_int = 7;
const KEY_X: c_int = 8;
const KEY_Y: c_int = 9;
const KEY_TYPE: c_int = 10;
const FOUND: c_int = 11;

/// The functions.
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    let functions: [(&str, ffi::lua_CFunction); 4] = [
        ("query_radius", query_radius),
        ("nearest", nearest),
        ("in_range", in_range),
        ("distance", distance),
    ];
    let table = lua.create_table()?;
    for (name, function) in functions {
        // SAFETY: they are written against the raw API, for any arguments.
        table.raw_set(name, unsafe { lua.create_c_function(function)? })?;
    }
    Ok(table)
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    AsFound,
    Nearest,
    Farthest,
}

/// One entity that was found: how far it is, squared, and which it is in [`FOUND`].
#[derive(Clone, Copy)]
struct Hit {
    distance: f64,
    number: usize,
}

unsafe extern "C-unwind" fn query_radius(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_gettop(l) == 3 && (1..=3).all(|i| is_number(l, i)) {
            return error(l, c"query_radius(x, y, radius) requires zone context");
        }
        if !is_query(l) {
            return error(l, QUERY_RADIUS);
        }
        let radius = ffi::lua_tonumberx(l, 4, std::ptr::null_mut());
        prepare(l);
        let (order, most) = (order(l), max_results(l));
        if order == Order::AsFound {
            let mut count = 0;
            ffi::lua_createtable(l, 0, 0);
            let result = ffi::lua_gettop(l);
            each(l, radius * radius, |l, distance| {
                if count < most {
                    count += 1;
                    entry(l, distance);
                    ffi::lua_rawseti(l, result, count as i64);
                }
            });
            ffi::lua_settop(l, result);
            return 1;
        }
        sorted(l, radius * radius, order, most)
    }
}

unsafe extern "C-unwind" fn nearest(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if !is_query(l) {
            return error(l, NEAREST);
        }
        // A float so large, or negative, or not a number, saturates.
        let most = ffi::lua_tonumberx(l, 4, std::ptr::null_mut()) as usize;
        prepare(l);
        sorted(l, f64::INFINITY, Order::Nearest, most)
    }
}

/// Whether the arguments are entities, three numbers, and perhaps options.
unsafe fn is_query(l: *mut ffi::lua_State) -> bool {
    unsafe {
        (4..=5).contains(&ffi::lua_gettop(l))
            && ffi::lua_istable(l, ENTITIES) != 0
            && (2..=4).all(|i| is_number(l, i))
    }
}

unsafe fn is_number(l: *mut ffi::lua_State, index: c_int) -> bool {
    unsafe { ffi::lua_type(l, index) == ffi::LUA_TNUMBER }
}

/// Puts the options and the keys in their places.
unsafe fn prepare(l: *mut ffi::lua_State) {
    unsafe {
        ffi::lua_settop(l, OPTIONS);
        ffi::luaL_checkstack(l, 30, std::ptr::null());
        option(l, c"type");
        option(l, c"exclude");
        ffi::lua_pushliteral(l, c"x");
        ffi::lua_pushliteral(l, c"y");
        ffi::lua_pushliteral(l, c"type");
        ffi::lua_createtable(l, 0, 0);
    }
}

/// Pushes an option, or nil if it is neither a string nor a list.
unsafe fn option(l: *mut ffi::lua_State, name: &'static CStr) {
    unsafe {
        if ffi::lua_istable(l, OPTIONS) == 0 {
            return ffi::lua_pushnil(l);
        }
        ffi::lua_pushliteral(l, name);
        let kind = ffi::lua_rawget(l, OPTIONS);
        if kind != ffi::LUA_TSTRING && kind != ffi::LUA_TTABLE {
            ffi::lua_settop(l, -2);
            ffi::lua_pushnil(l);
        }
    }
}

unsafe fn order(l: *mut ffi::lua_State) -> Order {
    unsafe {
        option(l, c"sort");
        let mut order = Order::AsFound;
        for (name, which) in [(c"nearest", Order::Nearest), (c"farthest", Order::Farthest)] {
            ffi::lua_pushliteral(l, name);
            if ffi::lua_rawequal(l, -1, -2) != 0 {
                order = which;
            }
            ffi::lua_settop(l, -2);
        }
        ffi::lua_settop(l, -2);
        order
    }
}

unsafe fn max_results(l: *mut ffi::lua_State) -> usize {
    unsafe {
        if ffi::lua_istable(l, OPTIONS) == 0 {
            return usize::MAX;
        }
        ffi::lua_pushliteral(l, c"max_results");
        let given = ffi::lua_rawget(l, OPTIONS) == ffi::LUA_TNUMBER;
        let most = ffi::lua_tonumberx(l, -1, std::ptr::null_mut());
        ffi::lua_settop(l, -2);
        if given { most as usize } else { usize::MAX }
    }
}

/// Calls `f` with each entity within reach that the options admit, its id below it on the stack,
/// and its squared distance. What has no position is passed over.
unsafe fn each(l: *mut ffi::lua_State, reach: f64, mut f: impl FnMut(*mut ffi::lua_State, f64)) {
    unsafe {
        let (cx, cy) = (
            ffi::lua_tonumberx(l, 2, std::ptr::null_mut()),
            ffi::lua_tonumberx(l, 3, std::ptr::null_mut()),
        );
        let top = ffi::lua_gettop(l);
        let mut seen = 0;
        ffi::lua_pushnil(l);
        while ffi::lua_next(l, ENTITIES) != 0 {
            seen += 1;
            if seen % PAY_EVERY == 0 {
                pay(l);
            }
            if ffi::lua_istable(l, -1) != 0
                && let Some((x, y)) = position(l, top + 2, KEY_X, KEY_Y)
            {
                let distance = (x - cx) * (x - cx) + (y - cy) * (y - cy);
                if distance <= reach && is_admitted(l, top + 1) {
                    f(l, distance);
                }
            }
            ffi::lua_settop(l, top + 1);
        }
    }
}

/// The numbers under two keys of the table at `index`.
unsafe fn position(l: *mut ffi::lua_State, index: c_int, x: c_int, y: c_int) -> Option<(f64, f64)> {
    let field = |key| unsafe {
        ffi::lua_pushvalue(l, key);
        let is_number = ffi::lua_rawget(l, index) == ffi::LUA_TNUMBER;
        let value = ffi::lua_tonumberx(l, -1, std::ptr::null_mut());
        ffi::lua_settop(l, -2);
        is_number.then_some(value)
    };
    Some((field(x)?, field(y)?))
}

/// Whether the entity whose id is at `id`, and itself above it, is of a type that is wanted and
/// not excluded.
unsafe fn is_admitted(l: *mut ffi::lua_State, id: c_int) -> bool {
    unsafe {
        if ffi::lua_isnil(l, EXCLUDED) == 0 && matches_any(l, id, EXCLUDED) {
            return false;
        }
        if ffi::lua_isnil(l, TYPES) != 0 {
            return true;
        }
        ffi::lua_pushvalue(l, KEY_TYPE);
        ffi::lua_rawget(l, id + 1);
        let admitted = matches_any(l, ffi::lua_gettop(l), TYPES);
        ffi::lua_settop(l, -2);
        admitted
    }
}

/// Whether the value at `index` is the one at `wanted`, or in the list there.
unsafe fn matches_any(l: *mut ffi::lua_State, index: c_int, wanted: c_int) -> bool {
    unsafe {
        if ffi::lua_istable(l, wanted) == 0 {
            return ffi::lua_rawequal(l, index, wanted) != 0;
        }
        for i in 1.. {
            let end = ffi::lua_rawgeti(l, wanted, i) == ffi::LUA_TNIL;
            let same = !end && ffi::lua_rawequal(l, index, -1) != 0;
            ffi::lua_settop(l, -2);
            if end || same {
                return same;
            }
        }
        false
    }
}

/// Pushes `{ id, entity, distance }` for the id and entity on top.
unsafe fn entry(l: *mut ffi::lua_State, distance: f64) {
    unsafe {
        ffi::lua_createtable(l, 0, 3);
        for (name, at) in [(c"id", -3), (c"entity", -2)] {
            ffi::lua_pushliteral(l, name);
            ffi::lua_pushvalue(l, at - 1);
            ffi::lua_rawset(l, -3);
        }
        ffi::lua_pushliteral(l, c"distance");
        ffi::lua_pushnumber(l, distance.sqrt());
        ffi::lua_rawset(l, -3);
    }
}

/// Pushes the first `most` entities within reach by distance.
unsafe fn sorted(l: *mut ffi::lua_State, reach: f64, order: Order, most: usize) -> c_int {
    unsafe {
        let room = count(l);
        let hits = ffi::lua_newuserdatauv(l, room * size_of::<Hit>(), 0).cast::<Hit>();
        let mut found = 0;
        each(l, reach, |l, distance| {
            hits.add(found).write(Hit {
                distance,
                number: found,
            });
            found += 1;
            ffi::lua_rawseti(l, FOUND, found as i64 * 2);
            ffi::lua_pushvalue(l, -1);
            ffi::lua_rawseti(l, FOUND, found as i64 * 2 - 1);
        });
        ffi::lua_settop(l, FOUND + 1);
        let hits = std::slice::from_raw_parts_mut(hits, found);
        hits.sort_unstable_by(|a, b| {
            let by_distance = a.distance.total_cmp(&b.distance);
            let ordered = if order == Order::Farthest {
                by_distance.reverse()
            } else {
                by_distance
            };
            ordered.then(a.number.cmp(&b.number))
        });
        let most = most.min(found);
        ffi::lua_createtable(l, most.min(1024) as c_int, 0);
        let result = ffi::lua_gettop(l);
        for (i, hit) in (1..).zip(&hits[..most]) {
            ffi::lua_rawgeti(l, FOUND, hit.number as i64 * 2 + 1);
            ffi::lua_rawgeti(l, FOUND, hit.number as i64 * 2 + 2);
            entry(l, hit.distance);
            ffi::lua_rawseti(l, result, i);
            ffi::lua_settop(l, result);
        }
        1
    }
}

/// How many entities there are.
unsafe fn count(l: *mut ffi::lua_State) -> usize {
    let mut count = 0;
    unsafe {
        ffi::lua_pushnil(l);
        while ffi::lua_next(l, ENTITIES) != 0 {
            ffi::lua_settop(l, -2);
            count += 1;
        }
        if count > PAY_EVERY {
            pay(l);
        }
    }
    count
}

unsafe extern "C-unwind" fn in_range(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_gettop(l) != 3 || !is_number(l, 3) {
            return error(l, IN_RANGE);
        }
        let range = ffi::lua_tonumberx(l, 3, std::ptr::null_mut());
        let Some(distance) = between(l) else {
            return error(l, IN_RANGE);
        };
        ffi::lua_pushboolean(l, c_int::from(distance <= range * range));
        1
    }
}

unsafe extern "C-unwind" fn distance(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_gettop(l) != 2 {
            return error(l, DISTANCE);
        }
        let Some(distance) = between(l) else {
            return error(l, DISTANCE);
        };
        ffi::lua_pushnumber(l, distance.sqrt());
        1
    }
}

/// The squared distance of the two entities that are the first arguments.
unsafe fn between(l: *mut ffi::lua_State) -> Option<f64> {
    unsafe {
        if ffi::lua_istable(l, 1) == 0 || ffi::lua_istable(l, 2) == 0 {
            return None;
        }
        ffi::lua_settop(l, 3);
        ffi::lua_pushliteral(l, c"x");
        ffi::lua_pushliteral(l, c"y");
        let ((ax, ay), (bx, by)) = (position(l, 1, 4, 5)?, position(l, 2, 4, 5)?);
        Some((ax - bx) * (ax - bx) + (ay - by) * (ay - by))
    }
}

/// Pushes `{ error = message }`.
unsafe fn error(l: *mut ffi::lua_State, message: &'static CStr) -> c_int {
    unsafe {
        ffi::lua_createtable(l, 0, 1);
        ffi::lua_pushliteral(l, message);
        ffi::lua_setfield(l, -2, c"error".as_ptr());
        1
    }
}
