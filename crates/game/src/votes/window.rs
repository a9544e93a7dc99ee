//! When a vote is open. Times are Unix milliseconds.

use serde::{Deserialize, Serialize};

use super::request::{VoteRequest, WindowType};

/// Ballots that arrive this long after the window closed still count: they were cast in time
/// and travelled.
pub const GRACE_MS: u64 = 500;

/// What an `adaptive` vote leaves the others once there is a supermajority, in milliseconds.
pub const ADAPTIVE_REST_MS: u64 = 3_000;

/// A vote's window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Window {
    kind: WindowType,
    opened_at: u64,
    closes_at: u64,
    min_ms: u64,
}

impl Window {
    /// The window of a vote that opens at `now`.
    pub fn open(request: &VoteRequest, now: u64) -> Self {
        Self {
            kind: request.window_type,
            opened_at: now,
            closes_at: now.saturating_add(request.window_ms),
            min_ms: request.min_window_ms,
        }
    }

    /// When it opened.
    pub fn opened_at(&self) -> u64 {
        self.opened_at
    }

    /// What is left of it.
    pub fn remaining_ms(&self, now: u64) -> u64 {
        self.closes_at.saturating_sub(now)
    }

    /// Whether a ballot that arrives now is too late. The last ballot of a `ready_up` vote
    /// closes it at once: nobody's ballot is on its way.
    pub fn is_closed(&self, now: u64, all_voted: bool) -> bool {
        now > self.closes_at + GRACE_MS || (all_voted && self.may_close_early(now))
    }

    /// Whether the vote can be counted.
    pub fn is_over(&self, now: u64, all_voted: bool) -> bool {
        now >= self.closes_at + GRACE_MS || (all_voted && self.may_close_early(now))
    }

    fn may_close_early(&self, now: u64) -> bool {
        match self.kind {
            WindowType::Fixed | WindowType::Adaptive => false,
            WindowType::ReadyUp => true,
            WindowType::Hybrid => now >= self.opened_at.saturating_add(self.min_ms),
        }
    }

    /// Whether a supermajority shortens it.
    pub fn is_adaptive(&self) -> bool {
        self.kind == WindowType::Adaptive
    }

    /// There is a supermajority at `now`. Losing it later does not lengthen the window again.
    pub fn shrink(&mut self, now: u64) {
        self.closes_at = self.closes_at.min(now + ADAPTIVE_REST_MS);
    }

    /// Moves the window in time, so that a vote restored after a pause has the time left that
    /// it had before.
    pub fn shift(&mut self, pause_ms: u64) {
        self.opened_at += pause_ms;
        self.closes_at += pause_ms;
    }
}
