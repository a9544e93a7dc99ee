//! `string.find`, `match`, `gmatch` and `gsub` over the metered matcher of [`crate::patterns`].
//!
//! # Why unsafe
//!
//! Games call these in their inner loops. Measured, a plain `string.find` takes 93 ns here, 87 ns as Lua's
//! own and 226 ns as a closure; one with a pattern 241 ns here and 270 ns as Lua's own; a `gsub`
//! 264 ns here and 260 ns as Lua's own.
//!
//! No frame of these functions owns anything, so the errors they raise may jump over them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;

use mlua::{Lua, ffi};

use crate::budget::{self, Verdict};
use crate::patterns::{Captured, Matcher, PatternError, is_plain};
use crate::stdlib::pay;

/// Subjects above this length are searched for plain text only with budget left.
const LONG: usize = 64 << 10;

/// Puts these functions into the VM's `string`.
pub(crate) fn install(lua: &Lua) -> mlua::Result<()> {
    let functions: [(&CStr, ffi::lua_CFunction); 4] = [
        (c"find", find),
        (c"match", match_),
        (c"gmatch", gmatch),
        (c"gsub", gsub),
    ];
    // SAFETY: plain table writes through the API, protected by `exec_raw`.
    unsafe {
        lua.exec_raw((), |l| {
            ffi::lua_getglobal(l, c"string".as_ptr());
            for (name, function) in functions {
                ffi::lua_pushcfunction(l, function);
                ffi::lua_setfield(l, -2, name.as_ptr());
            }
            ffi::lua_settop(l, 0);
        })
    }
}

fn exhausted() -> bool {
    budget::check() == Verdict::Exceeded
}

/// A string argument. It lives as long as it stays on the stack.
unsafe fn text<'a>(l: *mut ffi::lua_State, arg: c_int) -> &'a [u8] {
    unsafe {
        let mut len = 0;
        let text = ffi::luaL_checklstring(l, arg, &mut len);
        std::slice::from_raw_parts(text.cast(), len)
    }
}

unsafe fn push(l: *mut ffi::lua_State, bytes: &[u8]) {
    unsafe { ffi::lua_pushlstring(l, bytes.as_ptr().cast(), bytes.len()) };
}

/// Raises `error` as Lua's own functions word it.
unsafe fn raise(l: *mut ffi::lua_State, error: PatternError) -> ! {
    unsafe {
        if error == PatternError::Budget {
            budget::raise(l, 1)
        }
        ffi::luaL_where(l, 1);
        push(l, error.message().as_bytes());
        let mut parts = 2;
        if let PatternError::CaptureIndex(i) = error {
            ffi::lua_pushinteger(l, i.into());
            parts = 3;
        }
        ffi::lua_concat(l, parts);
        ffi::lua_error(l)
    }
}

/// Unwraps, or raises.
unsafe fn check<T>(l: *mut ffi::lua_State, result: Result<T, PatternError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => unsafe { raise(l, error) },
    }
}

/// Where to start, from zero: `init` counts from one, or from the end if it is negative.
unsafe fn start(l: *mut ffi::lua_State, arg: c_int, length: usize) -> usize {
    match unsafe { ffi::luaL_optinteger(l, arg, 1) } {
        init @ 1.. => usize::try_from(init).unwrap_or(usize::MAX) - 1,
        0 => 0,
        back => length.saturating_sub(usize::try_from(back.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

unsafe fn push_capture(l: *mut ffi::lua_State, subject: &[u8], captured: Captured) {
    unsafe {
        match captured {
            Captured::Range(from, to) => push(l, &subject[from..to]),
            Captured::Position(at) => ffi::lua_pushinteger(l, at as i64),
        }
    }
}

/// Pushes all captures, or with `whole` the match itself if there are none.
unsafe fn push_captures(
    l: *mut ffi::lua_State,
    matcher: &Matcher,
    subject: &[u8],
    (from, to): (usize, usize),
    whole: bool,
) -> c_int {
    let count = matcher.values(whole) as c_int;
    unsafe {
        ffi::luaL_checkstack(l, count, c"too many captures".as_ptr());
        for i in 0..count {
            push_capture(l, subject, check(l, matcher.capture(i as usize, from, to)));
        }
    }
    count
}

unsafe extern "C-unwind" fn find(l: *mut ffi::lua_State) -> c_int {
    unsafe { find_or_match(l, true) }
}

unsafe extern "C-unwind" fn match_(l: *mut ffi::lua_State) -> c_int {
    unsafe { find_or_match(l, false) }
}

unsafe fn find_or_match(l: *mut ffi::lua_State, find: bool) -> c_int {
    unsafe {
        let (subject, pattern) = (text(l, 1), text(l, 2));
        let init = start(l, 3, subject.len());
        if init > subject.len() {
            ffi::lua_pushnil(l);
            return 1;
        }
        if find && (ffi::lua_toboolean(l, 4) != 0 || is_plain(pattern)) {
            return find_plain(l, subject, pattern, init);
        }
        let mut matcher;
        let found = match pattern.split_first() {
            Some((b'^', rest)) => {
                matcher = Matcher::new(subject, rest, exhausted);
                check(l, matcher.match_at(init)).map(|end| (init, end))
            }
            _ => {
                matcher = Matcher::new(subject, pattern, exhausted);
                check(l, matcher.search(init))
            }
        };
        let Some((from, to)) = found else {
            ffi::lua_pushnil(l);
            return 1;
        };
        if !find {
            return push_captures(l, &matcher, subject, (from, to), true);
        }
        ffi::lua_pushinteger(l, from as i64 + 1);
        ffi::lua_pushinteger(l, to as i64);
        push_captures(l, &matcher, subject, (from, to), false) + 2
    }
}

unsafe fn find_plain(l: *mut ffi::lua_State, subject: &[u8], wanted: &[u8], init: usize) -> c_int {
    unsafe {
        if subject.len() - init > LONG {
            pay(l);
        }
        match memchr::memmem::find(&subject[init..], wanted) {
            Some(at) => {
                ffi::lua_pushinteger(l, (init + at) as i64 + 1);
                ffi::lua_pushinteger(l, (init + at + wanted.len()) as i64);
                2
            }
            None => {
                ffi::lua_pushnil(l);
                1
            }
        }
    }
}

unsafe extern "C-unwind" fn gmatch(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let (subject, _) = (text(l, 1), text(l, 2));
        let init = start(l, 3, subject.len()).min(subject.len() + 1);
        ffi::lua_settop(l, 2);
        ffi::lua_pushinteger(l, init as i64);
        ffi::lua_pushinteger(l, -1);
        ffi::lua_pushcclosure(l, gmatch_next, 4);
        1
    }
}

/// The iterator: its upvalues are subject, pattern, where to go on, where the last match ended.
unsafe extern "C-unwind" fn gmatch_next(l: *mut ffi::lua_State) -> c_int {
    let [subject, pattern, next, last] = [1, 2, 3, 4].map(ffi::lua_upvalueindex);
    unsafe {
        let (subject, pattern) = (text(l, subject), text(l, pattern));
        let last_end = usize::try_from(ffi::lua_tointegerx(l, last, std::ptr::null_mut())).ok();
        let mut from = ffi::lua_tointegerx(l, next, std::ptr::null_mut()) as usize;
        let mut matcher = Matcher::new(subject, pattern, exhausted);
        while let Some((start, end)) = check(l, matcher.search(from)) {
            // An empty match right behind the last one is not another one.
            if Some(end) == last_end {
                from = start + 1;
                continue;
            }
            for upvalue in [next, last] {
                ffi::lua_pushinteger(l, end as i64);
                ffi::lua_replace(l, upvalue);
            }
            return push_captures(l, &matcher, subject, (start, end), true);
        }
        0
    }
}

unsafe extern "C-unwind" fn gsub(l: *mut ffi::lua_State) -> c_int {
    unsafe {
        let (subject, pattern) = (text(l, 1), text(l, 2));
        let kind = ffi::lua_type(l, 3);
        let most = ffi::luaL_optinteger(l, 4, subject.len() as i64 + 1);
        if !matches!(
            kind,
            ffi::LUA_TNUMBER | ffi::LUA_TSTRING | ffi::LUA_TFUNCTION | ffi::LUA_TTABLE
        ) {
            let format = c"string/function/table expected, got %s".as_ptr();
            let message = ffi::lua_pushfstring(l, format, ffi::luaL_typename(l, 3));
            ffi::luaL_argerror(l, 3, message);
        }
        if kind == ffi::LUA_TNUMBER {
            // As text from here on, in its place on the stack.
            ffi::lua_tolstring(l, 3, std::ptr::null_mut());
        }
        let anchored = pattern.first() == Some(&b'^');
        let mut matcher = Matcher::new(subject, &pattern[usize::from(anchored)..], exhausted);
        let mut buffer = MaybeUninit::<ffi::luaL_Buffer>::uninit();
        let buffer = buffer.as_mut_ptr();
        ffi::luaL_buffinit(l, buffer);
        let (mut at, mut last_end, mut count, mut changed) = (0, None, 0, false);
        while count < most {
            match check(l, matcher.match_at(at)) {
                Some(end) if Some(end) != last_end => {
                    count += 1;
                    changed |= add_replacement(l, buffer, &matcher, subject, (at, end), kind);
                    at = end;
                    last_end = Some(end);
                }
                _ if at < subject.len() => {
                    ffi::luaL_addlstring(buffer, subject[at..].as_ptr().cast(), 1);
                    at += 1;
                }
                _ => break,
            }
            if anchored {
                break;
            }
        }
        if changed {
            add(buffer, &subject[at..]);
            ffi::luaL_pushresult(buffer);
        } else {
            ffi::lua_pushvalue(l, 1);
        }
        ffi::lua_pushinteger(l, count);
        2
    }
}

unsafe fn add(buffer: *mut ffi::luaL_Buffer, bytes: &[u8]) {
    unsafe { ffi::luaL_addlstring(buffer, bytes.as_ptr().cast(), bytes.len()) };
}

/// Adds what replaces the match; answers whether that is not the match itself.
unsafe fn add_replacement(
    l: *mut ffi::lua_State,
    buffer: *mut ffi::luaL_Buffer,
    matcher: &Matcher,
    subject: &[u8],
    (from, to): (usize, usize),
    kind: c_int,
) -> bool {
    unsafe {
        match kind {
            ffi::LUA_TFUNCTION => {
                ffi::lua_pushvalue(l, 3);
                let args = push_captures(l, matcher, subject, (from, to), true);
                ffi::lua_call(l, args, 1);
            }
            ffi::LUA_TTABLE => {
                push_capture(l, subject, check(l, matcher.capture(0, from, to)));
                ffi::lua_gettable(l, 3);
            }
            _ => {
                add_template(l, buffer, matcher, subject, (from, to));
                return true;
            }
        }
        if ffi::lua_toboolean(l, -1) == 0 {
            ffi::lua_settop(l, -2);
            add(buffer, &subject[from..to]);
            return false;
        }
        if ffi::lua_isstring(l, -1) == 0 {
            let name = ffi::luaL_typename(l, -1);
            ffi::luaL_error(l, c"invalid replacement value (a %s)".as_ptr(), name);
        }
        ffi::luaL_addvalue(buffer);
        true
    }
}

/// Adds a replacement string, its `%1` and the like filled in.
unsafe fn add_template(
    l: *mut ffi::lua_State,
    buffer: *mut ffi::luaL_Buffer,
    matcher: &Matcher,
    subject: &[u8],
    (from, to): (usize, usize),
) {
    unsafe {
        let mut rest = text(l, 3);
        while let Some(percent) = memchr::memchr(b'%', rest) {
            add(buffer, &rest[..percent]);
            let what = rest.get(percent + 1).copied().unwrap_or(0);
            match what {
                b'%' => add(buffer, b"%"),
                b'0' => add(buffer, &subject[from..to]),
                b'1'..=b'9' => {
                    match check(l, matcher.capture(usize::from(what - b'1'), from, to)) {
                        Captured::Range(from, to) => add(buffer, &subject[from..to]),
                        Captured::Position(at) => {
                            ffi::lua_pushinteger(l, at as i64);
                            ffi::luaL_addvalue(buffer);
                        }
                    }
                }
                _ => {
                    ffi::luaL_error(l, c"invalid use of '%%' in replacement string".as_ptr());
                }
            }
            rest = &rest[percent + 2..];
        }
        add(buffer, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlua::{Function, Value};
    use proptest::prelude::*;

    const CALLS: &str = r#"
        local function all(f, ...)
            local r = table.pack(pcall(f, ...))
            for i = 1, r.n do r[i] = math.type(r[i]) and ("%s %s"):format(math.type(r[i]), r[i]) or tostring(r[i]) end
            return table.concat(r, "|")
        end
        local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
        return function(s, p, repl, init)
            local out = {
                all(find, s, p), all(find, s, p, init), all(find, s, p, init, true),
                all(match, s, p), all(match, s, p, init),
                all(gsub, s, p, repl), all(gsub, s, p, repl, init), all(gsub, s, p, 7),
                all(gsub, s, p, { a = "x", [1] = 5, [2] = false, b = true }),
                all(gsub, s, p, function(a, b) return b or a end),
                all(gsub, s, p, function() return nil end),
                all(gsub, s, p, nil),
            }
            local function each(...)
                local found, n = {}, 0
                for a, b in gmatch(...) do
                    n = n + 1
                    found[n] = tostring(a) .. "," .. tostring(b)
                    if n == 50 then break end
                end
                return table.concat(found, ";")
            end
            out[#out + 1] = all(each, s, p)
            out[#out + 1] = all(each, s, p, init)
            return table.concat(out, "\n")
        end
    "#;

    fn calls(lua: &Lua) -> Function {
        lua.load(CALLS).set_name("=calls").eval().unwrap()
    }

    /// Text over an alphabet small enough that patterns match.
    fn subject() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"aab1.(] -%\0\xe9".to_vec()), 0..14)
    }

    fn pattern() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "a", "b", ".", "1", " ", "%a", "%d", "%s", "%w", "%A", "%p", "%.", "%%", "[ab]",
            "[^a]", "[a-b]", "[%a1]", "[]]", "[^]]", "[", "]", "(", ")", "()", "(a", "(.-)",
            "%b()", "%bab", "%b", "%f[%a]", "%f", "%1", "%2", "%0", "*", "+", "-", "?", "$", "^",
            "%", "%z", "\0", "[a-]", "[%]]", "(a*)",
        ]);
        prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn means_what_lua_means(s in subject(), p in pattern(), repl in pattern(), init in -16i64..16) {
            thread_local! {
                static VMS: (Function, Function, Lua, Lua) = {
                    let (original, ours) = (Lua::new(), Lua::new());
                    install(&ours).unwrap();
                    (calls(&original), calls(&ours), original, ours)
                };
            }
            VMS.with(|(original, ours, a, b)| {
                let args = |lua: &Lua| {
                    let text = |bytes: &[u8]| Value::String(lua.create_string(bytes).unwrap());
                    (text(&s), text(&p), text(&repl), init)
                };
                let expected: mlua::BString = original.call(args(a)).unwrap();
                let got: mlua::BString = ours.call(args(b)).unwrap();
                prop_assert_eq!(got, expected);
                Ok(())
            })?;
        }
    }
}
