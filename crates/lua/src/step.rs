//! One step of a match: the inputs in order, each undone alone if it fails, then the tick.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use asobi_game::logic::{FaultKind, Input, StepOutcome};
use asobi_game::services::Answer;
use bytes::Bytes;
use mlua::Value;

use crate::budget;
use crate::fault::Failure;
use crate::json::{self, Shape};
use crate::match_logic::LuaMatch;
use crate::waiting;

/// How many single budgets the inputs of one step may use together.
const INPUT_BUDGETS: u32 = 5;

/// Answers that are kept for another run of a step's inputs, in bytes. With more the state is kept
/// instead.
const ANSWER_BYTES: usize = 4 << 20;

/// An input that took effect, and what the server answered meanwhile.
type Applied<'i> = (&'i Input, Vec<Answer>);

/// What the inputs of one step may use together.
struct Allowance {
    total: Duration,
    since: Instant,
    cpu: Duration,
}

impl Allowance {
    fn new(total: Duration) -> Self {
        Self {
            total,
            since: Instant::now(),
            cpu: budget::thread_cpu(),
        }
    }

    /// CPU time never runs ahead of the clock on the wall, which is cheaper to read.
    fn is_used_up(&self) -> bool {
        self.since.elapsed() >= self.total
            && budget::thread_cpu().saturating_sub(self.cpu) >= self.total
    }
}

impl LuaMatch {
    pub(crate) async fn run_step(&mut self, inputs: &[Input]) -> StepOutcome {
        self.reload_if_changed();
        self.views.next_tick();
        self.keep();
        let applied = self.apply_all(inputs).await;
        if self.backoff.skips() {
            return StepOutcome::Running;
        }
        self.tick(applied).await
    }

    /// Applies the inputs and answers those that took effect since the state was kept.
    async fn apply_all<'i>(&mut self, inputs: &'i [Input]) -> Vec<Applied<'i>> {
        let mut applied: Vec<Applied> = Vec::with_capacity(inputs.len());
        if inputs.is_empty() {
            return applied;
        }
        let single = Duration::from_millis(self.settings.input_budget_ms);
        let allowance = Allowance::new(single * INPUT_BUDGETS);
        let mut barred: HashSet<&PlayerId> = HashSet::new();
        let mut answered = 0;
        for (i, input) in inputs.iter().enumerate() {
            if barred.contains(&input.player) {
                continue;
            }
            match self.apply(input).await {
                Ok(()) => {
                    let answers = self.asking.take_given();
                    answered += waiting::bytes(&answers);
                    applied.push((input, answers));
                    if answered >= ANSWER_BYTES {
                        self.keep();
                        applied.clear();
                        answered = 0;
                    }
                }
                Err(failure) => {
                    if failure.ran_away() {
                        barred.insert(&input.player);
                    }
                    self.report("handle_input", failure, Some(&input.player));
                    self.undo_and_replay(std::mem::take(&mut applied)).await;
                    // Kept anew, so that the next failure need not replay these again.
                    self.keep();
                }
            }
            if allowance.is_used_up() {
                self.report_dropped(inputs.len() - i - 1, allowance.total);
                break;
            }
        }
        applied
    }

    fn report_dropped(&mut self, inputs: usize, total: Duration) {
        if inputs > 0 {
            let total = total.as_millis();
            let text = format!("the inputs of one step used up {total} ms; {inputs} dropped");
            self.report(
                "handle_input",
                Failure::new(FaultKind::RuntimeError, text),
                None,
            );
        }
    }

    /// Back to the kept state, then again what had worked since: without its effects, and with
    /// the answers it got the first time.
    async fn undo_and_replay(&mut self, applied: Vec<Applied<'_>>) {
        self.undo();
        let muted = self.context.mute(true);
        for (input, answers) in applied {
            self.asking.answer_again(answers);
            // It worked before. If it does not now, the script decides by something that is
            // not in its state, and there is nothing better to do than to leave it out.
            let _ = self.apply(input).await;
        }
        self.asking.answer_anew();
        self.context.mute(muted);
    }

    async fn tick(&mut self, applied: Vec<Applied<'_>>) -> StepOutcome {
        let budget = self.settings.tick_budget_ms;
        let ticked = self.new_state("tick", budget, |m| Ok(m.state.clone()));
        match ticked.await {
            Ok(()) => {
                self.backoff.success();
                self.outcome()
            }
            Err(failure) => {
                if failure.ran_away() {
                    self.backoff.overrun();
                } else {
                    self.backoff.success();
                }
                self.report("tick", failure, None);
                self.undo_and_replay(applied).await;
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
