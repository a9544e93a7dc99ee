//! From Lua's errors to what a developer reads.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use asobi_game::logic::{FaultKind, ScriptFault};

use crate::budget::Place;

/// Longest fault message, in characters.
const MESSAGE_CHARS: usize = 500;

/// Why Lua code did not finish, before it is known which callback that was.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FaultKind,
    /// Without the place.
    pub(crate) text: String,
    pub(crate) place: Option<Place>,
}

impl Failure {
    /// A failure the bridge itself found, with no line to name.
    pub(crate) fn new(kind: FaultKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            place: None,
        }
    }

    /// Whether the script took more than it was given, which it may well do again.
    pub(crate) fn ran_away(&self) -> bool {
        matches!(self.kind, FaultKind::Timeout | FaultKind::OutOfMemory)
    }

    pub(crate) fn from_error(error: &mlua::Error) -> Self {
        let (kind, message, trace) = unfold(error);
        let (place, text) = split_place(&message);
        let place = place.or_else(|| first_place(&trace));
        // An address helps nobody, and differs at every fault.
        let text = if text.starts_with("table: 0x") {
            "the error is a table".to_owned()
        } else {
            text
        };
        Self { kind, text, place }
    }

    pub(crate) fn timeout(budget: Duration, place: Option<Place>) -> Self {
        let text = format!("used up its CPU budget of {} ms", budget.as_millis());
        Self {
            kind: FaultKind::Timeout,
            text,
            place,
        }
    }

    /// The fault of callback `callback`; `main` is the script blamed when Lua names none.
    pub(crate) fn into_fault(
        self,
        callback: &str,
        main: &str,
        player: Option<&PlayerId>,
    ) -> ScriptFault {
        let (script, line) = match self.place {
            Some(place) => (place.script, Some(place.line)),
            None => (main.to_owned(), None),
        };
        let text = one_line(&self.text);
        let message = match (self.kind, line) {
            (FaultKind::Timeout | FaultKind::OutOfMemory, Some(line)) => {
                format!("{script}:{line}: {callback} {text}")
            }
            (FaultKind::Timeout | FaultKind::OutOfMemory, None) => {
                format!("{script}: {callback} {text}")
            }
            (_, Some(line)) => format!("{script}:{line}: {text}"),
            (_, None) => format!("{script}: {text}"),
        };
        ScriptFault {
            callback: callback.to_owned(),
            script,
            line,
            kind: self.kind,
            message: clip(&message, MESSAGE_CHARS),
            player: player.cloned(),
        }
    }
}

/// Kind, message and traceback of the error at the bottom of mlua's wrappers.
fn unfold(error: &mlua::Error) -> (FaultKind, String, String) {
    match error {
        mlua::Error::SyntaxError { message, .. } => split_trace(FaultKind::LoadError, message),
        mlua::Error::MemoryError(_) => (
            FaultKind::OutOfMemory,
            "used up the memory budget".to_owned(),
            String::new(),
        ),
        mlua::Error::RuntimeError(message) => split_trace(FaultKind::RuntimeError, message),
        mlua::Error::CallbackError { traceback, cause } => {
            let (kind, message, trace) = unfold(cause);
            (
                kind,
                message,
                if trace.is_empty() {
                    traceback.clone()
                } else {
                    trace
                },
            )
        }
        mlua::Error::WithContext { cause, .. } => unfold(cause),
        other => (FaultKind::RuntimeError, other.to_string(), String::new()),
    }
}

fn split_trace(kind: FaultKind, message: &str) -> (FaultKind, String, String) {
    // A script may raise megabytes; nobody reads more than the start.
    let start = |text| clip(text, 2 * MESSAGE_CHARS);
    // The first is the script's own, of the coroutine the callback ran in.
    match message.split_once("\nstack traceback:") {
        Some((text, trace)) => (kind, start(text), trace.to_owned()),
        None => (kind, start(message), String::new()),
    }
}

/// Splits `match.lua:12: text`. Script names end in `.lua`, so a colon in the text is no place.
fn split_place(message: &str) -> (Option<Place>, String) {
    let split = || {
        let end = message.find(".lua:")? + 4;
        let (script, rest) = (&message[..end], &message[end + 1..]);
        let (line, text) = rest.split_once(':')?;
        let line = line.parse().ok()?;
        (!script.contains(char::is_whitespace)).then(|| {
            (
                Place {
                    script: script.to_owned(),
                    line,
                },
                text.trim_start().to_owned(),
            )
        })
    };
    match split() {
        Some((place, text)) => (Some(place), text),
        None => (None, message.to_owned()),
    }
}

fn first_place(trace: &str) -> Option<Place> {
    trace
        .lines()
        .find_map(|line| split_place(line.trim_start()).0)
}

/// Control characters out: a script must not be able to write whole lines of its own into a log.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The first `chars` characters.
pub(crate) fn clip(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

/// Lets through a few faults per callback and counts the rest.
#[derive(Default)]
pub(crate) struct FaultLimiter {
    callbacks: HashMap<String, Window>,
}

struct Window {
    since: Instant,
    let_through: u32,
    held_back: u64,
}

/// Faults of one callback that get through per [`FAULT_WINDOW`].
const FAULTS_PER_WINDOW: u32 = 3;
const FAULT_WINDOW: Duration = Duration::from_secs(10);

impl FaultLimiter {
    /// Whether a fault of `callback` would get through now.
    pub(crate) fn is_open(&self, callback: &str) -> bool {
        self.callbacks.get(callback).is_none_or(|window| {
            window.let_through < FAULTS_PER_WINDOW || window.since.elapsed() >= FAULT_WINDOW
        })
    }

    /// The fault to report, if one may be reported now, telling how many were held back before.
    pub(crate) fn admit(&mut self, mut fault: ScriptFault) -> Option<ScriptFault> {
        let now = Instant::now();
        let window = self
            .callbacks
            .entry(fault.callback.clone())
            .or_insert(Window {
                since: now,
                let_through: 0,
                held_back: 0,
            });
        if now.duration_since(window.since) >= FAULT_WINDOW {
            window.since = now;
            window.let_through = 0;
        }
        if window.let_through == FAULTS_PER_WINDOW {
            window.held_back += 1;
            return None;
        }
        window.let_through += 1;
        let held_back = std::mem::take(&mut window.held_back);
        if held_back > 0 {
            let note = format!(" ({held_back} more held back)");
            fault.message = clip(&fault.message, MESSAGE_CHARS - note.len()) + &note;
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(message: &str) -> ScriptFault {
        Failure::from_error(&mlua::Error::RuntimeError(message.to_owned())).into_fault(
            "tick",
            "match.lua",
            None,
        )
    }

    #[test]
    fn the_place_is_read_from_the_message() {
        let fault =
            fault("lib/a.lua:12: attempt to index a nil value (local 'p')\nstack traceback:\n\tx");
        assert_eq!(
            fault.message,
            "lib/a.lua:12: attempt to index a nil value (local 'p')"
        );
        assert_eq!((fault.script.as_str(), fault.line), ("lib/a.lua", Some(12)));
    }

    #[test]
    fn a_message_without_a_place_takes_it_from_the_traceback() {
        let fault = fault(
            "boom\nstack traceback:\n\t[C]: in function 'error'\n\tmatch.lua:7: in function 'tick'",
        );
        assert_eq!(fault.message, "match.lua:7: boom");
    }

    #[test]
    fn messages_are_one_short_line() {
        let fault = fault(&format!("match.lua:1: a\nb{}", "ä".repeat(600)));
        assert!(fault.message.starts_with("match.lua:1: a b"));
        assert_eq!(fault.message.chars().count(), 500);
    }

    #[test]
    fn the_fourth_fault_is_held_back_and_counted() {
        let mut limiter = FaultLimiter::default();
        for _ in 0..3 {
            assert!(limiter.admit(fault("x")).is_some());
        }
        for _ in 0..17 {
            assert!(limiter.admit(fault("x")).is_none());
        }
        let window = limiter.callbacks.get_mut("tick").expect("seen");
        window.since = Instant::now()
            .checked_sub(FAULT_WINDOW)
            .expect("up long enough");
        let next = limiter.admit(fault("x")).expect("new window");
        assert!(
            next.message.ends_with("(17 more held back)"),
            "{}",
            next.message
        );
    }
}
