//! One step of a match: the inputs in order, each undone alone if it fails, then the tick.
//! Timers that fire together are treated like inputs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use asobi_game::logic::{FaultKind, FiredTimer, Input, StepOutcome};
use asobi_game::services::Answer;
use asobi_game::timers::TimerKey;
use bytes::Bytes;
use mlua::Value;

use crate::budget;
use crate::fault::Failure;
use crate::json::{self, Shape};
use crate::match_logic::LuaMatch;
use crate::waiting;

/// How many single budgets the inputs of one step may use together.
const INPUT_BUDGETS: u32 = 5;

/// Answers that are kept for another run of a step's deeds, in bytes. With more the state is kept
/// instead.
const ANSWER_BYTES: usize = 4 << 20;

/// What is done to the state before a tick, one after the other.
#[derive(Clone, Copy)]
enum Deed<'i> {
    Input(&'i Input),
    Timer(&'i FiredTimer),
}

/// A deed that took effect, and what the server answered meanwhile.
type Applied<'i> = (Deed<'i>, Vec<Answer>);

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
                    self.took_effect(Deed::Input(input), &mut applied, &mut answered);
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

    /// Remembers `deed` for another run, or keeps the state once its like were answered too much.
    fn took_effect<'i>(
        &mut self,
        deed: Deed<'i>,
        applied: &mut Vec<Applied<'i>>,
        answered: &mut usize,
    ) {
        let answers = self.asking.take_given();
        *answered += waiting::bytes(&answers);
        applied.push((deed, answers));
        if *answered >= ANSWER_BYTES {
            self.keep();
            applied.clear();
            *answered = 0;
        }
    }

    /// Calls `on_timer` for each of `fired`. Answers for how many there was time.
    pub(crate) async fn fire(&mut self, fired: &[FiredTimer]) -> usize {
        if self.vm.callback("on_timer").is_none() {
            // Timers of phases may be for the clients alone.
            if fired.iter().all(|timer| timer.id == 0) {
                return fired.len();
            }
            let text = format!(
                "timer \"{}\" fired, but the script defines no function 'on_timer'",
                fired.first().map_or("", |timer| &timer.name)
            );
            self.report(
                "on_timer",
                Failure::new(FaultKind::RuntimeError, text),
                None,
            );
            return fired.len();
        }
        self.keep();
        let allowance =
            Allowance::new(Duration::from_millis(self.settings.event_budget_ms) * INPUT_BUDGETS);
        let mut applied: Vec<Applied> = Vec::with_capacity(fired.len());
        let mut answered = 0;
        let mut cancelled: HashSet<TimerKey> = HashSet::new();
        for (i, timer) in fired.iter().enumerate() {
            // One of those before it may have cancelled this one.
            let gone = !cancelled.is_empty()
                && (cancelled.contains(&TimerKey::Id(timer.id))
                    || cancelled.contains(&TimerKey::Name(timer.name.clone())));
            if gone && timer.id != 0 {
                continue;
            }
            let mark = self.context.mark();
            match self.apply_timer(timer).await {
                Ok(()) => {
                    self.took_effect(Deed::Timer(timer), &mut applied, &mut answered);
                    cancelled.extend(self.context.cancelled_since(mark));
                }
                Err(failure) => {
                    self.report("on_timer", failure, None);
                    self.undo_and_replay(std::mem::take(&mut applied)).await;
                    self.keep();
                }
            }
            if allowance.is_used_up() {
                return i + 1;
            }
        }
        fired.len()
    }

    async fn apply_timer(&mut self, timer: &FiredTimer) -> Result<(), Failure> {
        let budget = self.settings.event_budget_ms;
        self.new_state("on_timer", budget, |m| {
            let data = match &timer.data {
                Some(data) => m.decode(data.get().as_bytes())?,
                None => Value::Nil,
            };
            Ok((timer.name.as_str(), data, m.state.clone()))
        })
        .await
    }

    /// Asks the function that ends phase `name` whether it is over. It cannot wait, and what it
    /// changes in the state is its own affair.
    pub(crate) fn ask_phase_end(&mut self, name: &str) -> bool {
        let found = self.phase_ends.iter().find(|(phase, _)| phase == name);
        let Some((_, function)) = found.cloned() else {
            return false;
        };
        self.keep();
        let mark = self.context.mark();
        self.keeper.touched();
        let budget = Duration::from_millis(self.settings.event_budget_ms);
        let state = self.state.clone();
        match self.vm.run(budget, || function.call::<Value>(state)) {
            Ok(over) => !matches!(over, Value::Nil | Value::Boolean(false)),
            Err(failure) => {
                self.context.drop_since(mark);
                self.undo();
                self.report("end_condition", failure, None);
                false
            }
        }
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
        for (deed, answers) in applied {
            self.asking.answer_again(answers);
            // It worked before. If it does not now, the script decides by something that is
            // not in its state, and there is nothing better to do than to leave it out.
            let _ = match deed {
                Deed::Input(input) => self.apply(input).await,
                Deed::Timer(timer) => self.apply_timer(timer).await,
            };
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
