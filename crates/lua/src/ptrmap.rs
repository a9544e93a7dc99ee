//! A map from addresses to offsets, made to be cleared and filled again at every tick.

use std::ffi::c_void;

/// Open addressing over a power of two of slots; an address of zero is an empty slot.
#[derive(Default)]
pub(crate) struct PtrMap {
    slots: Vec<(usize, usize)>,
    used: usize,
}

impl PtrMap {
    pub(crate) fn clear(&mut self) {
        // One unusually large state should not make every later clearing slow.
        if self.slots.len() > 1024 && self.used < self.slots.len() / 16 {
            self.slots = Vec::new();
        }
        self.slots.fill((0, 0));
        self.used = 0;
    }

    /// What `key` was given before, or else gives it `value`.
    pub(crate) fn insert(&mut self, key: *const c_void, value: usize) -> Option<usize> {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let slot = self.find(key as usize);
        if self.slots[slot].0 != 0 {
            return Some(self.slots[slot].1);
        }
        self.slots[slot] = (key as usize, value);
        self.used += 1;
        None
    }

    fn find(&self, key: usize) -> usize {
        let mask = self.slots.len() - 1;
        // Fibonacci hashing; the low bits of an address say nothing.
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let mut slot = hash & mask;
        while self.slots[slot].0 != 0 && self.slots[slot].0 != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let larger = vec![(0, 0); (self.slots.len() * 2).max(64)];
        let old = std::mem::replace(&mut self.slots, larger);
        for entry in old {
            if entry.0 != 0 {
                let slot = self.find(entry.0);
                self.slots[slot] = entry;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_first_value() {
        let mut map = PtrMap::default();
        for round in 0..3 {
            map.clear();
            for i in 1..500usize {
                assert_eq!(map.insert((i * 64) as *const c_void, i + round), None);
            }
            for i in 1..500usize {
                assert_eq!(map.insert((i * 64) as *const c_void, 0), Some(i + round));
            }
        }
    }
}
