//! First come, first matched.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Groups, Indexed, Places, companions};

/// Groups the tickets, oldest first. The oldest is the first of its group, if there are others
/// to fill it.
///
/// Tickets wait by size. A group takes no more of a size than fit, so only those are looked at:
/// the work grows with the number of tickets, not its square.
pub(super) fn group(tickets: &[Indexed<'_>], places: Places) -> Groups {
    let mut waiting: BTreeMap<usize, VecDeque<usize>> = BTreeMap::new();
    for (at, ticket) in tickets {
        if ticket.size() <= places.cap() {
            waiting.entry(ticket.size()).or_default().push_back(*at);
        }
    }
    let mut groups = Groups::new();
    // Sizes no group was found for. There are fewer and fewer tickets, so none will be.
    let mut hopeless = BTreeSet::new();
    while let Some((size, first)) = oldest(&waiting, &hopeless) {
        let mut candidates = candidates(&waiting, places.most);
        candidates.retain(|(_, at)| *at != first);
        let sizes: Vec<usize> = candidates.iter().map(|(size, _)| *size).collect();
        let Some(chosen) = companions(size, &sizes, places) else {
            hopeless.insert(size);
            continue;
        };
        let others = chosen.iter().map(|at| candidates[*at]);
        let mut group = Vec::with_capacity(chosen.len() + 1);
        for (size, at) in others.chain([(size, first)]) {
            group.push(at);
            let queue = waiting.get_mut(&size);
            let queue = queue.expect("a chosen ticket waits under its size");
            // Near the front: only so many of a size were candidates.
            let place = queue.iter().position(|waiting| *waiting == at);
            queue.remove(place.expect("a chosen ticket waits"));
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

/// The oldest ticket whose size is not hopeless, and its size.
fn oldest(
    waiting: &BTreeMap<usize, VecDeque<usize>>,
    hopeless: &BTreeSet<usize>,
) -> Option<(usize, usize)> {
    let heads = waiting
        .iter()
        .filter(|(size, _)| !hopeless.contains(size))
        .filter_map(|(size, queue)| Some((*size, *queue.front()?)));
    heads.min_by_key(|(_, at)| *at)
}

/// The tickets that may matter to a group of at most `most` players, oldest first, with their
/// sizes.
fn candidates(waiting: &BTreeMap<usize, VecDeque<usize>>, most: usize) -> Vec<(usize, usize)> {
    let mut candidates: Vec<(usize, usize)> = waiting
        .iter()
        .flat_map(|(size, queue)| queue.iter().take(most / size).map(|at| (*size, *at)))
        .collect();
    candidates.sort_unstable_by_key(|(_, at)| *at);
    candidates
}
