//! What players see: `get_state`, encoded once for as long as it returns the same table.

use asobi_game::PlayerId;
use asobi_game::logic::{FaultKind, View};
use bytes::Bytes;
use mlua::{MultiValue, Table, Value};

use crate::backoff::{Backoff, Backoffs};
use crate::fault::Failure;
use crate::json::{self, Shape};
use crate::match_logic::LuaMatch;

/// Views that may run away in one tick before the rest of the players go without.
const OVERRUNS_PER_TICK: u32 = 3;

/// The last view of this tick, and who is left without one.
#[derive(Default)]
pub(crate) struct Views {
    /// Held, so that its address cannot come to mean another table; with what was in it.
    last: Option<(Table, u64)>,
    /// How long views have been lately: the next one's buffer is made to fit.
    length: usize,
    overruns: u32,
    shared: Backoff,
    players: Backoffs,
}

impl Views {
    /// A new tick: nothing has been seen yet.
    pub(crate) fn next_tick(&mut self) {
        self.last = None;
        self.overruns = 0;
    }

    fn skips(&mut self, player: Option<&PlayerId>) -> bool {
        self.overruns >= OVERRUNS_PER_TICK
            || player.map_or_else(|| self.shared.skips(), |player| self.players.skips(player))
    }

    fn overrun(&mut self, player: Option<&PlayerId>) {
        self.overruns += 1;
        match player {
            Some(player) => self.players.overrun(player),
            None => self.shared.overrun(),
        }
    }

    fn success(&mut self, player: Option<&PlayerId>) {
        match player {
            Some(player) => self.players.success(player),
            None => self.shared.success(),
        }
    }
}

impl LuaMatch {
    /// What `player` sees; `None` while `get_state` keeps running away.
    pub(crate) fn look(&mut self, player: &PlayerId) -> Result<Option<View>, Failure> {
        let player = (!self.mode.shared_view).then_some(player);
        if self.views.skips(player) {
            return Ok(None);
        }
        let view = self.get_state(player);
        match &view {
            Ok(_) => self.views.success(player),
            Err(failure) if failure.ran_away() => self.views.overrun(player),
            Err(_) => {}
        }
        self.see(view?).map(Some)
    }

    /// Calls `get_state`, with the state alone when all see the same.
    fn get_state(&mut self, player: Option<&PlayerId>) -> Result<Table, Failure> {
        let budget = self.settings.view_budget_ms;
        let state = self.state.clone();
        let table = |values: MultiValue| match values.into_iter().next() {
            Some(Value::Table(view)) => Ok(view),
            _ => Err(Failure::new(
                FaultKind::RuntimeError,
                "get_state must return a table",
            )),
        };
        match player {
            Some(player) => self.callback("get_state", budget, (player.as_str(), state), table),
            None => self.callback("get_state", budget, state, table),
        }
    }

    fn see(&mut self, view: Table) -> Result<View, Failure> {
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
