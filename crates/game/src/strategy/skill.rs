//! Players of like skill, within a window that grows while they wait.
//!
//! Two tickets may meet if their skills are no further apart than their windows are wide on
//! average. So the wait of either counts, whichever is the better player, and somebody nobody
//! is near is matched in the end: their own window grows without bound.

use super::{Groups, Indexed, Places, Ticket, companions};
use crate::modes::Mode;

/// The window grows by `skill_expand_rate` each time this much has passed. From the original.
const EXPAND_EVERY_MS: u64 = 5_000;

/// How many tickets on either side are looked at for each place of a group: beyond that, a match
/// is not worth the time.
const LOOK_AT: usize = 2;

/// How far away in skill a ticket accepts others by now.
pub(super) fn window(mode: &Mode, ticket: &Ticket, now: u64) -> f64 {
    let steps = now.saturating_sub(ticket.submitted_at) / EXPAND_EVERY_MS;
    let rules = &mode.matching;
    f64::from(rules.skill_window) + steps as f64 * f64::from(rules.skill_expand_rate)
}

/// Whether two tickets may meet.
pub(super) fn fit(mode: &Mode, a: &Ticket, b: &Ticket, now: u64) -> bool {
    near(
        (a.skill, window(mode, a, now)),
        (b.skill, window(mode, b, now)),
    )
}

fn near((a, a_window): (f64, f64), (b, b_window): (f64, f64)) -> bool {
    (a - b).abs() <= (a_window + b_window) / 2.0
}

/// Groups the tickets. The oldest chooses first, and takes who is nearest: whoever waits longest
/// is never passed over for a later pair. Within a group the weakest and the strongest may meet,
/// and everybody may meet the one who chose.
pub(super) fn group(mode: &Mode, tickets: &[Indexed<'_>], places: Places, now: u64) -> Groups {
    let mut line = Line::new(mode, tickets, places, now);
    let mut by_age: Vec<usize> = (0..line.entries.len()).collect();
    by_age.sort_unstable_by_key(|at| line.entries[*at].ticket);
    let mut groups = Groups::new();
    for anchor in by_age {
        if line.taken[anchor] {
            continue;
        }
        let Some(chosen) = line.choose(anchor, places) else {
            continue;
        };
        let mut group: Vec<usize> = Vec::with_capacity(chosen.len() + 1);
        for at in chosen.into_iter().chain([anchor]) {
            line.take(at);
            group.push(line.entries[at].ticket);
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

/// The tickets in a line by skill, from which those that found a match step out.
struct Line {
    entries: Vec<Entry>,
    taken: Vec<bool>,
    /// The next and the previous one that still stands, with one end before the first and one
    /// after the last.
    next: Vec<usize>,
    previous: Vec<usize>,
    widest: f64,
}

struct Entry {
    skill: f64,
    window: f64,
    size: usize,
    /// The index in the list that is grouped, which is its place by age.
    ticket: usize,
}

impl Line {
    fn new(mode: &Mode, tickets: &[Indexed<'_>], places: Places, now: u64) -> Self {
        let fits = |(_, ticket): &&Indexed<'_>| ticket.size() <= places.cap();
        let mut entries: Vec<Entry> = tickets
            .iter()
            .filter(fits)
            .map(|(at, ticket)| Entry {
                skill: ticket.skill,
                window: window(mode, ticket, now),
                size: ticket.size(),
                ticket: *at,
            })
            .collect();
        entries.sort_unstable_by(|a, b| {
            let by_skill = a.skill.total_cmp(&b.skill);
            by_skill.then(a.ticket.cmp(&b.ticket))
        });
        let count = entries.len();
        Self {
            widest: entries.iter().map(|entry| entry.window).fold(0.0, f64::max),
            taken: vec![false; count],
            // Places are counted from 1 here: 0 and `count + 1` are the ends.
            next: (1..=count + 2).collect(),
            previous: (0..count + 2).map(|at| at.saturating_sub(1)).collect(),
            entries,
        }
    }

    fn take(&mut self, at: usize) {
        self.taken[at] = true;
        let (before, after) = (self.previous[at + 1], self.next[at + 1]);
        self.next[before] = after;
        self.previous[after] = before;
    }

    /// Who plays with `anchor`, if enough may.
    fn choose(&self, anchor: usize, places: Places) -> Option<Vec<usize>> {
        let near = self.nearest(anchor, places.most * LOOK_AT);
        let group = self.tightest(anchor, &near, places);
        group.or_else(|| {
            // Those on one side only: the ends of the other may be too far apart.
            let skill = self.entries[anchor].skill;
            let (below, above): (Vec<usize>, Vec<usize>) =
                near.iter().partition(|at| self.entries[**at].skill < skill);
            let below = self.tightest(anchor, &below, places);
            below.or_else(|| self.tightest(anchor, &above, places))
        })
    }

    /// The nearest of `from` that fill the places, if the ends of them may meet.
    fn tightest(&self, anchor: usize, from: &[usize], places: Places) -> Option<Vec<usize>> {
        let (mut low, mut high) = (anchor, anchor);
        let mut candidates = Vec::new();
        for at in from {
            let (lower, higher) = (low.min(*at), high.max(*at));
            if self.near(lower, higher) {
                (low, high) = (lower, higher);
                candidates.push(*at);
            }
        }
        let sizes: Vec<usize> = candidates.iter().map(|at| self.entries[*at].size).collect();
        let chosen = companions(self.entries[anchor].size, &sizes, places)?;
        let chosen: Vec<usize> = chosen.into_iter().map(|at| candidates[at]).collect();
        // Not all candidates were chosen, so other two may stand at the ends now.
        let low = chosen.iter().fold(anchor, |low, at| low.min(*at));
        let high = chosen.iter().fold(anchor, |high, at| high.max(*at));
        self.near(low, high).then_some(chosen)
    }

    /// Up to `most` others on either side who may meet `anchor`, nearest first.
    fn nearest(&self, anchor: usize, most: usize) -> Vec<usize> {
        let mine = self.entries[anchor].skill;
        let reach = (self.entries[anchor].window + self.widest) / 2.0;
        let within = |at: &usize| (self.entries[*at].skill - mine).abs() <= reach;
        let below = std::iter::successors(self.before(anchor), |at| self.before(*at));
        let above = std::iter::successors(self.after(anchor), |at| self.after(*at));
        let below = below.take(most).take_while(within);
        let above = above.take(most).take_while(within);
        let mut near: Vec<usize> = below
            .chain(above)
            .filter(|at| self.near(anchor, *at))
            .collect();
        near.sort_unstable_by(|a, b| {
            let distance = |at: &usize| (self.entries[*at].skill - mine).abs();
            let by_distance = distance(a).total_cmp(&distance(b));
            by_distance.then(self.entries[*a].ticket.cmp(&self.entries[*b].ticket))
        });
        near
    }

    fn before(&self, at: usize) -> Option<usize> {
        self.previous[at + 1].checked_sub(1)
    }

    fn after(&self, at: usize) -> Option<usize> {
        let next = self.next[at + 1] - 1;
        (next < self.entries.len()).then_some(next)
    }

    fn near(&self, a: usize, b: usize) -> bool {
        let of = |at: usize| (self.entries[at].skill, self.entries[at].window);
        near(of(a), of(b))
    }
}
