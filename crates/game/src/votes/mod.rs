//! Votes: options, a window, ballots, and what they come to.
//!
//! * [`board`]: the votes of one session, a match or a world. Start here.
//! * [`request`]: what a game asks for.
//! * [`window`]: when a vote is open.
//! * [`count`]: what ballots come to.
//! * [`shown`]: what clients and games learn.
//!
//! Here is the life of one vote. A [`Vote`] is plain data that is told the time; its session
//! sends what it reports and hands the result to the game.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ids::PlayerId;

pub mod board;
pub mod count;
pub mod request;
pub mod shown;
pub mod window;

#[cfg(test)]
mod tests;

pub use board::{VetoError, VoteBoard, VoteRules};
pub use request::{
    MAX_OPTIONS, MAX_WINDOW_MS, Spectators, Templates, VoteAsk, VoteOption, VoteRequest,
    VoteRequestError,
};
pub use shown::{NoWinner, VoteResult, VoteStart, VoteTally, VoteVetoed};
pub use window::GRACE_MS;

use count::Weighed;
use request::{Method, Visibility};
use shown::{Amount, ShownOption};
use window::Window;

/// Most spectators whose ballots one vote takes.
pub const MAX_SPECTATORS: usize = 1_000;

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

/// A vote in progress.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// Its id.
    pub id: String,
    /// What the game asked for.
    pub request: VoteRequest,
    /// Who may vote.
    pub eligible: Vec<PlayerId>,
    ballots: BTreeMap<PlayerId, Ballot>,
    /// Of the eligible, those who have left the session.
    gone: BTreeSet<PlayerId>,
    window: Window,
    vetoed_by: Option<PlayerId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ballot {
    choices: Vec<usize>,
    changes: u32,
    /// Whether the voter is none of the eligible.
    spectator: bool,
}

/// The ballots to count, players' and spectators' apart.
struct Pools<'a> {
    players: Vec<Weighed<'a>>,
    spectators: Vec<Weighed<'a>>,
}

impl Vote {
    /// Opens a vote at `now` for `members`, or those of them the request names.
    pub fn open(request: VoteRequest, members: &[PlayerId], now: u64) -> Self {
        let may = |player: &&PlayerId| {
            let named = request.eligible.as_ref();
            named.is_none_or(|named| named.contains(player))
        };
        let generated = || uuid::Uuid::now_v7().to_string();
        Self {
            id: request.vote_id.clone().unwrap_or_else(generated),
            eligible: members.iter().filter(may).cloned().collect(),
            ballots: BTreeMap::new(),
            gone: BTreeSet::new(),
            window: Window::open(&request, now),
            vetoed_by: None,
            request,
        }
    }

    /// Casts or changes `voter`'s ballot: ids of options.
    pub fn cast(
        &mut self,
        voter: &PlayerId,
        ids: &[impl AsRef<str>],
        now: u64,
    ) -> Result<(), CastError> {
        if self.is_closed(now) {
            return Err(CastError::Closed);
        }
        let spectator = !self.eligible.contains(voter);
        if !self.may_vote(voter, spectator) {
            return Err(CastError::NotEligible);
        }
        let choices = self.request.ballot(ids).ok_or(CastError::InvalidOption)?;
        let changes = match self.ballots.get(voter) {
            None => 0,
            Some(earlier) if earlier.changes >= self.request.max_revotes => {
                return Err(CastError::TooManyChanges);
            }
            Some(earlier) => earlier.changes + 1,
        };
        let ballot = Ballot {
            choices,
            changes,
            spectator,
        };
        self.ballots.insert(voter.clone(), ballot);
        if self.window.is_adaptive() && self.has_supermajority() {
            self.window.shrink(now);
        }
        Ok(())
    }

    fn may_vote(&self, voter: &PlayerId, spectator: bool) -> bool {
        if !spectator {
            return !self.gone.contains(voter);
        }
        match &self.request.spectators {
            Spectators::Listed(listed) => listed.contains(voter),
            Spectators::Everyone => {
                let others = self.ballots.values().filter(|ballot| ballot.spectator);
                self.ballots.contains_key(voter) || others.count() < MAX_SPECTATORS
            }
        }
    }

    /// Ends the vote without a winner.
    pub fn veto(&mut self, by: &PlayerId) {
        self.vetoed_by = Some(by.clone());
    }

    /// A player has left the session: nobody waits for their ballot.
    pub fn left(&mut self, player: &PlayerId) {
        if self.eligible.contains(player) {
            self.gone.insert(player.clone());
        }
    }

    /// A player is back in the session.
    pub fn returned(&mut self, player: &PlayerId) {
        self.gone.remove(player);
    }

    /// Whether a ballot that arrives now is too late.
    pub fn is_closed(&self, now: u64) -> bool {
        self.vetoed_by.is_some() || self.window.is_closed(now, self.all_voted())
    }

    /// Whether the vote is to be resolved: vetoed, closed early, or its window has passed and so
    /// has the grace for late ballots.
    pub fn is_over(&self, now: u64) -> bool {
        self.vetoed_by.is_some() || self.window.is_over(now, self.all_voted())
    }

    /// Whether everybody who is still there has voted. With no eligible voter these are the
    /// listed spectators.
    fn all_voted(&self) -> bool {
        let voters = match &self.request.spectators {
            Spectators::Listed(listed) if self.eligible.is_empty() => listed,
            _ => &self.eligible,
        };
        let done = |voter: &PlayerId| self.ballots.contains_key(voter) || self.gone.contains(voter);
        !self.ballots.is_empty() && !voters.is_empty() && voters.iter().all(done)
    }

    /// Moves the vote in time, so that a vote restored after a pause has the time left that
    /// it had before.
    pub fn shift(&mut self, pause_ms: u64) {
        self.window.shift(pause_ms);
    }

    /// Unix milliseconds.
    pub fn opened_at(&self) -> u64 {
        self.window.opened_at()
    }

    /// Whether running tallies may be shown.
    pub fn is_live(&self) -> bool {
        self.request.visibility == Visibility::Live
    }

    /// Whether this player has cast a ballot.
    pub fn has_ballot_of(&self, voter: &PlayerId) -> bool {
        self.ballots.contains_key(voter)
    }

    /// What clients learn at the start, or when they come back at `now`.
    pub fn start_frame(&self, now: u64) -> VoteStart<'_> {
        VoteStart {
            vote_id: &self.id,
            template: &self.request.template,
            options: self.request.options.iter().map(ShownOption::from).collect(),
            window_ms: self.window.remaining_ms(now),
            method: self.request.method.as_str(),
            visibility: self.request.visibility,
            veto_enabled: self.request.veto_enabled,
        }
    }

    /// The running count at `now`. Ballots by default or delegation are no part of it.
    pub fn tally(&self, now: u64) -> VoteTally<'_> {
        let counts = self.count(&self.pooled(self.cast_pools()));
        let ids = self.request.options.iter().map(|o| o.id.as_str());
        VoteTally {
            vote_id: &self.id,
            tallies: ids.zip(counts.into_iter().map(Amount)).collect(),
            time_remaining_ms: self.window.remaining_ms(now),
            total_votes: self.ballots.len(),
        }
    }

    /// Who vetoed it.
    pub fn vetoed_by(&self) -> Option<&PlayerId> {
        self.vetoed_by.as_ref()
    }

    /// The result. A draw, an empty vote included, goes to the tie breaker.
    pub fn result(&self, rng: &mut impl Rng) -> VoteResult {
        let pools = self.final_pools();
        let took_part = pools.players.len();
        let total_votes = took_part + pools.spectators.len();
        let merged = !pools.spectators.is_empty();
        let own = |pool| merged.then(|| self.by_id(self.count(pool).into_iter().map(Amount)));
        let (player_counts, spectator_counts) = (own(&pools.players), own(&pools.spectators));
        let ballots = self.pooled(pools);
        let counts = self.count(&ballots);
        let shares = self.shares(&counts, &ballots, merged);
        let (winner, share, eliminated) = self.winner(&ballots, &counts, &shares, rng);
        let status = self.no_winner(took_part, share);
        VoteResult {
            vote_id: self.id.clone(),
            winner: status.is_none().then(|| self.option_id(winner)),
            status,
            counts: self.by_id(counts.into_iter().map(Amount)),
            distribution: self.by_id(shares.into_iter()),
            total_votes,
            turnout: self.turnout(),
            eliminated: eliminated
                .into_iter()
                .map(|at| self.option_id(at))
                .collect(),
            player_counts,
            spectator_counts,
            vetoed_by: self.vetoed_by.clone(),
        }
    }

    /// The winning position, its share, and with `ranked` who went before.
    fn winner(
        &self,
        ballots: &[Weighed<'_>],
        counts: &[f64],
        shares: &[f64],
        rng: &mut impl Rng,
    ) -> (usize, f64, Vec<usize>) {
        let tie = self.request.tie_breaker;
        if self.request.method == Method::Ranked {
            let run_off = count::run_off(ballots, counts.len(), tie, rng);
            let total: f64 = ballots.iter().map(|ballot| ballot.weight).sum();
            let share = share(run_off.votes, total);
            return (run_off.winner, share, run_off.eliminated);
        }
        let winner = count::leader(counts, tie, rng);
        (winner, shares[winner], Vec::new())
    }

    /// Why there is no winner when `took_part` of the eligible have a ballot and the leader has
    /// `share`.
    fn no_winner(&self, took_part: usize, share: f64) -> Option<NoWinner> {
        let (quorum, eligible) = (self.request.quorum, self.eligible.len());
        // A whole number of ballots against a share of the eligible: 0.6 of 5 are 3.
        let needed = quorum * eligible as f64 - 1e-9;
        let short_of_majority =
            self.request.require_supermajority && share + 1e-9 < self.request.supermajority;
        if self.vetoed_by.is_some() {
            Some(NoWinner::Vetoed)
        } else if (took_part as f64) < needed {
            Some(NoWinner::NoQuorum)
        } else if short_of_majority {
            Some(NoWinner::NoConsensus)
        } else {
            None
        }
    }

    /// Share of the eligible who have voted themselves, 0 to 1.
    pub fn turnout(&self) -> f64 {
        let voted = self
            .eligible
            .iter()
            .filter(|p| self.ballots.contains_key(p));
        share(voted.count() as f64, self.eligible.len() as f64)
    }

    /// Whether one option has the supermajority of all who may vote, so that the others can
    /// hardly turn it. With spectators alone it is that of the ballots.
    fn has_supermajority(&self) -> bool {
        let pools = self.cast_pools();
        let merged = !pools.spectators.is_empty();
        let took_part = match self.eligible.len() {
            0 => 1.0,
            eligible => pools.players.len() as f64 / eligible as f64,
        };
        let ballots = self.pooled(pools);
        let shares = self.shares(&self.count(&ballots), &ballots, merged);
        let most = shares.into_iter().fold(0.0, f64::max);
        most * took_part + 1e-9 >= self.request.supermajority
    }

    /// What was cast, as it was cast.
    pub fn votes_cast(&self) -> BTreeMap<&str, Value> {
        let shown = |ballot: &Ballot| {
            let mut ids = ballot.choices.iter().map(|at| self.option_id(*at));
            match self.request.method {
                Method::Plurality | Method::Weighted => json!(ids.next()),
                Method::Approval | Method::Ranked => json!(ids.collect::<Vec<_>>()),
            }
        };
        let ballots = self.ballots.iter();
        ballots
            .map(|(voter, ballot)| (voter.as_str(), shown(ballot)))
            .collect()
    }

    /// Whether each of the eligible who voted got the option at `winner`: any approved one, or
    /// else the first choice.
    fn contentment<'a>(&'a self, winner: &'a str) -> impl Iterator<Item = (&'a PlayerId, bool)> {
        self.eligible.iter().filter_map(move |player| {
            let ballot = self.ballots.get(player)?;
            let counted = match self.request.method {
                Method::Approval => ballot.choices.len(),
                _ => 1,
            };
            let mut wanted = ballot.choices.iter().take(counted);
            Some((
                player,
                wanted.any(|at| self.request.options[*at].id == winner),
            ))
        })
    }

    fn option_id(&self, at: usize) -> String {
        self.request.options[at].id.clone()
    }

    fn by_id<T>(&self, values: impl Iterator<Item = T>) -> BTreeMap<String, T> {
        let ids = self.request.options.iter().map(|option| option.id.clone());
        ids.zip(values).collect()
    }

    fn weigh<'a>(&self, voter: &PlayerId, choices: &'a [usize]) -> Weighed<'a> {
        let weight = match self.request.method {
            Method::Weighted => self.request.weights.get(voter).copied().unwrap_or(1.0),
            _ => 1.0,
        };
        Weighed { choices, weight }
    }

    fn cast_pools(&self) -> Pools<'_> {
        let (mut players, mut spectators) = (Vec::new(), Vec::new());
        for (voter, ballot) in &self.ballots {
            let pool = match ballot.spectator {
                true => &mut spectators,
                false => &mut players,
            };
            pool.push(self.weigh(voter, &ballot.choices));
        }
        Pools {
            players,
            spectators,
        }
    }

    /// What was cast, and for those of the eligible who cast nothing their delegate's ballot or
    /// their default.
    fn final_pools(&self) -> Pools<'_> {
        let mut pools = self.cast_pools();
        for player in &self.eligible {
            if !self.ballots.contains_key(player)
                && let Some(choices) = self.stand_in(player)
            {
                pools.players.push(self.weigh(player, choices));
            }
        }
        pools
    }

    /// The ballot that counts for `player`: their own, or that of whoever they delegate to, or
    /// their default. A circle of delegates has none.
    fn stand_in(&self, player: &PlayerId) -> Option<&[usize]> {
        let mut player = player;
        for _ in 0..=self.request.delegation.len() {
            if let Some(ballot) = self.ballots.get(player) {
                return Some(&ballot.choices);
            }
            match self.request.delegation.get(player) {
                Some(delegate) => player = delegate,
                None => return self.request.default_votes.get(player).map(Vec::as_slice),
            }
        }
        None
    }

    fn pooled<'a>(&self, pools: Pools<'a>) -> Vec<Weighed<'a>> {
        if pools.spectators.is_empty() {
            return pools.players;
        }
        count::pool(
            self.request.method,
            pools.players,
            pools.spectators,
            self.request.spectator_weight,
            self.request.options.len(),
        )
    }

    fn count(&self, ballots: &[Weighed<'_>]) -> Vec<f64> {
        count::count(self.request.method, ballots, self.request.options.len())
    }

    /// Each option's share: of what was cast; with `approval` of the ballots; merged scores are
    /// shares already.
    fn shares(&self, counts: &[f64], ballots: &[Weighed<'_>], merged: bool) -> Vec<f64> {
        let whole = match self.request.method {
            _ if merged => 1.0,
            Method::Approval => ballots.len() as f64,
            _ => counts.iter().sum(),
        };
        counts.iter().map(|count| share(*count, whole)).collect()
    }
}

/// `part` of `whole`; nothing of nothing is 0.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
