//! What a strategy of the game's own answered, checked: nothing in it is taken on trust.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Groups, Ticket};
use crate::modes::Mode;

/// What is wrong with a group. The texts begin with a name that stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Wrong {
    #[error("empty_group: a group needs tickets")]
    Empty,
    #[error("unknown_ticket: no ticket \"{0}\" was given")]
    UnknownTicket(String),
    #[error("half_a_party: \"{0}\" is a player of a party; groups are lists of ticket ids")]
    HalfAParty(String),
    #[error("ticket_twice: \"{0}\" stands in more than one place")]
    Twice(String),
    #[error("too_many_players: {0} players, and a match takes {1}")]
    TooMany(usize, usize),
}

/// The groups that may be played, and what is wrong with the others. A ticket that stands in two
/// groups plays in the first.
pub fn check(
    mode: &Mode,
    tickets: &[Arc<Ticket>],
    answer: &[Vec<String>],
) -> (Groups, Vec<(usize, Wrong)>) {
    let ids = tickets.iter().enumerate();
    let index: HashMap<&str, usize> = ids.map(|(at, ticket)| (ticket.id.as_str(), at)).collect();
    let mut taken = vec![false; tickets.len()];
    let (mut groups, mut wrong) = (Groups::new(), Vec::new());
    for (number, ids) in answer.iter().enumerate() {
        match check_group(mode, tickets, &index, &mut taken, ids) {
            Ok(group) => groups.push(group),
            Err(why) => wrong.push((number + 1, why)),
        }
    }
    (groups, wrong)
}

fn check_group(
    mode: &Mode,
    tickets: &[Arc<Ticket>],
    index: &HashMap<&str, usize>,
    taken: &mut [bool],
    ids: &[String],
) -> Result<Vec<usize>, Wrong> {
    let mut group = Vec::with_capacity(ids.len());
    for id in ids {
        let at = *index
            .get(id.as_str())
            .ok_or_else(|| stranger(tickets, id))?;
        if taken[at] || group.contains(&at) {
            return Err(Wrong::Twice(id.clone()));
        }
        group.push(at);
    }
    let players: usize = group.iter().map(|at| tickets[*at].size()).sum();
    let most = mode.max_players as usize;
    match players {
        0 => return Err(Wrong::Empty),
        players if players > most => return Err(Wrong::TooMany(players, most)),
        _ => {}
    }
    group.iter().for_each(|at| taken[*at] = true);
    Ok(group)
}

fn stranger(tickets: &[Arc<Ticket>], id: &str) -> Wrong {
    let mut players = tickets.iter().flat_map(|ticket| &ticket.players);
    match players.any(|player| player.as_str() == id) {
        true => Wrong::HalfAParty(id.to_owned()),
        false => Wrong::UnknownTicket(id.chars().take(64).collect()),
    }
}
