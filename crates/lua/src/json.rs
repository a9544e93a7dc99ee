//! From a Lua value to JSON text, straight off the Lua stack.
//!
//! What becomes what:
//!
//! | Lua | JSON |
//! | --- | --- |
//! | table with exactly the keys 1..n | array |
//! | any other table | object; number keys as decimal text, other keys than strings, numbers and booleans are skipped |
//! | empty table | `[]`, or `{}` at the top and where [`Shape::empty_object`] says so |
//! | integer 5, float 5.0 | `5`, `5.0` |
//! | NaN, infinities | `null` |
//! | string | string, bytes that are not UTF-8 as U+FFFD |
//! | function, userdata, coroutine | `null` |
//! | anything more than 64 tables deep | `"too_deep"` |
//!
//! Metatables are ignored: what is encoded is what is in the tables. Keys come in `next`'s order.
//!
//! # Why unsafe
//!
//! This is the hottest loop of the server: every match encodes its state at every tick.
//! A state of 4.5 KB takes 16 us (20 players and 30 shots, `cargo test --release -p asobi-lua --
//! --ignored --nocapture measure`); serde_json over mlua's own `Serialize` takes 52 us for it,
//! and 104 us by way of a `serde_json::Value`. Walking the tables through mlua's safe API takes
//! 43 us without writing anything.
//!
//! The walker calls only functions of the Lua API that neither raise nor allocate, holds nothing
//! that needs dropping across them, and is bounded in depth and in output.
#![allow(unsafe_code)]

use std::ffi::c_int;

use mlua::{IntoLua, Lua, ffi};

/// Tables inside each other before the rest is cut off.
pub(crate) const MAX_DEPTH: usize = 64;

/// How a value is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Most bytes of text.
    pub(crate) limit: usize,
    /// Whether empty tables below the top are objects.
    pub(crate) empty_object: bool,
}

/// Why a value has no JSON text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("more than {0} bytes of JSON")]
    TooLarge(usize),
    #[error(transparent)]
    Lua(#[from] mlua::Error),
}

/// Appends `value` to `out`. On an error `out` is as it was.
pub(crate) fn encode(
    lua: &Lua,
    value: impl IntoLua,
    shape: Shape,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    let start = out.len();
    let mut writer = Writer {
        out,
        end: start.saturating_add(shape.limit),
        empty_object: shape.empty_object,
    };
    let mut fits = false;
    let (w, f) = (&mut writer, &mut fits);
    // SAFETY: see the module's text; the closure captures references only.
    let done: mlua::Result<()> = unsafe {
        lua.exec_raw(value.into_lua(lua)?, |l| {
            *f = w.value(l, 0) && w.out.len() <= w.end;
            ffi::lua_settop(l, 0);
        })
    };
    if let Err(error) = done {
        out.truncate(start);
        return Err(error.into());
    }
    if !fits {
        out.truncate(start);
        return Err(JsonError::TooLarge(shape.limit));
    }
    Ok(())
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Length of `out` past which it is too much.
    end: usize,
    empty_object: bool,
}

impl Writer<'_> {
    /// Writes the value on top of the stack and leaves it there. `false` once it is too much.
    unsafe fn value(&mut self, l: *mut ffi::lua_State, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            self.out.extend_from_slice(b"\"too_deep\"");
            return self.out.len() <= self.end;
        }
        unsafe {
            match ffi::lua_type(l, -1) {
                ffi::LUA_TTABLE => return self.table(l, depth),
                ffi::LUA_TSTRING => self.string(text_at(l, -1)),
                ffi::LUA_TNUMBER => self.number(l, -1),
                ffi::LUA_TBOOLEAN if ffi::lua_toboolean(l, -1) != 0 => {
                    self.out.extend_from_slice(b"true")
                }
                ffi::LUA_TBOOLEAN => self.out.extend_from_slice(b"false"),
                _ => self.out.extend_from_slice(b"null"),
            }
        }
        self.out.len() <= self.end
    }

    unsafe fn table(&mut self, l: *mut ffi::lua_State, depth: usize) -> bool {
        unsafe {
            if ffi::lua_checkstack(l, 4) == 0 {
                return false;
            }
            let table = ffi::lua_gettop(l);
            ffi::lua_pushnil(l);
            if ffi::lua_next(l, table) == 0 {
                let object = depth == 0 || self.empty_object;
                self.out
                    .extend_from_slice(if object { b"{}" } else { b"[]" });
                return true;
            }
            // Its first pair is on the stack.
            if ffi::lua_isinteger(l, -2) == 0 {
                return self.object(l, table, depth);
            }
            self.numbered(l, table, depth)
        }
    }

    /// A table with some integer keys: an array if they are 1..n and all there is, in whatever
    /// order Lua keeps them, or else an object. Which is settled before anything is written:
    /// writing elements twice at each level would be exponential in the depth.
    unsafe fn numbered(&mut self, l: *mut ffi::lua_State, table: c_int, depth: usize) -> bool {
        unsafe {
            ffi::lua_settop(l, table);
            let length = ffi::lua_rawlen(l, table) as i64;
            let mut count = 0;
            ffi::lua_pushnil(l);
            while ffi::lua_next(l, table) != 0 {
                ffi::lua_settop(l, table + 1);
                let inside = ffi::lua_isinteger(l, -1) != 0
                    && (1..=length).contains(&ffi::lua_tointegerx(l, -1, std::ptr::null_mut()));
                if !inside {
                    ffi::lua_settop(l, table);
                    ffi::lua_pushnil(l);
                    ffi::lua_next(l, table);
                    return self.object(l, table, depth);
                }
                count += 1;
            }
            if count != length {
                ffi::lua_pushnil(l);
                ffi::lua_next(l, table);
                return self.object(l, table, depth);
            }
            self.out.push(b'[');
            for i in 1..=length {
                if i > 1 {
                    self.out.push(b',');
                }
                ffi::lua_rawgeti(l, table, i);
                if !self.value(l, depth + 1) {
                    return false;
                }
                ffi::lua_settop(l, table);
            }
            self.out.push(b']');
            true
        }
    }

    /// A table as an object; its first pair is on the stack.
    unsafe fn object(&mut self, l: *mut ffi::lua_State, table: c_int, depth: usize) -> bool {
        self.out.push(b'{');
        let empty = self.out.len();
        unsafe {
            loop {
                let before = self.out.len();
                if before > empty {
                    self.out.push(b',');
                }
                if self.key(l) {
                    self.out.push(b':');
                    if !self.value(l, depth + 1) {
                        return false;
                    }
                } else {
                    self.out.truncate(before);
                }
                ffi::lua_settop(l, table + 1);
                if ffi::lua_next(l, table) == 0 {
                    break;
                }
            }
        }
        self.out.push(b'}');
        true
    }

    /// Writes the key below the top, if it is one JSON can have.
    unsafe fn key(&mut self, l: *mut ffi::lua_State) -> bool {
        unsafe {
            match ffi::lua_type(l, -2) {
                ffi::LUA_TSTRING => self.string(text_at(l, -2)),
                ffi::LUA_TNUMBER => {
                    self.out.push(b'"');
                    self.number(l, -2);
                    self.out.push(b'"');
                }
                ffi::LUA_TBOOLEAN if ffi::lua_toboolean(l, -2) != 0 => {
                    self.out.extend_from_slice(b"\"true\"")
                }
                ffi::LUA_TBOOLEAN => self.out.extend_from_slice(b"\"false\""),
                _ => return false,
            }
        }
        true
    }

    unsafe fn number(&mut self, l: *mut ffi::lua_State, index: c_int) {
        unsafe {
            if ffi::lua_isinteger(l, index) != 0 {
                let integer = ffi::lua_tointegerx(l, index, std::ptr::null_mut());
                self.out
                    .extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
                return;
            }
            let float = ffi::lua_tonumberx(l, index, std::ptr::null_mut());
            if float.is_finite() {
                self.out
                    .extend_from_slice(zmij::Buffer::new().format_finite(float).as_bytes());
            } else {
                self.out.extend_from_slice(b"null");
            }
        }
    }

    fn string(&mut self, text: &[u8]) {
        if text.len() > self.end {
            // Too much whatever else there is; do not copy it first.
            self.out.push(b'"');
            self.end = 0;
            return;
        }
        self.out.push(b'"');
        let mut rest = text;
        loop {
            let plain = rest
                .iter()
                .position(|&b| !PLAIN[b as usize])
                .unwrap_or(rest.len());
            self.out.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
            match rest.first() {
                None => break,
                Some(&byte) if byte < 0x80 => {
                    self.escape(byte);
                    rest = &rest[1..];
                }
                Some(_) => rest = self.unicode(rest),
            }
        }
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => {
                let hex = |n: u8| b"0123456789abcdef"[n as usize];
                self.out.extend_from_slice(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    hex(byte >> 4),
                    hex(byte & 15),
                ]);
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    /// Writes the run of bytes beyond ASCII at the start of `text` and answers what follows it.
    fn unicode<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let run = text.iter().position(|&b| b < 0x80).unwrap_or(text.len());
        for chunk in text[..run].utf8_chunks() {
            self.out.extend_from_slice(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        &text[run..]
    }
}

/// Bytes a JSON string holds as they are, multi-byte characters aside.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x80 {
        plain[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    plain
};

/// The bytes of the string at `index`, valid while it stays on the stack.
unsafe fn text_at<'a>(l: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    unsafe {
        let mut len = 0;
        let text = ffi::lua_tolstring(l, index, &mut len);
        std::slice::from_raw_parts(text.cast(), len)
    }
}

/// What is directly in a table, as a number: two calls that return one table with other entries
/// are told apart by it. Entries of tables inside it do not count.
pub(crate) fn fingerprint(lua: &Lua, table: &mlua::Table) -> mlua::Result<u64> {
    let mut print = 0u64;
    let p = &mut print;
    // SAFETY: see the module's text; the closure captures a reference only.
    unsafe {
        lua.exec_raw::<()>(table, |l| {
            ffi::lua_pushnil(l);
            while ffi::lua_next(l, 1) != 0 {
                let pair = bits(l, -2).rotate_left(32) ^ bits(l, -1);
                // Order does not matter and must not cancel out.
                *p = p.wrapping_add(pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (pair >> 29));
                ffi::lua_settop(l, 2);
            }
            ffi::lua_settop(l, 0);
        })?;
    }
    Ok(print)
}

/// A value's identity: its bits, or its address.
unsafe fn bits(l: *mut ffi::lua_State, index: c_int) -> u64 {
    unsafe {
        match ffi::lua_type(l, index) {
            ffi::LUA_TNUMBER if ffi::lua_isinteger(l, index) != 0 => {
                ffi::lua_tointegerx(l, index, std::ptr::null_mut()) as u64
            }
            ffi::LUA_TNUMBER => ffi::lua_tonumberx(l, index, std::ptr::null_mut()).to_bits() ^ 1,
            ffi::LUA_TBOOLEAN => 2 + ffi::lua_toboolean(l, index) as u64,
            _ => ffi::lua_topointer(l, index) as u64,
        }
    }
}
