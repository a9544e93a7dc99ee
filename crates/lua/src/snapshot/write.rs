//! Writing.
#![allow(unsafe_code)]

use std::ffi::c_int;

use mlua::{IntoLua, Lua, Table, ffi};

use super::*;
use crate::ptrmap::PtrMap;

/// Scratch memory of [`encode`], kept to be reused.
#[derive(Default)]
pub(crate) struct Seen {
    /// Where each table was written.
    tables: PtrMap,
    /// The number of each anchor.
    anchors: PtrMap,
}

/// Appends `value` to `out`, whose back references count from its start.
pub(crate) fn encode(
    lua: &Lua,
    value: impl IntoLua,
    anchors: Option<&Table>,
    limit: usize,
    seen: &mut Seen,
    out: &mut Vec<u8>,
) -> Result<(), SnapshotError> {
    let start = out.len();
    seen.tables.clear();
    seen.anchors.clear();
    let mut writer = Writer {
        start,
        end: start.saturating_add(limit),
        out,
        seen,
        anchored: 0,
        anchoring: anchors.is_some(),
        error: None,
    };
    let w = &mut writer;
    // SAFETY: see the module's text; the closure captures references only.
    let done: mlua::Result<()> = unsafe {
        lua.exec_raw((anchors, value.into_lua(lua)?), |l| {
            w.value(l, 0);
            ffi::lua_settop(l, 0);
        })
    };
    let error = writer.error.take();
    match (done, error) {
        (Ok(()), None) => Ok(()),
        (Err(e), _) => {
            out.truncate(start);
            Err(e.into())
        }
        (_, Some(Stop::TooLarge)) => {
            out.truncate(start);
            Err(SnapshotError::TooLarge(limit))
        }
        (_, Some(Stop::TooDeep)) => {
            out.truncate(start);
            Err(SnapshotError::TooDeep)
        }
    }
}

enum Stop {
    TooLarge,
    TooDeep,
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    end: usize,
    seen: &'a mut Seen,
    anchored: i64,
    anchoring: bool,
    error: Option<Stop>,
}

impl Writer<'_> {
    /// Writes the value on top of the stack and leaves it there.
    unsafe fn value(&mut self, l: *mut ffi::lua_State, depth: usize) -> bool {
        unsafe {
            match ffi::lua_type(l, -1) {
                ffi::LUA_TTABLE => return self.table(l, depth),
                ffi::LUA_TFUNCTION
                | ffi::LUA_TUSERDATA
                | ffi::LUA_TTHREAD
                | ffi::LUA_TLIGHTUSERDATA
                    if self.anchoring =>
                {
                    self.out.push(ANCHOR);
                    ffi::lua_pushvalue(l, -1);
                    let n = self.anchor(l);
                    put_varint(self.out, n);
                }
                _ => self.scalar(l, -1),
            }
        }
        self.check()
    }

    fn check(&mut self) -> bool {
        if self.out.len() > self.end {
            self.error = Some(Stop::TooLarge);
        }
        self.error.is_none()
    }

    unsafe fn scalar(&mut self, l: *mut ffi::lua_State, index: c_int) {
        unsafe {
            match ffi::lua_type(l, index) {
                ffi::LUA_TBOOLEAN => put_bool(self.out, ffi::lua_toboolean(l, index) != 0),
                ffi::LUA_TNUMBER if ffi::lua_isinteger(l, index) != 0 => {
                    put_int(
                        self.out,
                        ffi::lua_tointegerx(l, index, std::ptr::null_mut()),
                    );
                }
                ffi::LUA_TNUMBER => {
                    put_float(self.out, ffi::lua_tonumberx(l, index, std::ptr::null_mut()))
                }
                ffi::LUA_TSTRING => {
                    let mut len = 0;
                    let text = ffi::lua_tolstring(l, index, &mut len);
                    if len > self.end {
                        self.error = Some(Stop::TooLarge);
                        return;
                    }
                    put_string(self.out, std::slice::from_raw_parts(text.cast(), len));
                }
                _ => self.out.push(NIL),
            }
        }
    }

    /// Pops a value into the anchors, if it is not there yet, and answers its number.
    unsafe fn anchor(&mut self, l: *mut ffi::lua_State) -> u64 {
        unsafe {
            let address = ffi::lua_topointer(l, -1);
            if let Some(n) = self
                .seen
                .anchors
                .insert(address, self.anchored as usize + 1)
            {
                ffi::lua_settop(l, -2);
                return n as u64;
            }
            self.anchored += 1;
            ffi::lua_rawseti(l, ANCHORS, self.anchored);
        }
        self.anchored as u64
    }

    unsafe fn table(&mut self, l: *mut ffi::lua_State, depth: usize) -> bool {
        unsafe {
            let here = self.out.len() - self.start;
            if let Some(offset) = self.seen.tables.insert(ffi::lua_topointer(l, -1), here) {
                self.out[self.start + offset] |= SHARED;
                self.out.push(BACK);
                put_varint(self.out, offset as u64);
                return self.check();
            }
            if depth >= MAX_DEPTH || ffi::lua_checkstack(l, 6) == 0 {
                self.error = Some(Stop::TooDeep);
                return false;
            }
            self.out.push(TABLE);
            if self.anchoring && ffi::lua_getmetatable(l, -1) != 0 {
                *self.out.last_mut().expect("just pushed") |= WITH_META;
                let n = self.anchor(l);
                put_varint(self.out, n);
            }
            let counts = self.out.len();
            self.out.extend_from_slice(&[0; 8]);
            let Some((elements, pairs)) = self.content(l, depth) else {
                return false;
            };
            self.out[counts..counts + 4].copy_from_slice(&elements.to_le_bytes());
            self.out[counts + 4..counts + 8].copy_from_slice(&pairs.to_le_bytes());
        }
        self.check()
    }

    /// Writes elements, then pairs. Lua visits an array's elements first and in order.
    unsafe fn content(&mut self, l: *mut ffi::lua_State, depth: usize) -> Option<(u32, u32)> {
        let (mut elements, mut pairs) = (0u32, 0u32);
        unsafe {
            let table = ffi::lua_gettop(l);
            ffi::lua_pushnil(l);
            while ffi::lua_next(l, table) != 0 {
                let key = ffi::lua_type(l, -2);
                let next_element = pairs == 0
                    && key == ffi::LUA_TNUMBER
                    && ffi::lua_isinteger(l, -2) != 0
                    && ffi::lua_tointegerx(l, -2, std::ptr::null_mut()) == i64::from(elements) + 1;
                if next_element {
                    elements += 1;
                } else if matches!(key, ffi::LUA_TSTRING | ffi::LUA_TNUMBER | ffi::LUA_TBOOLEAN) {
                    pairs += 1;
                    self.scalar(l, -2);
                } else {
                    ffi::lua_settop(l, table + 1);
                    continue;
                }
                if !self.value(l, depth + 1) {
                    return None;
                }
                ffi::lua_settop(l, table + 1);
            }
        }
        Some((elements, pairs))
    }
}
