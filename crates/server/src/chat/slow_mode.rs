//! Channels that take one message of a player in a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use parking_lot::{Mutex, RwLock};

use crate::sweep::Sweep;

/// Longest pause. A game that wants a silent channel should not let anybody in.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The pauses a game declares, and who spoke when.
#[derive(Default)]
pub(super) struct SlowMode {
    rules: RwLock<Vec<Rule>>,
    spoken: Mutex<Spoken>,
}

#[derive(Default)]
struct Spoken {
    last: HashMap<(String, PlayerId), Instant>,
    sweep: Sweep,
}

/// The pause of one channel, or of all whose id begins so.
struct Rule {
    pattern: String,
    is_prefix: bool,
    pause: Duration,
}

impl SlowMode {
    /// Takes the game's rules: a channel id, or the beginning of ids if it ends in `:` or `*`,
    /// and seconds. The most exact rule counts, and 0 seconds are no pause.
    pub(super) fn set(&self, rules: Vec<(String, u64)>) {
        let mut rules: Vec<Rule> = rules.into_iter().map(Rule::from).collect();
        rules.sort_by_key(|rule| (rule.is_prefix, usize::MAX - rule.pattern.len()));
        *self.rules.write() = rules;
    }

    /// Whether a player may speak now.
    ///
    /// # Errors
    /// How long until they may.
    pub(super) fn check(
        &self,
        channel: &str,
        player: &PlayerId,
        now: Instant,
    ) -> Result<(), Duration> {
        let Some(pause) = self.pause_of(channel) else {
            return Ok(());
        };
        let key = (channel.to_owned(), player.clone());
        let last = self.spoken.lock().last.get(&key).copied();
        left(last, pause, now).map_or(Ok(()), Err)
    }

    /// Notes that a player speaks.
    ///
    /// # Errors
    /// How long until they may, if another message of theirs was faster since [`Self::check`].
    pub(super) fn note(
        &self,
        channel: &str,
        player: &PlayerId,
        now: Instant,
    ) -> Result<(), Duration> {
        let Some(pause) = self.pause_of(channel) else {
            return Ok(());
        };
        let mut locked = self.spoken.lock();
        let Spoken { last, sweep } = &mut *locked;
        let key = (channel.to_owned(), player.clone());
        if let Some(left) = left(last.get(&key).copied(), pause, now) {
            return Err(left);
        }
        sweep.look(last, |(channel, _), last| {
            let pause = self.pause_of(channel);
            pause.is_some_and(|pause| left(Some(*last), pause, now).is_some())
        });
        last.insert(key, now);
        Ok(())
    }

    fn pause_of(&self, channel: &str) -> Option<Duration> {
        let rules = self.rules.read();
        let rule = rules.iter().find(|rule| rule.covers(channel))?;
        (!rule.pause.is_zero()).then_some(rule.pause)
    }
}

/// What is left of a pause.
fn left(last: Option<Instant>, pause: Duration, now: Instant) -> Option<Duration> {
    let left = pause.saturating_sub(now.saturating_duration_since(last?));
    (!left.is_zero()).then_some(left)
}

impl Rule {
    fn covers(&self, channel: &str) -> bool {
        match self.is_prefix {
            true => channel.starts_with(&self.pattern),
            false => channel == self.pattern,
        }
    }
}

impl From<(String, u64)> for Rule {
    fn from((mut pattern, seconds): (String, u64)) -> Self {
        let is_prefix = pattern.ends_with([':', '*']);
        if pattern.ends_with('*') {
            pattern.pop();
        }
        Self {
            pattern,
            is_prefix,
            pause: Duration::from_secs(seconds).min(MAX_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow_mode(rules: &[(&str, u64)]) -> SlowMode {
        let slow = SlowMode::default();
        slow.set(rules.iter().map(|(p, s)| ((*p).to_owned(), *s)).collect());
        slow
    }

    fn seconds(slow: &SlowMode, channel: &str) -> Option<u64> {
        slow.pause_of(channel).map(|pause| pause.as_secs())
    }

    #[test]
    fn the_most_exact_rule_counts() {
        let slow = slow_mode(&[
            ("global:", 5),
            ("global:new*", 10),
            ("global:news", 0),
            ("global:newbies", 30),
            ("*", 1),
        ]);
        assert_eq!(seconds(&slow, "global:lobby"), Some(5));
        assert_eq!(seconds(&slow, "global:newest"), Some(10));
        assert_eq!(seconds(&slow, "global:news"), None);
        assert_eq!(seconds(&slow, "global:newbies"), Some(30));
        assert_eq!(seconds(&slow, "room:x"), Some(1));
        slow.set(Vec::new());
        assert_eq!(seconds(&slow, "global:lobby"), None);
    }

    #[test]
    fn one_message_in_a_pause_for_each_player_and_channel() {
        let slow = slow_mode(&[("global:a", 5), ("global:b", 5)]);
        let (ada, bob) = (PlayerId::from("ada"), PlayerId::from("bob"));
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(slow.check("global:a", &ada, start), Ok(()));
        assert_eq!(slow.note("global:a", &ada, start), Ok(()));
        let left = Err(Duration::from_millis(3_500));
        assert_eq!(slow.check("global:a", &ada, after(1_500)), left);
        // Of two that were both let through, one is first.
        assert_eq!(slow.note("global:a", &ada, after(1_500)), left);
        assert_eq!(slow.check("global:a", &bob, after(1_500)), Ok(()));
        assert_eq!(slow.check("global:b", &ada, after(1_500)), Ok(()));
        assert_eq!(slow.check("global:a", &ada, after(5_000)), Ok(()));
    }

    #[test]
    fn who_may_speak_again_is_forgotten() {
        let slow = slow_mode(&[("global:a", 1)]);
        let start = Instant::now();
        for n in 0..10_000 {
            let now = start + Duration::from_millis(n);
            let player = PlayerId::from(n.to_string());
            assert_eq!(slow.note("global:a", &player, now), Ok(()));
        }
        let kept = slow.spoken.lock().last.len();
        assert!((1_000..4_000).contains(&kept), "{kept}");
    }
}
