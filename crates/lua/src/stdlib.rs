//! The standard library's functions that would not keep to a budget, or mean something else in
//! Asobi, replaced.
//!
//! C functions run without hooks. Most are over in an instant; those that walk as far as they
//! are told (`table.move({}, 1, 1e9, 2)`), or as far as a `__len` claims, get a limit, and those
//! that are linear in a string ask the meter before they touch a long one. Pattern matching has
//! its own module, [`crate::strings`].
//!
//! # Why unsafe
//!
//! These are the most called functions of any game. Measured, an appending `table.insert` takes
//! 25 ns here, 33 ns as Lua's own and 260 ns as an mlua closure around Lua's own. No frame
//! of these functions owns anything, so the errors they raise may jump over them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::rc::Rc;
use std::sync::OnceLock;

use mlua::{Lua, ffi};

use crate::budget::{self, Verdict};
use crate::random::Random;

/// Most elements one call may move, shift, join or sort.
const MAX_RANGE: i64 = 1_000_000;
/// Elements above which a call asks the meter first.
const MANY: i64 = 1_000;
/// Bytes above which a string function asks the meter first.
const LONG: usize = 64 << 10;

type CFunction = ffi::lua_CFunction;

/// Replaces what has to be replaced. `random` must outlive the VM.
pub(crate) fn install(lua: &Lua, random: &Rc<Random>) -> mlua::Result<()> {
    let random = Rc::as_ptr(random);
    // SAFETY: plain table writes through the API, protected by `exec_raw`; the pointer outlives
    // the VM by this function's contract.
    unsafe {
        lua.exec_raw((), |l| {
            ffi::lua_pushglobaltable(l);
            own(l, c"setmetatable", &SETMETATABLE, setmetatable);
            own(l, c"tonumber", &TONUMBER, tonumber);

            ffi::lua_getfield(l, 1, c"math".as_ptr());
            for (name, function) in [
                (c"random", math_random as CFunction),
                (c"randomseed", math_randomseed),
            ] {
                ffi::lua_pushlightuserdata(l, random.cast_mut().cast());
                ffi::lua_pushcclosure(l, function, 1);
                ffi::lua_setfield(l, -2, name.as_ptr());
            }
            ffi::lua_pushcfunction(l, math_sqrt);
            ffi::lua_setfield(l, -2, c"sqrt".as_ptr());

            ffi::lua_getfield(l, 1, c"table".as_ptr());
            own(l, c"insert", &INSERT, table_insert);
            own(l, c"remove", &REMOVE, table_remove);
            own(l, c"move", &MOVE, table_move);
            own(l, c"concat", &CONCAT, table_concat);
            own(l, c"unpack", &UNPACK, table_unpack);
            own(l, c"sort", &SORT, table_sort);

            ffi::lua_getfield(l, 1, c"string".as_ptr());
            own(l, c"rep", &REP, string_rep);
            for (name, original, guarded) in LINEAR {
                own(l, name, original, *guarded);
            }
            ffi::lua_getfield(l, 1, c"os".as_ptr());
            own(l, c"date", &DATE, os_date);
            ffi::lua_getfield(l, 1, c"utf8".as_ptr());
            for (name, original, guarded) in LINEAR_UTF8 {
                own(l, name, original, *guarded);
            }
            ffi::lua_settop(l, 0);
        })
    }
}

/// Puts `replacement` over the function `name` of the table on top and keeps the address of
/// Lua's own, which is the same in every VM of the process.
unsafe fn own(
    l: *mut ffi::lua_State,
    name: &CStr,
    original: &OnceLock<CFunction>,
    replacement: CFunction,
) {
    unsafe {
        ffi::lua_getfield(l, -1, name.as_ptr());
        let function = ffi::lua_tocfunction(l, -1);
        ffi::lua_pop(l, 1);
        original.get_or_init(|| function.expect("the library function exists"));
        ffi::lua_pushcfunction(l, replacement);
        ffi::lua_setfield(l, -2, name.as_ptr());
    }
}

macro_rules! originals {
    ($($name:ident)*) => { $(static $name: OnceLock<CFunction> = OnceLock::new();)* };
}
originals! { SETMETATABLE TONUMBER INSERT REMOVE MOVE CONCAT UNPACK SORT REP DATE }

/// Calls Lua's own function in this very frame.
unsafe fn original(l: *mut ffi::lua_State, function: &OnceLock<CFunction>) -> c_int {
    let function = function
        .get()
        .expect("set when the replacement was installed");
    unsafe { function(l) }
}

/// Raises if the callback is out of budget.
///
/// # Safety
/// Called from a C function whose frames own nothing.
pub(crate) unsafe fn pay(l: *mut ffi::lua_State) {
    if budget::check() == Verdict::Exceeded {
        unsafe { budget::raise(l, 1) }
    }
}

/// Refuses an absurd amount of work, and asks the meter before a large one.
unsafe fn charge(l: *mut ffi::lua_State, elements: i64) {
    unsafe {
        if elements > MAX_RANGE {
            ffi::luaL_error(l, c"too many elements (more than 1000000 at once)".as_ptr());
        }
        if elements > MANY {
            pay(l);
        }
    }
}

// --- metatables ---------------------------------------------------------------------------

/// A finalizer runs when the collector likes, with hooks off: an endless loop there could never
/// be stopped.
unsafe extern "C-unwind" fn setmetatable(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_istable(l, 2) != 0 {
            ffi::lua_pushliteral(l, c"__gc");
            if ffi::lua_rawget(l, 2) != ffi::LUA_TNIL {
                ffi::luaL_error(l, c"a metatable may not have '__gc'".as_ptr());
            }
            ffi::lua_pop(l, 1);
        }
        original(l, &SETMETATABLE)
    }
}

// --- math ---------------------------------------------------------------------------------

unsafe fn random_of(l: *mut ffi::lua_State) -> &'static Random {
    unsafe { &*ffi::lua_touserdata(l, ffi::lua_upvalueindex(1)).cast::<Random>() }
}

/// A bound of `math.random`: any number, truncated towards zero.
unsafe fn bound(l: *mut ffi::lua_State, arg: c_int) -> i64 {
    unsafe {
        let mut is_integer = 0;
        let integer = ffi::lua_tointegerx(l, arg, &mut is_integer);
        if is_integer != 0 {
            integer
        } else {
            ffi::luaL_checknumber(l, arg) as i64
        }
    }
}

unsafe extern "C-unwind" fn math_random(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let random = random_of(l);
        let args = ffi::lua_gettop(l);
        if args == 0 {
            ffi::lua_pushnumber(l, random.float());
            return 1;
        }
        let (low, high) = if args == 1 {
            (1, bound(l, 1))
        } else {
            (bound(l, 1), bound(l, 2))
        };
        if low > high {
            ffi::luaL_argerror(l, args.min(2), c"interval is empty".as_ptr());
        }
        ffi::lua_pushinteger(l, random.between(low, high));
        1
    }
}

unsafe extern "C-unwind" fn math_randomseed(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        // Without a seed Lua takes one from the clock; a match keeps its own.
        if ffi::lua_isnoneornil(l, 1) == 0 {
            random_of(l).reseed(ffi::luaL_checknumber(l, 1).to_bits());
        }
        0
    }
}

unsafe extern "C-unwind" fn math_sqrt(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let x = ffi::luaL_checknumber(l, 1);
        ffi::lua_pushnumber(l, if x < 0.0 { 0.0 } else { x.sqrt() });
        1
    }
}

// --- table --------------------------------------------------------------------------------

/// Whether the first argument is a table whose length is what its `__len` says. Asked twice,
/// that function may say two things, so these tables are not handed to Lua's own functions.
unsafe fn claims_length(l: *mut ffi::lua_State) -> bool {
    unsafe {
        if ffi::lua_getmetatable(l, 1) == 0 {
            return false;
        }
        ffi::lua_pushliteral(l, c"__len");
        let claims = ffi::lua_rawget(l, -2) != ffi::LUA_TNIL;
        ffi::lua_pop(l, 2);
        claims && ffi::lua_istable(l, 1) != 0
    }
}

unsafe extern "C-unwind" fn table_insert(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let args = ffi::lua_gettop(l);
        if ffi::lua_istable(l, 1) == 0 || !(2..=3).contains(&args) {
            return original(l, &INSERT);
        }
        if ffi::lua_getmetatable(l, 1) == 0 {
            let length = ffi::lua_rawlen(l, 1) as i64;
            if args == 2 {
                ffi::lua_rawseti(l, 1, length + 1);
                return 0;
            }
            charge(l, length.saturating_sub(ffi::lua_tointegerx(l, 2, &mut 0)));
            return original(l, &INSERT);
        }
        ffi::lua_settop(l, args);
        if claims_length(l) {
            return slow_insert(l);
        }
        if args == 3 {
            let length = ffi::lua_rawlen(l, 1) as i64;
            charge(l, length.saturating_sub(ffi::lua_tointegerx(l, 2, &mut 0)));
        }
        original(l, &INSERT)
    }
}

unsafe fn slow_insert(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let end = ffi::luaL_len(l, 1).wrapping_add(1);
        let mut position = end;
        if ffi::lua_gettop(l) == 3 {
            position = ffi::luaL_checkinteger(l, 2);
            if (position as u64).wrapping_sub(1) >= end as u64 {
                ffi::luaL_argerror(l, 2, c"position out of bounds".as_ptr());
            }
            charge(l, end.saturating_sub(position));
            for i in (position + 1..=end).rev() {
                ffi::lua_geti(l, 1, i - 1);
                ffi::lua_seti(l, 1, i);
            }
        }
        ffi::lua_seti(l, 1, position);
        0
    }
}

unsafe extern "C-unwind" fn table_remove(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_istable(l, 1) == 0 {
            return original(l, &REMOVE);
        }
        if claims_length(l) {
            return slow_remove(l);
        }
        if ffi::lua_isnoneornil(l, 2) == 0 {
            charge(
                l,
                (ffi::lua_rawlen(l, 1) as i64).saturating_sub(ffi::lua_tointegerx(l, 2, &mut 0)),
            );
        }
        original(l, &REMOVE)
    }
}

unsafe fn slow_remove(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let size = ffi::luaL_len(l, 1);
        let position = ffi::luaL_optinteger(l, 2, size);
        if position != size && (position as u64).wrapping_sub(1) > size as u64 {
            ffi::luaL_argerror(l, 2, c"position out of bounds".as_ptr());
        }
        charge(l, size.saturating_sub(position));
        ffi::lua_geti(l, 1, position);
        for i in position..size {
            ffi::lua_geti(l, 1, i + 1);
            ffi::lua_seti(l, 1, i);
        }
        ffi::lua_pushnil(l);
        ffi::lua_seti(l, 1, position.max(size));
        1
    }
}

unsafe extern "C-unwind" fn table_move(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let (first, last) = (ffi::luaL_checkinteger(l, 2), ffi::luaL_checkinteger(l, 3));
        charge(l, last.saturating_sub(first));
        original(l, &MOVE)
    }
}

/// Replaces an absent last index by the length, asked for once.
unsafe fn settle_last(l: *mut ffi::lua_State, arg: c_int) -> i64 {
    unsafe {
        if ffi::lua_isnoneornil(l, arg) == 0 {
            return ffi::luaL_checkinteger(l, arg);
        }
        let length = ffi::luaL_len(l, 1);
        ffi::lua_settop(l, arg - 1);
        ffi::lua_pushinteger(l, length);
        length
    }
}

unsafe extern "C-unwind" fn table_concat(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_istable(l, 1) != 0 {
            let first = ffi::luaL_optinteger(l, 3, 1);
            let last = settle_last(l, 4);
            charge(l, last.saturating_sub(first));
        }
        original(l, &CONCAT)
    }
}

unsafe extern "C-unwind" fn table_unpack(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_istable(l, 1) != 0 {
            let first = ffi::luaL_optinteger(l, 2, 1);
            let last = settle_last(l, 3);
            charge(l, last.saturating_sub(first));
        }
        original(l, &UNPACK)
    }
}

/// Sorting compares `n log n` times without a hook when the comparison is a C function or none
/// at all, so above [`MANY`] elements such a comparison is wrapped in one that asks the meter.
unsafe extern "C-unwind" fn table_sort(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_istable(l, 1) == 0 {
            return original(l, &SORT);
        }
        if claims_length(l) {
            ffi::luaL_argerror(
                l,
                1,
                c"cannot sort a table with a '__len' metamethod".as_ptr(),
            );
        }
        let length = ffi::lua_rawlen(l, 1) as i64;
        charge(l, length);
        let lua_comparison = ffi::lua_isfunction(l, 2) != 0 && ffi::lua_iscfunction(l, 2) == 0;
        if length > MANY && !lua_comparison {
            ffi::lua_settop(l, 2);
            ffi::lua_pushcclosure(l, metered_less, 1);
        }
        original(l, &SORT)
    }
}

unsafe extern "C-unwind" fn metered_less(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        pay(l);
        let less = if ffi::lua_isnil(l, ffi::lua_upvalueindex(1)) != 0 {
            ffi::lua_compare(l, 1, 2, ffi::LUA_OPLT)
        } else {
            ffi::lua_pushvalue(l, ffi::lua_upvalueindex(1));
            ffi::lua_insert(l, 1);
            ffi::lua_call(l, 2, 1);
            ffi::lua_toboolean(l, -1)
        };
        ffi::lua_pushboolean(l, less);
        1
    }
}

// --- string -------------------------------------------------------------------------------

unsafe extern "C-unwind" fn string_rep(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let (mut len, mut separator) = (0, 0);
        ffi::luaL_checklstring(l, 1, &mut len);
        let times = ffi::luaL_checkinteger(l, 2);
        ffi::luaL_optlstring(l, 3, c"".as_ptr(), &mut separator);
        if len + separator == 0 {
            // Lua's own loops `times` times over nothing.
            ffi::lua_pushliteral(l, c"");
            return 1;
        }
        if (times.max(0) as u64).saturating_mul((len + separator) as u64) > LONG as u64 {
            budget::note_place(l, 1);
            pay(l);
        }
        original(l, &REP)
    }
}

macro_rules! linear {
    ($table:ident: $($function:ident $static:ident $name:literal),* $(,)?) => {
        originals! { $($static)* }
        $(
            unsafe extern "C-unwind" fn $function(l: *mut ffi::lua_State) -> c_int {
                unsafe {
                    if ffi::lua_type(l, 1) == ffi::LUA_TSTRING && ffi::lua_rawlen(l, 1) > LONG {
                        pay(l);
                    }
                    original(l, &$static)
                }
            }
        )*
        static $table: &[(&CStr, &OnceLock<CFunction>, CFunction)] = &[$(($name, &$static, $function)),*];
    };
}

linear! { LINEAR:
    upper UPPER c"upper", lower LOWER c"lower", reverse REVERSE c"reverse", sub SUB c"sub",
    byte BYTE c"byte", format FORMAT c"format", pack PACK c"pack", unpack_string UNPACK_STRING c"unpack",
}
linear! { LINEAR_UTF8:
    utf8_len UTF8_LEN c"len", utf8_codepoint UTF8_CODEPOINT c"codepoint", utf8_offset UTF8_OFFSET c"offset",
}

/// Every conversion of a date costs about a microsecond.
unsafe extern "C-unwind" fn os_date(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_type(l, 1) == ffi::LUA_TSTRING && ffi::lua_rawlen(l, 1) > 1000 {
            ffi::luaL_argerror(l, 1, c"format too long".as_ptr());
        }
        original(l, &DATE)
    }
}

unsafe extern "C-unwind" fn tonumber(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        if ffi::lua_type(l, 1) == ffi::LUA_TSTRING && ffi::lua_rawlen(l, 1) > LONG {
            pay(l);
        }
        original(l, &TONUMBER)
    }
}
