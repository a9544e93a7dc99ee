//! One player of the load: queues, plays, and watches for its own inputs in the states.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::bail;
use asobi_client::Connection;
use serde_json::json;
use tokio::time::interval_at;

use super::guests::Guest;
use super::samples::Samples;
use super::window::Window;

/// What all players have seen in the window.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) window: Window,
    /// Set when the players are to leave.
    pub(super) over: Cell<bool>,
    /// Players in a match.
    pub(super) matched: Cell<usize>,
    /// States received.
    pub(super) states: Cell<usize>,
    /// Their size, the frame's text with its envelope.
    pub(super) bytes: Cell<usize>,
    /// Inputs sent.
    pub(super) inputs: Cell<usize>,
    /// From one state to the next on the same connection.
    pub(super) intervals: RefCell<Samples>,
    /// From sending an input to reading the first state that shows it.
    pub(super) visible: RefCell<Samples>,
}

/// One player and its connection.
#[derive(Debug)]
pub(super) struct Player {
    connection: Connection,
    sight: Sight,
    /// Which of all players; spreads their inputs over time and over directions.
    at: usize,
}

/// What a player makes of the frames it gets.
#[derive(Debug)]
struct Sight {
    /// `"<player id>":`, where the player stands in a state.
    own_key: String,
    /// Inputs not seen in a state yet: number and when it was sent.
    unseen: VecDeque<(u64, Instant)>,
    last_state: Option<Instant>,
    matched: bool,
    meter: Rc<Meter>,
}

impl Player {
    pub(super) fn new(guest: Guest, at: usize, meter: Rc<Meter>) -> Self {
        let sight = Sight {
            own_key: format!("\"{}\":", guest.player_id),
            unseen: VecDeque::new(),
            last_state: None,
            matched: false,
            meter,
        };
        Self {
            connection: guest.connection,
            sight,
            at,
        }
    }

    /// Queues for `mode` and, once matched, sends an input `every` so often until it is over.
    /// Fails with what goes wrong.
    pub(super) async fn play(mut self, mode: String, every: Duration) -> anyhow::Result<()> {
        let add = json!({"type": "matchmaker.add", "payload": {"mode": mode}});
        self.connection.send_text(add.to_string()).await?;
        while !self.sight.matched {
            self.read().await?;
        }
        // 7.919 ms apart: the inputs come at all points of a tick.
        let offset = Duration::from_micros(self.at as u64 * 7919 % 100_000);
        let mut pace = interval_at(tokio::time::Instant::now() + offset, every);
        let mut n = 0;
        while !self.sight.meter.over.get() {
            tokio::select! {
                _ = pace.tick() => {
                    n += 1;
                    self.sight.sent(n);
                    self.connection.send_text(input(n, self.at)).await?;
                }
                read = self.read() => read?,
            }
        }
        self.leave().await
    }

    /// Leaves the match, so that the server need not hold the place, and hangs up.
    async fn leave(mut self) -> anyhow::Result<()> {
        let leave = json!({"type": "match.leave", "cid": "leave", "payload": {}});
        self.connection.send_text(leave.to_string()).await?;
        while !is(
            self.connection.next().await?.text().unwrap_or_default(),
            "match.left",
        ) {}
        Ok(self.connection.close(1000, "").await?)
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let frame = self.connection.next().await?;
        let now = Instant::now();
        match frame.text() {
            Some(text) => self.sight.frame(text, now),
            None => Ok(()),
        }
    }
}

/// Sails in one direction for a while, then in another, and fires now and then.
fn input(n: u64, at: usize) -> String {
    let heading = (n / 8 + at as u64) % 9;
    let (x, y) = (heading as i64 % 3 - 1, heading as i64 / 3 - 1);
    let fire = n.is_multiple_of(5);
    format!(r#"{{"type":"match.input","payload":{{"n":{n},"x":{x},"y":{y},"fire":{fire}}}}}"#)
}

impl Sight {
    fn sent(&mut self, n: u64) {
        self.unseen.push_back((n, Instant::now()));
        if self.meter.window.is_open() {
            add(&self.meter.inputs, 1);
        }
    }

    fn frame(&mut self, text: &str, now: Instant) -> anyhow::Result<()> {
        if is(text, "match.state") {
            self.state(text, now);
        } else if is(text, "match.matched") {
            self.matched = true;
            add(&self.meter.matched, 1);
        } else if is(text, "error") || is(text, "match.finished") || is(text, "module.error") {
            bail!("the server sent {text}");
        }
        Ok(())
    }

    fn state(&mut self, text: &str, now: Instant) {
        let counts = self.meter.window.is_open();
        let before = self.last_state.replace(now);
        if counts {
            add(&self.meter.states, 1);
            add(&self.meter.bytes, text.len());
            if let Some(before) = before {
                self.meter.intervals.borrow_mut().push(now - before);
            }
        }
        let shown = own_number(text, &self.own_key).unwrap_or(0);
        while let Some((_, at)) = self.unseen.pop_front_if(|(n, _)| *n <= shown) {
            if counts {
                self.meter.visible.borrow_mut().push(now - at);
            }
        }
    }
}

fn add(cell: &Cell<usize>, more: usize) {
    cell.set(cell.get() + more);
}

/// Whether this is the frame's type: `{"type":"<kind>"` at the start, or at the end as other
/// servers write it. Parsing whole states would cost more than all the rest.
fn is(text: &str, kind: &str) -> bool {
    let typed = |part: &str| {
        part.split("\"type\":").skip(1).any(|rest| {
            rest.strip_prefix('"')
                .and_then(|rest| rest.strip_prefix(kind))
                .is_some_and(|rest| rest.starts_with('"'))
        })
    };
    let head = text.floor_char_boundary(64);
    let tail = text.ceil_char_boundary(text.len().saturating_sub(64));
    typed(&text[..head]) || (tail > 0 && typed(&text[tail..]))
}

/// The player's own `n` in a state: the first `"n":` after its key.
fn own_number(text: &str, own_key: &str) -> Option<u64> {
    let own = &text[text.find(own_key)? + own_key.len()..];
    let own = &own[..own.find('}')?];
    let number = &own[own.find("\"n\":")? + 4..];
    let digits = number
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{"type":"match.state","payload":{"players":{"a":{"hp":1,"n":7},"b":{"n":12,"x":0.5},"c":{"x":1}}}}"#;

    #[test]
    fn finds_a_players_own_number() {
        assert_eq!(own_number(STATE, "\"a\":"), Some(7));
        assert_eq!(own_number(STATE, "\"b\":"), Some(12));
        assert_eq!(own_number(STATE, "\"c\":"), None);
        assert_eq!(own_number(STATE, "\"d\":"), None);
    }

    #[test]
    fn tells_frames_apart_wherever_their_type_stands() {
        assert!(is(STATE, "match.state"));
        assert!(!is(STATE, "match"));
        let long = format!(
            r#"{{"payload":{{"text":"{}"}},"type":"error"}}"#,
            "x".repeat(200)
        );
        assert!(is(&long, "error"));
        assert!(!is("", "error"));
    }

    #[test]
    fn an_input_is_json_with_its_number() {
        for n in 1..40 {
            let frame: serde_json::Value = serde_json::from_str(&input(n, 3)).expect("JSON");
            assert_eq!(frame["payload"]["n"], n);
            assert!(frame["payload"]["x"].as_i64().is_some_and(|x| x.abs() <= 1));
        }
    }

    #[test]
    fn an_input_is_seen_in_the_first_state_that_shows_it_or_a_later_one() {
        let meter = Rc::new(Meter::default());
        meter.window.open();
        let mut sight = Sight {
            own_key: "\"a\":".into(),
            unseen: VecDeque::new(),
            last_state: None,
            matched: true,
            meter: meter.clone(),
        };
        for n in 6..=8 {
            sight.sent(n);
        }
        sight.frame(STATE, Instant::now()).expect("a state");
        assert_eq!(sight.unseen.len(), 1);
        assert_eq!(meter.visible.borrow().len(), 2);
        assert_eq!((meter.states.get(), meter.inputs.get()), (1, 3));
    }
}
