//! A Lua value as compact bytes, and back.
//!
//! Integers, floats, booleans, strings and tables with scalar keys of any kind come back as they
//! were, arrays in order, a table that is reachable twice as one table, cycles included. Keys
//! that are not scalars are skipped. What cannot be written (functions, coroutines, userdata)
//! and metatables are kept when a table of anchors is given to hold them, which is how a
//! failed callback is undone inside one VM; without one they are left out.
//!
//! # Why unsafe
//!
//! A match takes one of these before every tick. A state of 3.8 KB takes 14 us to write and 12 us
//! to read; walking its tables through mlua's safe API alone takes 43 us.
//!
//! Writing calls only functions of the Lua API that neither raise nor allocate, except for
//! anchoring; reading allocates. Both run protected, and no frame of theirs owns anything, so an
//! error may jump over them.

use std::ffi::c_int;

mod read;
mod write;

pub(crate) use read::decode;
pub(crate) use write::{Seen, encode};

/// Tables inside each other. More than any sane state, and few enough for the native stack.
const MAX_DEPTH: usize = 400;

/// Stack index of the anchors, while writing and while reading.
const ANCHORS: c_int = 1;

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

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a number off the start of `bytes`.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
