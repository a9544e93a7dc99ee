//! Leaving alone for a while what keeps running away, so that one script cannot keep a
//! simulation thread busy.

use std::collections::HashMap;

use asobi_game::PlayerId;

/// Skips 1 turn after a first overrun, then 2, 4, 8 and 16, until one succeeds.
#[derive(Default)]
pub(crate) struct Backoff {
    overruns: u32,
    skip: u32,
}

impl Backoff {
    /// Whether this turn is one to skip.
    pub(crate) fn skips(&mut self) -> bool {
        let skips = self.skip > 0;
        self.skip = self.skip.saturating_sub(1);
        skips
    }

    pub(crate) fn overrun(&mut self) {
        self.skip = 1 << self.overruns.min(4);
        self.overruns += 1;
    }

    pub(crate) fn success(&mut self) {
        self.overruns = 0;
    }
}

/// One of these for each player for whom something ran away.
#[derive(Default)]
pub(crate) struct Backoffs(HashMap<PlayerId, Backoff>);

impl Backoffs {
    /// More players than any match has: those who left do not matter any more.
    const MOST: usize = 1024;

    pub(crate) fn skips(&mut self, player: &PlayerId) -> bool {
        // Nearly always empty, and then nothing is hashed.
        !self.0.is_empty() && self.0.get_mut(player).is_some_and(Backoff::skips)
    }

    pub(crate) fn overrun(&mut self, player: &PlayerId) {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.entry(player.clone()).or_default().overrun();
    }

    pub(crate) fn success(&mut self, player: &PlayerId) {
        if !self.0.is_empty() {
            self.0.remove(player);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of `turns` turns are taken when all of them overrun.
    fn taken(turns: u32) -> Vec<u32> {
        let mut backoff = Backoff::default();
        (0..turns)
            .filter(|_| {
                let taken = !backoff.skips();
                if taken {
                    backoff.overrun();
                }
                taken
            })
            .collect()
    }

    #[test]
    fn turns_are_skipped_ever_longer_up_to_sixteen() {
        assert_eq!(taken(60), [0, 2, 5, 10, 19, 36, 53]);
    }

    #[test]
    fn one_player_does_not_hold_up_another() {
        let (a, b) = (PlayerId::from("a"), PlayerId::from("b"));
        let mut backoffs = Backoffs::default();
        backoffs.overrun(&a);
        assert!(backoffs.skips(&a) && !backoffs.skips(&b));
        assert!(!backoffs.skips(&a));
        backoffs.success(&a);
        assert!(!backoffs.skips(&a));
    }
}
