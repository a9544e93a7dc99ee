//! The bytes a match is continued from after a restart.

use mlua::{Table, Value};

use crate::ptrmap::PtrMap;
use crate::sandbox::Vm;
use crate::snapshot::{self, SnapshotError};

/// What kind of bytes these are, and which version of it.
const MAGIC: &[u8; 8] = b"asobiL\x00\x01";
const HEADER: usize = MAGIC.len() + 32;

/// Appends the state and the random numbers' state.
pub(crate) fn write(
    vm: &Vm,
    state: &Table,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), SnapshotError> {
    let start = out.len();
    out.extend_from_slice(MAGIC);
    for word in vm.random().state() {
        out.extend_from_slice(&word.to_le_bytes());
    }
    let written = snapshot::encode(vm.lua(), state, None, limit, &mut PtrMap::default(), out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// The state in `bytes`; the VM's random numbers go on where they were.
pub(crate) fn read(vm: &Vm, bytes: &[u8]) -> Result<Table, SnapshotError> {
    let (header, body) = bytes
        .split_at_checked(HEADER)
        .ok_or(SnapshotError::Malformed)?;
    let words = header.strip_prefix(MAGIC).ok_or(SnapshotError::Malformed)?;
    let mut random = [0; 4];
    for (word, bytes) in random.iter_mut().zip(words.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
    }
    let Value::Table(state) = snapshot::decode(vm.lua(), body, None)? else {
        return Err(SnapshotError::Malformed);
    };
    vm.random().restore(random);
    Ok(state)
}
