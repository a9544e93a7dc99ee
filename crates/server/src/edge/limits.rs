//! Rate limits: token buckets, one per connection, address or player.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use asobi_wire::{ApiError, Code};
use parking_lot::Mutex;

use crate::sweep::Sweep;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    amount: u32,
    per: Duration,
}

impl Rate {
    /// `amount` in each `per`; 0 is no limit at all.
    pub fn new(amount: u32, per: Duration) -> Self {
        Self { amount, per }
    }

    /// `amount` a second.
    pub fn per_second(amount: u32) -> Self {
        Self::new(amount, Duration::from_secs(1))
    }

    fn tokens_per_second(&self) -> f64 {
        f64::from(self.amount) / self.per.as_secs_f64()
    }
}

/// One bucket. It starts full, so that a burst up to the limit passes.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn full(rate: Rate, now: Instant) -> Self {
        Self {
            tokens: f64::from(rate.amount),
            at: now,
        }
    }

    /// Takes a token, or says how long until there is one.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        if rate.amount == 0 {
            return Ok(());
        }
        let filled =
            now.saturating_duration_since(self.at).as_secs_f64() * rate.tokens_per_second();
        self.tokens = (self.tokens + filled).min(f64::from(rate.amount));
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(
            (1.0 - self.tokens) / rate.tokens_per_second(),
        ))
    }

    fn is_full(&self, rate: Rate, now: Instant) -> bool {
        let filled =
            now.saturating_duration_since(self.at).as_secs_f64() * rate.tokens_per_second();
        self.tokens + filled >= f64::from(rate.amount)
    }
}

/// A bucket for each key.
pub struct Limiter<K> {
    rate: Rate,
    buckets: Mutex<(HashMap<K, TokenBucket>, Sweep)>,
}

impl<K: Hash + Eq> Limiter<K> {
    /// A limiter without keys yet.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Mutex::new((HashMap::new(), Sweep::default())),
        }
    }

    /// Takes a token of `key`.
    pub fn take(&self, key: K) -> Result<(), Duration> {
        if self.rate.amount == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let mut locked = self.buckets.lock();
        let (buckets, sweep) = &mut *locked;
        // A full bucket is as good as none: forgetting it forgives nothing.
        sweep.look(buckets, |_, bucket| !bucket.is_full(self.rate, now));
        let bucket = buckets
            .entry(key)
            .or_insert_with(|| TokenBucket::full(self.rate, now));
        bucket.take(self.rate, now)
    }
}

/// Lets a line into the log once in a while: strangers must not fill it by asking.
pub struct Seldom(Limiter<()>);

impl Default for Seldom {
    fn default() -> Self {
        Self(Limiter::new(Rate::new(1, Duration::from_secs(10))))
    }
}

impl Seldom {
    /// Whether it is time for a line again.
    pub fn is_due(&self) -> bool {
        self.0.take(()).is_ok()
    }
}

/// The answer to somebody who asks too often.
pub fn rate_limited(wait: Duration) -> ApiError {
    ApiError::from(Code::RateLimited).with("retry_after", retry_after(wait))
}

/// A wait as `retry_after` tells it: whole seconds, at least one.
pub fn retry_after(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_up_to_the_limit_passes_and_then_it_drips() {
        let (rate, start) = (Rate::per_second(3), Instant::now());
        let mut bucket = TokenBucket::full(rate, start);
        let taken = (0..5).filter(|_| bucket.take(rate, start).is_ok()).count();
        assert_eq!(taken, 3);
        let wait = bucket.take(rate, start).expect_err("empty");
        assert!(
            bucket
                .take(rate, start + wait + Duration::from_millis(1))
                .is_ok()
        );
        assert!(bucket.take(rate, start + wait).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let limiter = Limiter::new(Rate::per_second(0));
        assert!((0..10_000).all(|_| limiter.take("anyone").is_ok()));
    }

    #[test]
    fn a_line_comes_once_in_a_while() {
        let seldom = Seldom::default();
        assert!(seldom.is_due());
        assert!(!(0..1_000).any(|_| seldom.is_due()));
    }

    #[test]
    fn keys_do_not_share_a_bucket() {
        let limiter = Limiter::new(Rate::new(1, Duration::from_secs(60)));
        assert!(limiter.take("a").is_ok());
        assert!(limiter.take("b").is_ok());
        assert!(limiter.take("a").is_err());
    }
}
