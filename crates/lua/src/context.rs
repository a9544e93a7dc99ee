//! What the `game.*` functions of one VM share with the match that owns it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use asobi_game::logic::{Effect, LogLevel, ScriptFault};
use asobi_game::services::Request;

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
