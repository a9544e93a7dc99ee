//! Votes held in a match: opened when the game asks, fed with ballots, resolved in time.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Match, frame, json};
use crate::bots;
use crate::host::VoteRecord;
use crate::ids::PlayerId;
use crate::votes::{CastError, VetoError, Vote, VoteAsk, VoteResult, VoteVetoed};

impl Match {
    /// Casts a ballot: ids of options.
    pub fn cast_vote(
        &mut self,
        voter: &PlayerId,
        vote_id: &str,
        ids: &[impl AsRef<str>],
        now: u64,
    ) -> Result<(), CastError> {
        let vote = self.voting.cast(voter, vote_id, ids, now)?;
        if vote.is_live() {
            let tally = frame("vote_tally", &vote.tally(now));
            self.host.send_event(self.roster.connected(), tally);
        }
        Ok(())
    }

    /// Spends one of a player's veto tokens: the vote is over. The game learns it at the tick.
    pub fn veto_vote(
        &mut self,
        player: &PlayerId,
        vote_id: &str,
        now: u64,
    ) -> Result<(), VetoError> {
        let vote = self.voting.veto(player, vote_id, &self.mode.votes, now)?;
        let vetoed = VoteVetoed {
            vote_id: &vote.id,
            vetoed_by: player,
        };
        self.host
            .send_event(self.roster.connected(), frame("vote_vetoed", &vetoed));
        Ok(())
    }

    /// The votes in progress, oldest first.
    pub fn votes(&self) -> &[Vote] {
        self.voting.votes()
    }

    pub(super) async fn run_votes(&mut self, now: u64) {
        if let Some(ask) = self.logic.vote_requested() {
            self.open_vote(&ask, now);
        }
        self.cast_planned_ballots(now);
        while let Some(vote) = self.voting.take_over(now) {
            self.resolve_vote(&vote, now).await;
        }
        self.carry_out_effects(now).await;
    }

    fn open_vote(&mut self, ask: &VoteAsk, now: u64) {
        let (templates, rules) = (&self.settings.vote_templates, &self.mode.votes);
        let opened = self
            .voting
            .open(ask, templates, &self.roster.ids(), rules, now);
        let (vote, complaints) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.logic.vote_fault(&error.to_string()),
        };
        if !complaints.is_empty() {
            self.logic.vote_fault(&complaints.join("; "));
        }
        self.host.send_event(
            self.roster.connected(),
            frame("vote_start", &vote.start_frame(now)),
        );
        let planned = plan_ballots(vote, now, &mut self.rng);
        self.planned_ballots.extend(planned);
    }

    /// Bots vote in the votes of a restored match too: what they planned was not saved.
    pub(super) fn plan_missing_ballots(&mut self, now: u64) {
        for vote in self.voting.votes() {
            let planned = plan_ballots(vote, now, &mut self.rng);
            self.planned_ballots.extend(planned);
        }
    }

    fn cast_planned_ballots(&mut self, now: u64) {
        let due = self
            .planned_ballots
            .extract_if(.., |ballot| ballot.due <= now);
        for ballot in due.collect::<Vec<_>>() {
            // The vote may be over, or the bot gone.
            let _ = self.cast_vote(&ballot.bot, &ballot.vote_id, &[&ballot.option], now);
        }
    }

    async fn resolve_vote(&mut self, vote: &Vote, now: u64) {
        let result = self.voting.resolve(vote, &mut self.rng);
        // Whoever vetoed it has told everybody.
        if vote.vetoed_by().is_none() {
            self.host
                .send_event(self.roster.connected(), frame("vote_result", &result));
        }
        let votes_cast = vote.votes_cast();
        let told = json(&ToldResult {
            result: &result,
            votes_cast: &votes_cast,
        });
        self.logic
            .vote_resolved(&vote.request.template, &told)
            .await;
        let owned = |(voter, ballot): (&str, Value)| (voter.to_owned(), ballot);
        self.host.vote_resolved(VoteRecord {
            match_id: self.id.clone(),
            request: vote.request.clone(),
            votes_cast: votes_cast.into_iter().map(owned).collect(),
            eligible: vote.eligible.len(),
            opened_at: vote.opened_at(),
            closed_at: now,
            result,
        });
    }
}

/// The ballots the bots will cast in a vote they have not voted in.
fn plan_ballots(vote: &Vote, now: u64, rng: &mut rand::rngs::SmallRng) -> Vec<bots::PlannedBallot> {
    let waited_for = |player: &&PlayerId| player.is_bot() && !vote.has_ballot_of(player);
    let voters = vote.eligible.iter().filter(waited_for);
    voters
        .filter_map(|bot| bots::plan_ballot(bot.clone(), &vote.id, &vote.request.options, now, rng))
        .collect()
}

#[derive(Serialize)]
struct ToldResult<'a> {
    #[serde(flatten)]
    result: &'a VoteResult,
    votes_cast: &'a BTreeMap<&'a str, Value>,
}
