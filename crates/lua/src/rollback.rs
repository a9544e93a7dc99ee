//! Undoing what a failed callback did to the state.
//!
//! The state is written to bytes before a callback that may fail, and read back if it does. What
//! cannot be written to bytes (functions, coroutines, metatables) is held in a Lua table beside
//! them, so it comes back too. Not undone is what a script keeps outside of its state, in locals
//! and globals.

use mlua::{Table, Value};

use crate::sandbox::Vm;
use crate::snapshot::{self, Seen, SnapshotError};

/// The last state worth going back to.
#[derive(Default)]
pub(crate) struct Keeper {
    bytes: Vec<u8>,
    anchors: Option<Table>,
    random: [u64; 4],
    /// Whether there is anything to go back to.
    kept: bool,
    /// Whether that is the state as it is now, so that keeping it again is no work.
    fresh: bool,
    seen: Seen,
}

impl Keeper {
    /// Keeps `state`, unless nothing happened since it was kept.
    pub(crate) fn keep(
        &mut self,
        vm: &Vm,
        state: &Table,
        limit: usize,
    ) -> Result<(), SnapshotError> {
        if self.fresh {
            return Ok(());
        }
        self.kept = false;
        self.bytes.clear();
        let anchors = self.anchors(vm)?;
        snapshot::encode(
            vm.lua(),
            state,
            Some(&anchors),
            limit,
            &mut self.seen,
            &mut self.bytes,
        )?;
        self.random = vm.random().state();
        self.kept = true;
        self.fresh = true;
        Ok(())
    }

    fn anchors(&mut self, vm: &Vm) -> mlua::Result<Table> {
        if let Some(anchors) = &self.anchors {
            return Ok(anchors.clone());
        }
        let anchors = vm.unlimited(|| vm.lua().create_table())?;
        self.anchors = Some(anchors.clone());
        Ok(anchors)
    }

    /// Whether there is a state to go back to.
    pub(crate) fn has_kept(&self) -> bool {
        self.kept
    }

    /// The state is not what was kept any more.
    pub(crate) fn touched(&mut self) {
        self.fresh = false;
    }

    /// The kept state, as a new table, and the random numbers as they were. `None` when nothing
    /// is kept: the state is then what the failed callback left.
    pub(crate) fn restore(&mut self, vm: &Vm) -> Option<Table> {
        if !self.kept {
            return None;
        }
        let value = vm.unlimited(|| snapshot::decode(vm.lua(), &self.bytes, self.anchors.as_ref()));
        vm.random().restore(self.random);
        match value {
            Ok(Value::Table(state)) => {
                self.fresh = true;
                Some(state)
            }
            _ => None,
        }
    }
}
