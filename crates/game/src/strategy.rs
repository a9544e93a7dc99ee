//! Matchmaking strategies: which of the waiting tickets make a match.
//!
//! A strategy is a function from tickets, oldest first, to groups. It changes nothing.

use crate::ids::PlayerId;
use crate::modes::Mode;

/// One waiting player.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// Who waits.
    pub player: PlayerId,
    /// Unix milliseconds of the first submission.
    pub submitted_at: u64,
}

/// Groups of indices into the tickets. An index stands in one group at most.
pub type Groups = Vec<Vec<usize>>;

/// Groups `tickets` as the mode's strategy says. A name that is no strategy means `fill`.
pub fn group(mode: &Mode, tickets: &[Ticket]) -> Groups {
    fill(
        tickets.len(),
        mode.match_size as usize,
        mode.group_up_to as usize,
    )
}

/// First come, first matched: groups of at least `size` and at most `up_to`, in order.
fn fill(waiting: usize, size: usize, up_to: usize) -> Groups {
    let (size, up_to) = (size.max(1), up_to.max(size).max(1));
    let mut groups = Vec::new();
    let mut next = 0;
    while waiting - next >= size {
        let take = (waiting - next).min(up_to);
        groups.push((next..next + take).collect());
        next += take;
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fills_in_order() {
        assert_eq!(fill(5, 2, 2), vec![vec![0, 1], vec![2, 3]]);
        assert_eq!(fill(1, 2, 2), Groups::new());
        assert_eq!(fill(7, 4, 10), vec![vec![0, 1, 2, 3, 4, 5, 6]]);
        assert_eq!(fill(13, 4, 10), vec![(0..10).collect::<Vec<_>>()]);
    }

    proptest! {
        #[test]
        fn nobody_stands_twice_and_every_group_has_its_size(
            waiting in 0usize..200, size in 1usize..12, extra in 0usize..12,
        ) {
            let groups = fill(waiting, size, size + extra);
            let all: Vec<usize> = groups.iter().flatten().copied().collect();
            prop_assert_eq!(&all, &(0..all.len()).collect::<Vec<_>>());
            prop_assert!(groups.iter().all(|g| (size..=size + extra).contains(&g.len())));
            prop_assert!(waiting - all.len() < size);
        }
    }
}
