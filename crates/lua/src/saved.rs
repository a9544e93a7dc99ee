//! The bytes a match is continued from after a restart: the state, the random numbers' state,
//! and the ways to what the state refers to (see [`crate::names`]).

use mlua::{Table, Value};

use crate::names;
use crate::sandbox::Vm;
use crate::snapshot::{self, Seen, SnapshotError, put_varint, take_varint};

/// What kind of bytes these are, and which version of it.
const MAGIC: &[u8; 8] = b"asobiL\x00\x01";
const HEADER: usize = MAGIC.len() + 32;

/// Appends the state of a match. Answers how many functions and metatables of the state have no
/// place in the script, and are missing after a restart.
pub(crate) fn write(
    vm: &Vm,
    state: &Table,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<usize, SnapshotError> {
    let start = out.len();
    out.extend_from_slice(MAGIC);
    for word in vm.random().state() {
        out.extend_from_slice(&word.to_le_bytes());
    }
    let written = write_body(vm, state, limit, out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn write_body(
    vm: &Vm,
    state: &Table,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<usize, SnapshotError> {
    let anchors = vm.lua().create_table()?;
    let mut body = Vec::new();
    snapshot::encode(
        vm.lua(),
        state,
        Some(&anchors),
        limit,
        &mut Seen::default(),
        &mut body,
    )?;
    let anchored: Vec<Value> = anchors.sequence_values().collect::<mlua::Result<_>>()?;
    let mut nameless = 0;
    put_varint(out, anchored.len() as u64);
    if !anchored.is_empty() {
        let modules = vm.modules().borrow().loaded();
        let ways = names::find(vm.lua(), modules.as_ref(), &anchored);
        for value in &anchored {
            let way = ways.get(&value.to_pointer());
            nameless += usize::from(way.is_none());
            let way = way.map_or(&[][..], Vec::as_slice);
            put_varint(out, way.len() as u64);
            out.extend_from_slice(way);
        }
    }
    out.append(&mut body);
    Ok(nameless)
}

/// The state in `bytes`; the VM's random numbers go on where they were.
pub(crate) fn read(vm: &Vm, bytes: &[u8]) -> Result<Table, SnapshotError> {
    let (header, mut body) = bytes
        .split_at_checked(HEADER)
        .ok_or(SnapshotError::Malformed)?;
    let words = header.strip_prefix(MAGIC).ok_or(SnapshotError::Malformed)?;
    let mut random = [0; 4];
    for (word, bytes) in random.iter_mut().zip(words.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
    }
    let anchors = read_anchors(vm, &mut body)?;
    let Value::Table(state) = snapshot::decode(vm.lua(), body, Some(&anchors))? else {
        return Err(SnapshotError::Malformed);
    };
    vm.random().restore(random);
    Ok(state)
}

fn read_anchors(vm: &Vm, bytes: &mut &[u8]) -> Result<Table, SnapshotError> {
    let anchors = vm.lua().create_table()?;
    let modules = vm.modules().borrow().loaded();
    let count = take_varint(bytes).ok_or(SnapshotError::Malformed)?;
    for i in 1..=count {
        let length = take_varint(bytes).and_then(|n| usize::try_from(n).ok());
        let (way, rest) = length
            .and_then(|n| bytes.split_at_checked(n))
            .ok_or(SnapshotError::Malformed)?;
        *bytes = rest;
        anchors.raw_set(i, names::resolve(vm.lua(), modules.as_ref(), way))?;
    }
    Ok(anchors)
}
