//! What players see: `get_state`, encoded once for as long as it returns the same table.

use std::time::Duration;

use asobi_game::PlayerId;
use asobi_game::logic::{FaultKind, View};
use bytes::Bytes;
use mlua::{Table, Value};

use crate::fault::Failure;
use crate::json::{self, Shape};
use crate::match_logic::LuaMatch;

/// The last view of this tick.
#[derive(Default)]
pub(crate) struct Views {
    /// Held, so that its address cannot come to mean another table; with what was in it.
    last: Option<(Table, u64)>,
    /// How long views have been lately: the next one's buffer is made to fit.
    length: usize,
}

impl Views {
    /// A new tick: nothing has been seen yet.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }
}

impl LuaMatch {
    pub(crate) fn look(&mut self, player: &PlayerId) -> Result<View, Failure> {
        let budget = Duration::from_millis(self.settings.view_budget_ms);
        let state = self.state.clone();
        let mark = self.context.mark();
        let called = if self.mode.shared_view {
            self.vm.call("get_state", budget, state)
        } else {
            self.vm.call("get_state", budget, (player.as_str(), state))
        };
        let view = called
            .map(|values| values.into_iter().next())
            .inspect_err(|failure| {
                self.context.drop_since(mark);
                if failure.kind == FaultKind::OutOfMemory {
                    self.vm.collect();
                }
            })?;
        // A `get_state` may change the state; that it should not is not known here.
        self.keeper.touched();
        let Some(Value::Table(view)) = view else {
            return Err(Failure::new(
                FaultKind::RuntimeError,
                "get_state must return a table",
            ));
        };
        let print = json::fingerprint(self.vm.lua(), &view).map_err(|e| Failure::from_error(&e))?;
        if let Some((last, last_print)) = &self.views.last
            && last.to_pointer() == view.to_pointer()
            && *last_print == print
        {
            return Ok(View::Same);
        }
        self.encode_view(view, print)
    }

    fn encode_view(&mut self, view: Table, print: u64) -> Result<View, Failure> {
        let mut out = Vec::with_capacity(self.views.length + self.views.length / 8 + 64);
        let shape = Shape {
            limit: self.settings.view_limit_bytes,
            empty_object: false,
        };
        self.views.last = None;
        json::encode(self.vm.lua(), &view, shape, &mut out)
            .map_err(|e| Failure::new(FaultKind::RuntimeError, format!("get_state: {e}")))?;
        if out.first() != Some(&b'{') {
            let text = "get_state must return a table with names, not a list";
            return Err(Failure::new(FaultKind::RuntimeError, text));
        }
        self.views.length = out.len();
        self.views.last = Some((view, print));
        Ok(View::New(Bytes::from(out)))
    }
}
