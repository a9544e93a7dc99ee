//! What ballots come to.
//!
//! Every method counts ballots that weigh something. Votes are exact in `f64`: whole numbers,
//! unless the game gives weights or spectators make shares of them; sums of those are compared
//! with a tolerance, so that a draw is one whatever the order of the ballots.

use rand::Rng;

use super::request::{Method, TieBreaker};

/// Differences below this are rounding.
const TOLERANCE: f64 = 1e-9;

/// One ballot.
#[derive(Clone, Debug)]
pub struct Weighed<'a> {
    /// Positions of options: one, those approved, or all in order of preference.
    pub choices: &'a [usize],
    /// What it weighs.
    pub weight: f64,
}

/// What each option has, in the options' order: every approval, or else every first choice.
pub fn count(method: Method, ballots: &[Weighed<'_>], options: usize) -> Vec<f64> {
    let mut counts = vec![0.0; options];
    for ballot in ballots {
        let counted = match method {
            Method::Approval => ballot.choices,
            Method::Plurality | Method::Weighted | Method::Ranked => {
                &ballot.choices[..ballot.choices.len().min(1)]
            }
        };
        for choice in counted {
            counts[*choice] += ballot.weight;
        }
    }
    counts
}

/// Brings players and spectators together: each pool is brought to 1, then has its share.
pub fn pool<'a>(
    method: Method,
    players: Vec<Weighed<'a>>,
    spectators: Vec<Weighed<'a>>,
    spectator_weight: f64,
    options: usize,
) -> Vec<Weighed<'a>> {
    let scaled = |ballots: Vec<Weighed<'a>>, share: f64| {
        let total: f64 = count(method, &ballots, options).iter().sum();
        let scale = if total > 0.0 { share / total } else { 0.0 };
        ballots.into_iter().map(move |ballot| Weighed {
            weight: ballot.weight * scale,
            ..ballot
        })
    };
    let players = scaled(players, 1.0 - spectator_weight);
    players
        .chain(scaled(spectators, spectator_weight))
        .collect()
}

/// The option with the most. A draw, of no votes at all too, goes to the tie breaker.
pub fn leader(counts: &[f64], tie: TieBreaker, rng: &mut impl Rng) -> usize {
    let most = counts.iter().copied().fold(0.0, f64::max);
    let tied: Vec<usize> = (0..counts.len())
        .filter(|at| counts[*at] >= most - tolerance(most))
        .collect();
    match tie {
        TieBreaker::First => tied[0],
        TieBreaker::Random => tied[rng.random_range(0..tied.len())],
    }
}

/// How an instant run-off went.
#[derive(Debug, PartialEq)]
pub struct RunOff {
    /// The option that is left or has more than half.
    pub winner: usize,
    /// What the winner has in the last round.
    pub votes: f64,
    /// Who went, in order.
    pub eliminated: Vec<usize>,
}

/// Counts ranked ballots. In each round a ballot counts for the first of its choices that is
/// left. Who has more than half of what counts wins; otherwise the option with the least goes.
/// Of several with the least the tie breaker `first` keeps those that come first: the last goes.
pub fn run_off(
    ballots: &[Weighed<'_>],
    options: usize,
    tie: TieBreaker,
    rng: &mut impl Rng,
) -> RunOff {
    let mut left: Vec<usize> = (0..options).collect();
    let mut eliminated = Vec::new();
    loop {
        let counts = round(ballots, &left, options);
        let total: f64 = counts.iter().sum();
        let majority = |at: &&usize| counts[**at] > total / 2.0 + tolerance(total);
        let winner = match (left.iter().find(majority), left.as_slice()) {
            (Some(winner), _) | (None, [winner]) => *winner,
            _ => {
                let least = left.iter().map(|at| counts[*at]).fold(f64::MAX, f64::min);
                let last: Vec<usize> = left
                    .iter()
                    .copied()
                    .filter(|at| counts[*at] <= least + tolerance(total))
                    .collect();
                let goes = match tie {
                    TieBreaker::First => last[last.len() - 1],
                    TieBreaker::Random => last[rng.random_range(0..last.len())],
                };
                left.retain(|at| *at != goes);
                eliminated.push(goes);
                continue;
            }
        };
        return RunOff {
            winner,
            votes: counts[winner],
            eliminated,
        };
    }
}

fn round(ballots: &[Weighed<'_>], left: &[usize], options: usize) -> Vec<f64> {
    let mut counts = vec![0.0; options];
    for ballot in ballots {
        if let Some(choice) = ballot.choices.iter().find(|choice| left.contains(choice)) {
            counts[*choice] += ballot.weight;
        }
    }
    counts
}

fn tolerance(of: f64) -> f64 {
    TOLERANCE * of.max(1.0)
}
