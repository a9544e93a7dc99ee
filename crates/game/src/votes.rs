//! A vote: options, a window, ballots, and what they come to.
//!
//! A [`Vote`] is plain data that is told the time. The match opens it, feeds it ballots,
//! sends what it reports, and hands the result to the game.

use std::collections::BTreeMap;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::ids::PlayerId;
use crate::logic::VoteRequest;

/// Ballots that arrive this long after the window closed still count: they were cast in time
/// and travelled.
pub const GRACE_MS: u64 = 500;

/// Most options a vote may have.
pub const MAX_OPTIONS: usize = 64;

/// Longest window in milliseconds (a day).
pub const MAX_WINDOW_MS: u64 = 24 * 60 * 60 * 1000;

/// Why a requested vote does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum VoteRequestError {
    #[error("a vote needs at least one option")]
    NoOptions,
    #[error("a vote has at most {MAX_OPTIONS} options")]
    TooManyOptions,
    #[error("option id '{0}' stands twice")]
    DuplicateOption(String),
    #[error("unknown voting method '{0}'")]
    UnknownMethod(String),
    #[error("window_ms must be 1 to {MAX_WINDOW_MS}")]
    Window,
}

/// Why a ballot does not count. The texts are the reasons the socket answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CastError {
    #[error("vote_not_found")]
    VoteNotFound,
    #[error("not_eligible")]
    NotEligible,
    #[error("invalid_option")]
    InvalidOption,
    #[error("rate_limited")]
    TooManyChanges,
    #[error("vote_closed")]
    Closed,
}

/// A vote in progress. Times are Unix milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// Its id.
    pub id: String,
    /// What the game asked for.
    pub request: VoteRequest,
    /// Who may vote.
    pub eligible: Vec<PlayerId>,
    ballots: BTreeMap<PlayerId, Ballot>,
    /// When it opened.
    pub opened_at: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ballot {
    option: usize,
    changes: u32,
}

/// What clients learn when a vote starts.
#[derive(Debug, Serialize)]
pub struct VoteStart<'a> {
    vote_id: &'a str,
    options: Vec<ShownOption<'a>>,
    window_ms: u64,
    method: &'a str,
}

#[derive(Debug, Serialize)]
struct ShownOption<'a> {
    id: &'a str,
    label: &'a str,
}

/// The running count.
#[derive(Debug, Serialize)]
pub struct VoteTally<'a> {
    vote_id: &'a str,
    tallies: BTreeMap<&'a str, u32>,
    time_remaining_ms: u64,
    total_votes: usize,
}

/// How a vote came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VoteResult {
    /// The vote.
    pub vote_id: String,
    /// The winning option's id.
    pub winner: Option<String>,
    /// Ballots per option.
    pub counts: BTreeMap<String, u32>,
    /// Share of the ballots per option, 0 to 1.
    pub distribution: BTreeMap<String, f64>,
    /// Ballots cast.
    pub total_votes: usize,
    /// Share of the eligible who voted, 0 to 1.
    pub turnout: f64,
}

impl Vote {
    /// Opens a vote at `now`.
    pub fn open(
        request: VoteRequest,
        eligible: Vec<PlayerId>,
        now: u64,
    ) -> Result<Self, VoteRequestError> {
        check(&request)?;
        let id = match &request.vote_id {
            Some(id) if (1..=64).contains(&id.len()) && !id.contains('\0') => id.clone(),
            _ => uuid::Uuid::now_v7().to_string(),
        };
        Ok(Self {
            id,
            request,
            eligible,
            ballots: BTreeMap::new(),
            opened_at: now,
        })
    }

    /// Casts or changes `voter`'s ballot.
    pub fn cast(&mut self, voter: &PlayerId, option: &str, now: u64) -> Result<(), CastError> {
        if now > self.closes_at() + GRACE_MS {
            return Err(CastError::Closed);
        }
        if !self.eligible.contains(voter) {
            return Err(CastError::NotEligible);
        }
        let position = self
            .request
            .options
            .iter()
            .position(|known| known.id == option);
        let option = position.ok_or(CastError::InvalidOption)?;
        let changes = match self.ballots.get(voter) {
            None => 0,
            Some(earlier) if earlier.changes >= self.request.max_revotes => {
                return Err(CastError::TooManyChanges);
            }
            Some(earlier) => earlier.changes + 1,
        };
        self.ballots
            .insert(voter.clone(), Ballot { option, changes });
        Ok(())
    }

    /// Whether the vote is over: its window has passed and so has the grace for late ballots.
    pub fn is_over(&self, now: u64) -> bool {
        now >= self.closes_at() + GRACE_MS
    }

    /// Moves the vote in time, so that a vote restored after a pause has the time left that
    /// it had before.
    pub fn shift(&mut self, pause_ms: u64) {
        self.opened_at += pause_ms;
    }

    /// Whether running tallies may be shown.
    pub fn is_live(&self) -> bool {
        self.request.visibility != "hidden"
    }

    /// What clients learn at the start, or when they come back at `now`.
    pub fn start_frame(&self, now: u64) -> VoteStart<'_> {
        VoteStart {
            vote_id: &self.id,
            options: self
                .request
                .options
                .iter()
                .map(|option| ShownOption {
                    id: &option.id,
                    label: option.label.as_deref().unwrap_or(&option.id),
                })
                .collect(),
            window_ms: self.remaining_ms(now),
            method: &self.request.method,
        }
    }

    /// The running count at `now`.
    pub fn tally(&self, now: u64) -> VoteTally<'_> {
        VoteTally {
            vote_id: &self.id,
            tallies: self
                .request
                .options
                .iter()
                .map(|o| o.id.as_str())
                .zip(self.counts())
                .collect(),
            time_remaining_ms: self.remaining_ms(now),
            total_votes: self.ballots.len(),
        }
    }

    /// The result. A draw, an empty vote included, goes to the tie breaker.
    pub fn result(&self, rng: &mut impl Rng) -> VoteResult {
        let counts = self.counts();
        let total = self.ballots.len();
        let winner = self.winner(&counts, rng);
        let ids = || self.request.options.iter().map(|option| option.id.clone());
        let share = |count: &u32| {
            if total == 0 {
                0.0
            } else {
                f64::from(*count) / total as f64
            }
        };
        VoteResult {
            vote_id: self.id.clone(),
            winner: Some(self.request.options[winner].id.clone()),
            distribution: ids().zip(counts.iter().map(share)).collect(),
            counts: ids().zip(counts).collect(),
            total_votes: total,
            turnout: match self.eligible.len() {
                0 => 0.0,
                eligible => total as f64 / eligible as f64,
            },
        }
    }

    /// Who voted for what.
    pub fn votes_cast(&self) -> BTreeMap<&str, &str> {
        let option = |ballot: &Ballot| self.request.options[ballot.option].id.as_str();
        self.ballots
            .iter()
            .map(|(voter, ballot)| (voter.as_str(), option(ballot)))
            .collect()
    }

    fn closes_at(&self) -> u64 {
        self.opened_at + self.request.window_ms
    }

    fn remaining_ms(&self, now: u64) -> u64 {
        self.closes_at().saturating_sub(now)
    }

    /// Ballots per option, in the options' order.
    fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.request.options.len()];
        for ballot in self.ballots.values() {
            counts[ballot.option] += 1;
        }
        counts
    }

    fn winner(&self, counts: &[u32], rng: &mut impl Rng) -> usize {
        let most = counts.iter().max().copied().unwrap_or_default();
        let tied: Vec<usize> = (0..counts.len()).filter(|at| counts[*at] == most).collect();
        match self.request.tie_breaker.as_str() {
            "first" => tied[0],
            _ => tied[rng.random_range(0..tied.len())],
        }
    }
}

fn check(request: &VoteRequest) -> Result<(), VoteRequestError> {
    if request.options.is_empty() {
        return Err(VoteRequestError::NoOptions);
    }
    if request.options.len() > MAX_OPTIONS {
        return Err(VoteRequestError::TooManyOptions);
    }
    for (at, option) in request.options.iter().enumerate() {
        if request.options[..at]
            .iter()
            .any(|earlier| earlier.id == option.id)
        {
            return Err(VoteRequestError::DuplicateOption(option.id.clone()));
        }
    }
    if request.method != "plurality" {
        return Err(VoteRequestError::UnknownMethod(request.method.clone()));
    }
    if !(1..=MAX_WINDOW_MS).contains(&request.window_ms) {
        return Err(VoteRequestError::Window);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;
    use crate::logic::VoteOption;

    fn request(options: &[&str]) -> VoteRequest {
        let option = |id: &&str| VoteOption {
            id: (*id).to_owned(),
            label: None,
        };
        VoteRequest {
            options: options.iter().map(option).collect(),
            ..VoteRequest::default()
        }
    }

    fn players(count: usize) -> Vec<PlayerId> {
        (0..count)
            .map(|n| PlayerId::from(format!("p{n}")))
            .collect()
    }

    fn rng() -> SmallRng {
        SmallRng::seed_from_u64(7)
    }

    #[test]
    fn most_votes_win() {
        let voters = players(3);
        let mut vote = Vote::open(request(&["a", "b"]), voters.clone(), 0).expect("valid");
        vote.cast(&voters[0], "a", 1).expect("in time");
        vote.cast(&voters[1], "b", 1).expect("in time");
        vote.cast(&voters[2], "b", 1).expect("in time");
        let result = vote.result(&mut rng());
        assert_eq!(result.winner.as_deref(), Some("b"));
        assert_eq!((result.counts["a"], result.counts["b"]), (1, 2));
        assert_eq!(result.turnout, 1.0);
    }

    #[test]
    fn refuses_strangers_unknown_options_and_late_ballots() {
        let voters = players(1);
        let mut vote = Vote::open(request(&["a"]), voters.clone(), 0).expect("valid");
        let cast = |vote: &mut Vote, who: &str, what, at| vote.cast(&PlayerId::from(who), what, at);
        assert_eq!(cast(&mut vote, "x", "a", 1), Err(CastError::NotEligible));
        assert_eq!(cast(&mut vote, "p0", "z", 1), Err(CastError::InvalidOption));
        assert_eq!(cast(&mut vote, "p0", "a", 15_501), Err(CastError::Closed));
        assert_eq!(cast(&mut vote, "p0", "a", 15_500), Ok(()));
    }

    #[test]
    fn a_mind_changes_three_times_at_most() {
        let voters = players(1);
        let mut vote = Vote::open(request(&["a", "b"]), voters.clone(), 0).expect("valid");
        for _ in 0..4 {
            vote.cast(&voters[0], "a", 1)
                .expect("the first ballot and three changes");
        }
        assert_eq!(
            vote.cast(&voters[0], "b", 1),
            Err(CastError::TooManyChanges)
        );
    }

    #[test]
    fn malformed_requests_are_refused() {
        let open = |request| Vote::open(request, players(1), 0).map(|_| ());
        assert_eq!(open(request(&[])), Err(VoteRequestError::NoOptions));
        assert_eq!(
            open(request(&["a", "a"])),
            Err(VoteRequestError::DuplicateOption("a".into()))
        );
        let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(open(request(&many)), Err(VoteRequestError::TooManyOptions));
        let window = VoteRequest {
            window_ms: 0,
            ..request(&["a"])
        };
        assert_eq!(open(window), Err(VoteRequestError::Window));
    }

    #[test]
    fn a_draw_goes_to_the_first_when_asked() {
        let first = VoteRequest {
            tie_breaker: "first".into(),
            ..request(&["a", "b"])
        };
        let vote = Vote::open(first, players(2), 0).expect("valid");
        assert_eq!(vote.result(&mut rng()).winner.as_deref(), Some("a"));
    }

    proptest! {
        #[test]
        fn counts_add_up_and_nobody_beats_the_winner(
            ballots in prop::collection::vec((0usize..20, 0usize..5), 0..100),
        ) {
            let voters = players(20);
            let ids = ["a", "b", "c", "d", "e"];
            let mut vote = Vote::open(request(&ids), voters.clone(), 0).expect("valid");
            for (voter, option) in ballots {
                let _ = vote.cast(&voters[voter], ids[option], 1);
            }
            let result = vote.result(&mut rng());
            prop_assert_eq!(result.counts.values().sum::<u32>() as usize, result.total_votes);
            let winner = result.winner.expect("there are options");
            let most = result.counts.values().max().copied();
            prop_assert_eq!(result.counts.get(&winner).copied(), most);
            let shares: f64 = result.distribution.values().sum();
            prop_assert!(result.total_votes == 0 || (shares - 1.0).abs() < 1e-9);
        }
    }
}
