//! A match's random numbers: xoshiro256++, small enough to be part of a snapshot.

use std::cell::Cell;

/// The generator behind `math.random`. Shared between a VM and whoever saves and restores it.
#[derive(Debug)]
pub(crate) struct Random(Cell<[u64; 4]>);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        let random = Self(Cell::new([0; 4]));
        random.reseed(seed);
        random
    }

    /// Starts over from `seed`, spread by splitmix64 as the generator's authors advise.
    pub(crate) fn reseed(&self, seed: u64) {
        let mut x = seed;
        self.0.set(std::array::from_fn(|_| {
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = x;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }));
    }

    pub(crate) fn state(&self) -> [u64; 4] {
        self.0.get()
    }

    /// Takes up a saved state. All zeros, which the generator could never leave, are refused.
    pub(crate) fn restore(&self, state: [u64; 4]) {
        if state != [0; 4] {
            self.0.set(state);
        }
    }

    pub(crate) fn next(&self) -> u64 {
        let mut s = self.0.get();
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        self.0.set(s);
        result
    }

    /// In `[0, 1)`, all 53 bits used.
    pub(crate) fn float(&self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// In `[low, high]`, each equally likely; `low <= high`.
    pub(crate) fn between(&self, low: i64, high: i64) -> i64 {
        let span = high.wrapping_sub(low) as u64;
        let Some(count) = span.checked_add(1) else {
            return self.next() as i64;
        };
        // Throw away what would make the low results likelier.
        let limit = u64::MAX - u64::MAX % count;
        loop {
            let n = self.next();
            if n < limit {
                return low.wrapping_add((n % count) as i64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn same_seed_same_numbers() {
        let (a, b) = (Random::seeded(7), Random::seeded(7));
        assert!((0..100).all(|_| a.next() == b.next()));
        b.restore(a.state());
        assert_eq!(a.float(), b.float());
    }

    proptest! {
        #[test]
        fn stays_in_range(seed: u64, a: i64, b: i64) {
            let random = Random::seeded(seed);
            let (low, high) = (a.min(b), a.max(b));
            for _ in 0..20 {
                let n = random.between(low, high);
                prop_assert!(low <= n && n <= high);
                let f = random.float();
                prop_assert!((0.0..1.0).contains(&f));
            }
        }
    }
}
