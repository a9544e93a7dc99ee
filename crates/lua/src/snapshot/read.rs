//! Reading.
#![allow(unsafe_code)]

use std::ffi::c_int;

use mlua::{Lua, Table, Value, ffi};

use super::*;

/// The value written in `bytes`, which must hold nothing else.
pub(crate) fn decode(
    lua: &Lua,
    bytes: &[u8],
    anchors: Option<&Table>,
) -> Result<Value, SnapshotError> {
    let mut reader = Reader {
        bytes,
        at: 0,
        anchoring: anchors.is_some(),
        shared: false,
    };
    let mut whole = false;
    let (r, w) = (&mut reader, &mut whole);
    // SAFETY: see the module's text; the closure captures references only.
    let value: mlua::Result<Value> = unsafe {
        lua.exec_raw((anchors, Value::Nil), |l| {
            // 1: the anchors, 2: tables that are referred back to, by offset.
            *w = r.value(l, 0).is_some() && r.at == r.bytes.len();
            if !*w {
                ffi::lua_settop(l, 0);
                ffi::lua_pushnil(l);
            }
            ffi::lua_copy(l, -1, 1);
            ffi::lua_settop(l, 1);
        })
    };
    let value = value?;
    if whole {
        Ok(value)
    } else {
        Err(SnapshotError::Malformed)
    }
}

/// Stack index of the tables that are referred back to while reading.
const TABLES: c_int = 2;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    anchoring: bool,
    /// Whether there is a table at [`TABLES`].
    shared: bool,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, n: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(n)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut rest = self.bytes.get(self.at..)?;
        let value = take_varint(&mut rest);
        self.at = self.bytes.len() - rest.len();
        value
    }

    fn count(&mut self) -> Option<u32> {
        self.take(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// Pushes the next value. `None` leaves the stack as it happens to be.
    unsafe fn value(&mut self, l: *mut ffi::lua_State, depth: usize) -> Option<()> {
        let here = self.at;
        let tag = self.byte()?;
        unsafe {
            match tag {
                SMALL_INT.. => ffi::lua_pushinteger(l, i64::from(tag & 0x7f)),
                SHORT_STRING.. => self.string(l, usize::from(tag & 0x3f))?,
                NIL => ffi::lua_pushnil(l),
                FALSE => ffi::lua_pushboolean(l, 0),
                TRUE => ffi::lua_pushboolean(l, 1),
                INT => {
                    let n = self.varint()?;
                    ffi::lua_pushinteger(l, (n >> 1) as i64 ^ -((n & 1) as i64));
                }
                FLOAT => {
                    let bytes = self.take(8)?.try_into().ok()?;
                    ffi::lua_pushnumber(l, f64::from_le_bytes(bytes));
                }
                STRING => {
                    let len = self.varint()?;
                    self.string(l, usize::try_from(len).ok()?)?;
                }
                BACK => {
                    let offset = i64::try_from(self.varint()?).ok()?;
                    if !self.shared || ffi::lua_rawgeti(l, TABLES, offset) != ffi::LUA_TTABLE {
                        return None;
                    }
                }
                ANCHOR => self.anchored(l)?,
                TABLE..=0x0b => self.table(l, tag, here, depth)?,
                _ => return None,
            };
        }
        Some(())
    }

    unsafe fn string(&mut self, l: *mut ffi::lua_State, len: usize) -> Option<()> {
        let text = self.take(len)?;
        unsafe { ffi::lua_pushlstring(l, text.as_ptr().cast(), text.len()) };
        Some(())
    }

    unsafe fn anchored(&mut self, l: *mut ffi::lua_State) -> Option<()> {
        let n = i64::try_from(self.varint()?).ok()?;
        if !self.anchoring {
            return None;
        }
        unsafe { ffi::lua_rawgeti(l, ANCHORS, n) };
        Some(())
    }

    unsafe fn table(
        &mut self,
        l: *mut ffi::lua_State,
        tag: u8,
        here: usize,
        depth: usize,
    ) -> Option<()> {
        if depth >= MAX_DEPTH {
            return None;
        }
        unsafe {
            if ffi::lua_checkstack(l, 6) == 0 {
                return None;
            }
            let meta = tag & WITH_META != 0;
            if meta {
                self.anchored(l)?;
            }
            let (elements, pairs) = (self.count()?, self.count()?);
            // Every element takes a byte and every pair two: a lie is found out before memory
            // is given for it.
            if elements as usize + 2 * pairs as usize > self.bytes.len() - self.at {
                return None;
            }
            ffi::lua_createtable(l, elements as c_int, pairs as c_int);
            let table = ffi::lua_gettop(l);
            if tag & SHARED != 0 {
                self.share(l, table, here);
            }
            for i in 1..=elements {
                self.value(l, depth + 1)?;
                ffi::lua_rawseti(l, table, i64::from(i));
            }
            for _ in 0..pairs {
                self.value(l, depth + 1)?;
                if !is_key(l) {
                    return None;
                }
                self.value(l, depth + 1)?;
                ffi::lua_rawset(l, table);
            }
            if meta {
                // One that could not be found again is done without.
                ffi::lua_rotate(l, table - 1, 1);
                if ffi::lua_istable(l, -1) == 0 {
                    ffi::lua_settop(l, -2);
                    ffi::lua_pushnil(l);
                }
                ffi::lua_setmetatable(l, -2);
            }
        }
        Some(())
    }

    unsafe fn share(&mut self, l: *mut ffi::lua_State, table: c_int, here: usize) {
        unsafe {
            if !self.shared {
                ffi::lua_createtable(l, 0, 4);
                ffi::lua_replace(l, TABLES);
                self.shared = true;
            }
            ffi::lua_pushvalue(l, table);
            ffi::lua_rawseti(l, TABLES, here as i64);
        }
    }
}

/// Whether the value on top may be a key as written: a scalar, and not NaN.
unsafe fn is_key(l: *mut ffi::lua_State) -> bool {
    unsafe {
        match ffi::lua_type(l, -1) {
            ffi::LUA_TSTRING | ffi::LUA_TBOOLEAN => true,
            ffi::LUA_TNUMBER => !ffi::lua_tonumberx(l, -1, std::ptr::null_mut()).is_nan(),
            _ => false,
        }
    }
}
