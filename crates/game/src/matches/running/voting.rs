//! Votes held in a match: opened when the game asks, fed with ballots, resolved in time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Match, frame, json};
use crate::bots;
use crate::host::VoteRecord;
use crate::ids::PlayerId;
use crate::logic::{FaultKind, ScriptFault, VoteRequest};
use crate::votes::{CastError, Vote, VoteResult};

/// Votes that can be open in one match at once.
const MAX_OPEN_VOTES: usize = 16;

impl Match {
    /// Casts a ballot.
    pub fn cast_vote(
        &mut self,
        voter: &PlayerId,
        vote_id: &str,
        option: &str,
        now: u64,
    ) -> Result<(), CastError> {
        let vote = self.votes.iter_mut().find(|vote| vote.id == vote_id);
        let vote = vote.ok_or(CastError::VoteNotFound)?;
        vote.cast(voter, option, now)?;
        if vote.is_live() {
            let tally = frame("vote_tally", &vote.tally(now));
            self.host.send_event(self.roster.connected(), tally);
        }
        Ok(())
    }

    pub(super) async fn run_votes(&mut self, now: u64) {
        if let Some(request) = self.logic.vote_requested() {
            self.open_vote(request, now);
        }
        self.cast_planned_ballots(now);
        while let Some(at) = self.votes.iter().position(|vote| vote.is_over(now)) {
            let vote = self.votes.swap_remove(at);
            self.resolve_vote(&vote, now).await;
        }
        self.carry_out_effects(now).await;
    }

    pub(super) fn open_vote(&mut self, request: VoteRequest, now: u64) {
        let opened = if self.votes.len() >= MAX_OPEN_VOTES {
            Err(format!(
                "at most {MAX_OPEN_VOTES} votes can be open at once"
            ))
        } else {
            Vote::open(request, self.roster.ids(), now).map_err(|error| error.to_string())
        };
        let vote = match opened {
            Ok(vote) => vote,
            Err(message) => return self.report(vote_fault(message)),
        };
        self.host.send_event(
            self.roster.connected(),
            frame("vote_start", &vote.start_frame(now)),
        );
        for bot in self.roster.ids().into_iter().filter(PlayerId::is_bot) {
            let options = &vote.request.options;
            let ballot = bots::plan_ballot(bot, &vote.id, options, now, &mut self.rng);
            self.planned_ballots.extend(ballot);
        }
        self.votes.push(vote);
    }

    pub(super) fn cast_planned_ballots(&mut self, now: u64) {
        let due = self
            .planned_ballots
            .extract_if(.., |ballot| ballot.due <= now);
        for ballot in due.collect::<Vec<_>>() {
            // The vote may be over, or the bot gone.
            let _ = self.cast_vote(&ballot.bot, &ballot.vote_id, &ballot.option, now);
        }
    }

    pub(super) async fn resolve_vote(&mut self, vote: &Vote, now: u64) {
        let result = vote.result(&mut self.rng);
        self.host
            .send_event(self.roster.connected(), frame("vote_result", &result));
        let votes_cast = vote.votes_cast();
        let told = json(&ToldResult {
            result: &result,
            votes_cast: &votes_cast,
        });
        self.logic
            .vote_resolved(&vote.request.template, &told)
            .await;
        let owned = |(voter, option): (&&str, &&str)| ((*voter).to_owned(), (*option).to_owned());
        self.host.vote_resolved(VoteRecord {
            match_id: self.id.clone(),
            request: vote.request.clone(),
            votes_cast: votes_cast.iter().map(owned).collect(),
            eligible: vote.eligible.len(),
            opened_at: vote.opened_at,
            closed_at: now,
            result,
        });
    }
}

#[derive(Serialize)]
struct ToldResult<'a> {
    #[serde(flatten)]
    result: &'a VoteResult,
    votes_cast: &'a BTreeMap<&'a str, &'a str>,
}

fn vote_fault(message: String) -> ScriptFault {
    ScriptFault {
        callback: "vote_requested".into(),
        script: String::new(),
        line: None,
        kind: FaultKind::RuntimeError,
        message,
        player: None,
    }
}
