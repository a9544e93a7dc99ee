//! Matchmaking strategies: which of the waiting tickets make a match.
//!
//! A strategy is a function from tickets, oldest first, to groups. It changes nothing, and
//! answers the same groups for the same tickets and the same time. A ticket is one player or a
//! whole party; it is never split.
//!
//! * [`fill`]: first come, first matched. * [`skill`]: players of like skill.
//! * [`pick`]: which tickets fill a number of places. * [`teams`]: two sides of a match.
//! * [`answer`]: what a strategy of the game's own may answer.

pub mod answer;
mod fill;
pub mod pick;
mod skill;
pub mod teams;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::PlayerId;
use crate::modes::Mode;

/// The skill of a ticket that names none. From the original.
pub const DEFAULT_SKILL: f64 = 1000.0;

/// One waiting player, or a party that waits as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// Who waits: one player, or the whole party with its leader first. Never empty.
    pub players: Vec<PlayerId>,
    /// Unix milliseconds of the first submission.
    pub submitted_at: u64,
    /// How good they are (`properties.skill`).
    pub skill: f64,
    /// Where they want to play (`properties.region`), if they say.
    pub region: Option<String>,
}

impl Ticket {
    /// How many players wait.
    pub fn size(&self) -> usize {
        self.players.len()
    }
}

/// Groups of indices into the tickets. An index stands in one group at most.
pub type Groups = Vec<Vec<usize>>;

/// How many places a group fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Places {
    least: usize,
    most: usize,
    /// The match has two sides of half `most` each.
    sides: bool,
}

impl Places {
    fn of(mode: &Mode) -> Self {
        let size = mode.match_size.max(1) as usize;
        let sides = mode.matching.teams == 2;
        let most = match sides {
            true => size,
            false => size.max(mode.group_up_to as usize),
        };
        Self {
            least: size,
            most,
            sides,
        }
    }

    /// Most players one ticket may have.
    fn cap(&self) -> usize {
        match self.sides {
            // An odd match has one larger side.
            true => self.most.div_ceil(2),
            false => self.most,
        }
    }
}

/// Most players one party may have to queue for a mode.
pub fn largest_party(mode: &Mode) -> usize {
    match mode.matching.script.is_some() {
        true => mode.max_players as usize,
        false => Places::of(mode).cap(),
    }
}

/// Groups `tickets`, oldest first, as the mode's strategy says. `now` is Unix milliseconds. A
/// strategy that is a script is not asked here.
pub fn group(mode: &Mode, tickets: &[Arc<Ticket>], now: u64) -> Groups {
    let places = Places::of(mode);
    let mut groups = Groups::new();
    for tickets in regions(mode, tickets) {
        groups.extend(match mode.strategy.as_str() {
            "skill_based" => skill::group(mode, &tickets, places, now),
            _ => fill::group(&tickets, places),
        });
    }
    groups
}

/// Whether the mode lets two tickets play together, as far as region and skill go.
pub fn may_meet(mode: &Mode, a: &Ticket, b: &Ticket, now: u64) -> bool {
    let region = !mode.matching.match_regions || a.region == b.region;
    region && (mode.strategy != "skill_based" || skill::fit(mode, a, b, now))
}

/// How far apart in skill somebody may be from this ticket by now, as the ticket sees it.
pub fn window(mode: &Mode, ticket: &Ticket, now: u64) -> f64 {
    skill::window(mode, ticket, now)
}

/// A ticket and its index in the list that is grouped.
type Indexed<'a> = (usize, &'a Ticket);

/// The tickets by region, if the mode keeps regions apart. Those that name none are a region.
fn regions<'a>(mode: &Mode, tickets: &'a [Arc<Ticket>]) -> Vec<Vec<Indexed<'a>>> {
    let indexed = tickets.iter().map(|ticket| &**ticket).enumerate();
    if !mode.matching.match_regions {
        return vec![indexed.collect()];
    }
    let mut regions: BTreeMap<Option<&str>, Vec<Indexed<'a>>> = BTreeMap::new();
    for (at, ticket) in indexed {
        let region = regions.entry(ticket.region.as_deref()).or_default();
        region.push((at, ticket));
    }
    regions.into_values().collect()
}

/// Chooses companions for a ticket of `own` players from `sizes`, best first, so that the group
/// fills its places. Answers their positions in `sizes`.
fn companions(own: usize, sizes: &[usize], places: Places) -> Option<Vec<usize>> {
    if !places.sides {
        return pick::pick(
            sizes,
            places.least.saturating_sub(own),
            places.most.checked_sub(own)?,
        );
    }
    let (half, other) = (places.most.div_ceil(2), places.most / 2);
    [(half, other), (other, half)]
        .into_iter()
        .filter(|(mine, _)| own <= *mine)
        .find_map(|(mine, theirs)| {
            let mut chosen = pick::pick(sizes, mine - own, mine - own)?;
            let left: Vec<usize> = (0..sizes.len()).filter(|at| !chosen.contains(at)).collect();
            let left_sizes: Vec<usize> = left.iter().map(|at| sizes[*at]).collect();
            let others = pick::pick(&left_sizes, theirs, theirs)?;
            chosen.extend(others.into_iter().map(|at| left[at]));
            Some(chosen)
        })
}
