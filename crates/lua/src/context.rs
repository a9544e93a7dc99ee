//! What the `game.*` functions of one VM share with the match that owns it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use asobi_game::logic::{Around, Effect, LogLevel, PhaseNow, ScriptFault};
use asobi_game::services::Request;
use asobi_game::timers::{MAX_TIMERS, TimerKey};

/// Lines `game.log` may write per second and match.
const LOG_LINES_PER_SECOND: u32 = 30;

/// Effects queued by callbacks, and whether they are wanted at all.
#[derive(Default)]
pub(crate) struct Context {
    effects: RefCell<Vec<Effect>>,
    muted: Cell<bool>,
    inert: bool,
    log_window: Cell<Option<(Instant, u32)>>,
    /// Whether the callback that runs may wait for the server.
    may_wait: Cell<bool>,
    /// What it asked, on its way out of the VM.
    request: RefCell<Option<Request>>,
    /// What the match last told about itself.
    around: RefCell<Around>,
    /// Timers started since then.
    started: Cell<usize>,
    /// The next timer's id. Undone with the state, so that a callback that is run again gives
    /// the same ids.
    next_timer: Cell<u64>,
}

impl Context {
    /// For a VM that only answers questions about a script: effects are refused.
    pub(crate) fn inert() -> Self {
        Self {
            inert: true,
            ..Self::default()
        }
    }

    pub(crate) fn is_inert(&self) -> bool {
        self.inert
    }

    pub(crate) fn push(&self, effect: Effect) {
        if !self.muted.get() {
            self.effects.borrow_mut().push(effect);
        }
    }

    /// Reports a fault, muted or not.
    pub(crate) fn fault(&self, fault: ScriptFault) {
        self.effects.borrow_mut().push(Effect::Fault(fault));
    }

    /// Where the queue stands now.
    pub(crate) fn mark(&self) -> usize {
        self.effects.borrow().len()
    }

    /// Drops what was queued since `mark`, except what the script logged: that is how its
    /// author finds out what went wrong.
    pub(crate) fn drop_since(&self, mark: usize) {
        let mut effects = self.effects.borrow_mut();
        let mark = mark.min(effects.len());
        let dropped = effects.split_off(mark);
        effects.extend(
            dropped
                .into_iter()
                .filter(|e| matches!(e, Effect::Log { .. } | Effect::Fault(_))),
        );
    }

    pub(crate) fn drain(&self) -> Vec<Effect> {
        std::mem::take(&mut self.effects.borrow_mut())
    }

    /// Runs `f` with effects thrown away: it is done a second time to get a state back.
    pub(crate) fn muted<T>(&self, f: impl FnOnce() -> T) -> T {
        let before = self.mute(true);
        let result = f();
        self.mute(before);
        result
    }

    /// Throws effects away from now on, or no longer. Answers how it was before.
    pub(crate) fn mute(&self, muted: bool) -> bool {
        self.muted.replace(muted)
    }

    /// Runs `f`, a part of a callback that may wait.
    pub(crate) fn waiting<T>(&self, f: impl FnOnce() -> T) -> T {
        self.may_wait.set(true);
        let result = f();
        self.may_wait.set(false);
        result
    }

    /// Whether the callback that runs may wait.
    pub(crate) fn may_wait(&self) -> bool {
        self.may_wait.get()
    }

    /// Asks the server; the callback then yields.
    pub(crate) fn ask(&self, request: Request) {
        self.request.replace(Some(request));
    }

    /// Takes what the callback asked before it yielded.
    pub(crate) fn take_request(&self) -> Option<Request> {
        self.request.take()
    }

    /// Takes in what the match tells about itself.
    pub(crate) fn inform(&self, around: Around) {
        self.started.set(0);
        self.next_timer
            .set(self.next_timer.get().max(around.next_timer));
        self.around.replace(around);
    }

    /// The id of a new timer; `None` when there are too many.
    pub(crate) fn new_timer(&self) -> Option<u64> {
        let started = self.started.get();
        if self.around.borrow().timers + started >= MAX_TIMERS {
            return None;
        }
        self.started.set(started + 1);
        // Id 0 is for timers of phases.
        let id = self.next_timer.get().max(1);
        self.next_timer.set(id + 1);
        Some(id)
    }

    pub(crate) fn next_timer(&self) -> u64 {
        self.next_timer.get()
    }

    pub(crate) fn set_next_timer(&self, next: u64) {
        self.next_timer.set(next);
    }

    /// The timers cancelled by what was queued since `mark`.
    pub(crate) fn cancelled_since(&self, mark: usize) -> Vec<TimerKey> {
        let effects = self.effects.borrow();
        let since = effects.get(mark..).unwrap_or_default();
        let cancelled = since.iter().filter_map(|effect| match effect {
            Effect::CancelTimer(key) => Some(key.clone()),
            _ => None,
        });
        cancelled.collect()
    }

    pub(crate) fn has_phases(&self) -> bool {
        self.around.borrow().phase.is_some()
    }

    /// What `f` makes of the phase and the time, in a match that has phases.
    pub(crate) fn phase<T>(
        &self,
        f: impl FnOnce(&PhaseNow, u64) -> mlua::Result<T>,
    ) -> mlua::Result<Option<T>> {
        let around = self.around.borrow();
        around
            .phase
            .as_ref()
            .map(|phase| f(phase, around.now))
            .transpose()
    }

    /// Writes a log line, if there is budget for one.
    pub(crate) fn log(&self, level: LogLevel, message: String, meta: Option<String>) -> bool {
        if self.muted.get() {
            return true;
        }
        let now = Instant::now();
        let (since, lines) = match self.log_window.get() {
            Some((since, lines)) if now.duration_since(since) < Duration::from_secs(1) => {
                (since, lines)
            }
            _ => (now, 0),
        };
        if lines == LOG_LINES_PER_SECOND {
            return false;
        }
        self.log_window.set(Some((since, lines + 1)));
        self.push(Effect::Log {
            level,
            message,
            meta,
        });
        true
    }
}
