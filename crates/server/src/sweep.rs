//! Forgetting entries of a map that no longer matter, now and then.

use std::collections::HashMap;
use std::hash::Hash;

/// Entries before the first look.
const FIRST: usize = 1_024;

/// When a map was last swept. It is swept again once it has doubled: each entry costs the same
/// however many there are, and the map holds at most twice what it has to.
#[derive(Debug)]
pub struct Sweep {
    due: usize,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { due: FIRST }
    }
}

impl Sweep {
    /// Drops what `matters` does not say to keep, if it is time to look. Call it before each new
    /// entry.
    pub fn look<K: Hash + Eq, V>(
        &mut self,
        map: &mut HashMap<K, V>,
        mut matters: impl FnMut(&K, &V) -> bool,
    ) {
        if map.len() < self.due {
            return;
        }
        map.retain(|key, value| matters(key, value));
        self.due = FIRST.max(map.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_costs_the_same_however_many_there_are() {
        let (mut map, mut sweep, mut looked) = (HashMap::new(), Sweep::default(), 0_usize);
        for n in 0..100_000 {
            sweep.look(&mut map, |_, _| {
                looked += 1;
                true
            });
            map.insert(n, ());
        }
        assert!(looked < 200_000, "{looked}");
    }

    #[test]
    fn what_does_not_matter_goes() {
        let (mut map, mut sweep) = (HashMap::new(), Sweep::default());
        for n in 0..100_000 {
            sweep.look(&mut map, |key, _| key + 10 > n);
            map.insert(n, ());
            assert!(map.len() <= FIRST);
        }
    }
}
