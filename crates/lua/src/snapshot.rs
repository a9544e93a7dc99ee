//! A Lua value as compact bytes, and back.
//!
//! Integers, floats, booleans, strings and tables with scalar keys of any kind come back as they
//! were, arrays in order, a table that is reachable twice as one table, cycles included. Keys
//! that are not scalars are skipped. What cannot be written (functions, coroutines, userdata)
//! and metatables are kept when an [`Anchors`] table is given to hold them, which is how a
//! failed callback is undone inside one VM; without one they are left out.
//!
//! # Why unsafe
//!
//! A match takes one of these before every tick. FIGURES
//! Writing calls only functions of the Lua API that neither raise nor allocate, except for
//! anchoring; reading allocates. Both run protected, and no frame of theirs owns anything, so an
//! error may jump over them.
#![allow(unsafe_code)]

use std::ffi::c_int;

use mlua::{IntoLua, Lua, Table, Value, ffi};

use crate::ptrmap::PtrMap;

/// Tables inside each other. More than any sane state, and few enough for the native stack.
const MAX_DEPTH: usize = 400;

const NIL: u8 = 0x00;
const FALSE: u8 = 0x01;
const TRUE: u8 = 0x02;
const INT: u8 = 0x03;
const FLOAT: u8 = 0x04;
const STRING: u8 = 0x05;
/// The table that starts at this offset.
const BACK: u8 = 0x06;
/// The anchor of this number.
const ANCHOR: u8 = 0x07;
/// A table: number of array elements and of other pairs (four bytes each), elements, pairs.
const TABLE: u8 = 0x08;
/// Added to [`TABLE`]: something refers back to it.
const SHARED: u8 = 0x01;
/// Added to [`TABLE`]: the number of its metatable's anchor follows.
const WITH_META: u8 = 0x02;
/// Strings of up to 63 bytes: the length is in the tag.
const SHORT_STRING: u8 = 0x40;
/// Integers 0 to 127: the number is in the tag.
const SMALL_INT: u8 = 0x80;

/// Why a value has no bytes, or bytes no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("the state takes more than {0} bytes")]
    TooLarge(usize),
    #[error("the state nests tables more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("not a snapshot of this format")]
    Malformed,
    #[error(transparent)]
    Lua(#[from] mlua::Error),
}

/// Appends `value` to `out`, whose back references count from its start. `seen` is scratch
/// memory, kept to be reused.
pub(crate) fn encode(
    lua: &Lua,
    value: impl IntoLua,
    anchors: Option<&Table>,
    limit: usize,
    seen: &mut PtrMap,
    out: &mut Vec<u8>,
) -> Result<(), SnapshotError> {
    let start = out.len();
    seen.clear();
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
    /// Where each table was written.
    seen: &'a mut PtrMap,
    anchored: i64,
    anchoring: bool,
    error: Option<Stop>,
}

/// Stack index of the anchors while writing.
const ANCHORS: c_int = 1;

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

    /// Pops a value into the anchors and answers its number.
    unsafe fn anchor(&mut self, l: *mut ffi::lua_State) -> u64 {
        self.anchored += 1;
        unsafe { ffi::lua_rawseti(l, ANCHORS, self.anchored) };
        self.anchored as u64
    }

    unsafe fn table(&mut self, l: *mut ffi::lua_State, depth: usize) -> bool {
        unsafe {
            let here = self.out.len() - self.start;
            if let Some(offset) = self.seen.insert(ffi::lua_topointer(l, -1), here) {
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

pub(crate) fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { TRUE } else { FALSE });
}

pub(crate) fn put_int(out: &mut Vec<u8>, value: i64) {
    if (0..128).contains(&value) {
        out.push(SMALL_INT | value as u8);
        return;
    }
    out.push(INT);
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(crate) fn put_float(out: &mut Vec<u8>, value: f64) {
    let mut bytes = [FLOAT; 9];
    bytes[1..].copy_from_slice(&value.to_le_bytes());
    out.extend_from_slice(&bytes);
}

pub(crate) fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() < 64 {
        out.push(SHORT_STRING | text.len() as u8);
    } else {
        out.push(STRING);
        put_varint(out, text.len() as u64);
    }
    out.extend_from_slice(text);
}

pub(crate) fn put_nil(out: &mut Vec<u8>) {
    out.push(NIL);
}

/// Starts a table; its counts are filled in by [`end_table`].
pub(crate) fn begin_table(out: &mut Vec<u8>) -> usize {
    out.push(TABLE);
    out.extend_from_slice(&[0; 8]);
    out.len() - 8
}

pub(crate) fn end_table(out: &mut [u8], counts: usize, elements: u32, pairs: u32) {
    out[counts..counts + 4].copy_from_slice(&elements.to_le_bytes());
    out[counts + 4..counts + 8].copy_from_slice(&pairs.to_le_bytes());
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

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
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
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
                ffi::lua_rotate(l, table - 1, 1);
                if ffi::lua_istable(l, -1) == 0 {
                    return None;
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
