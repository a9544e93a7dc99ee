//! One step of a match: the inputs in order, each undone alone if it fails, then the tick.

use std::collections::HashSet;
use std::time::Duration;

use asobi_game::PlayerId;
use asobi_game::logic::{FaultKind, Input, StepOutcome};
use bytes::Bytes;
use mlua::Value;

use crate::budget;
use crate::fault::Failure;
use crate::json::{self, Shape};
use crate::match_logic::LuaMatch;

/// How many single budgets the inputs of one step may use together.
const INPUT_BUDGETS: u32 = 5;

/// Skips ticks of a match whose tick keeps running out of budget, so that it cannot keep a
/// simulation thread busy: 1 step after the first overrun in a row, then 2, 4, 8, 16.
#[derive(Default)]
pub(crate) struct Backoff {
    overruns: u32,
    skip: u32,
}

impl Backoff {
    fn skips(&mut self) -> bool {
        let skips = self.skip > 0;
        self.skip = self.skip.saturating_sub(1);
        skips
    }

    fn overrun(&mut self) {
        self.skip = 1 << self.overruns.min(4);
        self.overruns += 1;
    }

    fn success(&mut self) {
        self.overruns = 0;
    }
}

impl LuaMatch {
    pub(crate) fn run_step(&mut self, inputs: &[Input]) -> StepOutcome {
        self.reload_if_changed();
        self.views.forget();
        self.keep();
        let applied = self.apply_all(inputs);
        if self.backoff.skips() {
            return StepOutcome::Running;
        }
        self.tick(&applied)
    }

    /// Applies the inputs and answers those that took effect since the state was kept.
    fn apply_all<'i>(&mut self, inputs: &'i [Input]) -> Vec<&'i Input> {
        let total = Duration::from_millis(self.settings.input_budget_ms) * INPUT_BUDGETS;
        let start = (!inputs.is_empty()).then(budget::thread_cpu);
        let mut applied: Vec<&Input> = Vec::with_capacity(inputs.len());
        let mut barred: HashSet<&PlayerId> = HashSet::new();
        for (i, input) in inputs.iter().enumerate() {
            if barred.contains(&input.player) {
                continue;
            }
            let Err(failure) = self.apply(input) else {
                applied.push(input);
                continue;
            };
            if failure.kind == FaultKind::Timeout {
                barred.insert(&input.player);
            }
            self.report("handle_input", failure, Some(&input.player));
            self.undo_and_replay(&applied);
            // Kept anew, so that the next failure does not have to replay these again.
            applied.clear();
            self.keep();
            if start.is_some_and(|start| budget::thread_cpu().saturating_sub(start) >= total) {
                let left = inputs.len() - i - 1;
                if left > 0 {
                    let text = format!(
                        "this step's inputs used up {} ms; {left} dropped",
                        total.as_millis()
                    );
                    self.report("handle_input", Failure::new(FaultKind::Timeout, text), None);
                }
                break;
            }
        }
        applied
    }

    /// Back to the kept state, then again what had worked since, without its effects.
    fn undo_and_replay(&mut self, applied: &[&Input]) {
        self.undo();
        let context = self.context.clone();
        context.muted(|| {
            for input in applied {
                // It worked before. If it does not now, the script decides by something that is
                // not in its state, and there is nothing better to do than to leave it out.
                let _ = self.apply(input);
            }
        });
    }

    fn tick(&mut self, applied: &[&Input]) -> StepOutcome {
        let budget = self.settings.tick_budget_ms;
        match self.new_state("tick", budget, |m| Ok(m.state.clone())) {
            Ok(()) => {
                self.backoff.success();
                self.outcome()
            }
            Err(failure) => {
                if failure.kind == FaultKind::Timeout {
                    self.backoff.overrun();
                } else {
                    self.backoff.success();
                }
                self.report("tick", failure, None);
                self.undo_and_replay(applied);
                StepOutcome::Running
            }
        }
    }

    /// Whether the state says that the game is over.
    fn outcome(&mut self) -> StepOutcome {
        if !matches!(self.state.raw_get("_finished"), Ok(Value::Boolean(true))) {
            return StepOutcome::Running;
        }
        let result = match self.state.raw_get("_result") {
            Ok(Value::Nil) | Err(_) => return StepOutcome::Finished(Bytes::from_static(b"{}")),
            Ok(result) => result,
        };
        let shape = Shape {
            limit: self.settings.view_limit_bytes,
            empty_object: false,
        };
        let mut out = Vec::new();
        if let Err(error) = json::encode(self.vm.lua(), &result, shape, &mut out) {
            let failure = Failure::new(FaultKind::RuntimeError, format!("_result: {error}"));
            self.report("tick", failure, None);
            out = b"{}".to_vec();
        }
        StepOutcome::Finished(Bytes::from(out))
    }
}
