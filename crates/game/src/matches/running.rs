//! What a match does with commands and ticks.
//!
//! [`Match`] is told the time and never reads a clock. Its effects go to the
//! [`MatchHost`]; a failing script costs its own callback and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::Serialize;
use serde_json::value::RawValue;

use super::handle::JoinError;
use super::roster::{Presence, Roster};
use super::saved::{SavedMatch, SavedMeta};
use super::{MatchInfo, MatchSettings, NewMatch, Status};
use crate::bots::{self, PlannedBallot, Reflex};
use crate::host::{MatchHost, MatchRecord, Origin, VoteRecord};
use crate::ids::{MatchId, PlayerId};
use crate::logic::{
    Effect, FaultKind, Input, JoinRefusal, MatchLogic, ScriptFault, StepOutcome, View, VoteRequest,
};
use crate::modes::Mode;
use crate::votes::{CastError, Vote};

/// Votes that can be open in one match at once.
const MAX_OPEN_VOTES: usize = 16;

/// A match in progress.
pub struct Match {
    id: MatchId,
    mode: Mode,
    seed: u64,
    settings: MatchSettings,
    host: Arc<dyn MatchHost>,
    logic: Box<dyn MatchLogic>,
    origin: Origin,
    status: Status,
    joinable: bool,
    roster: Roster,
    votes: Vec<Vote>,
    planned_ballots: Vec<PlannedBallot>,
    /// What the bots decided after the last tick: the first inputs of the next one.
    bot_inputs: Vec<Input>,
    rng: SmallRng,
    created_at: u64,
    started_at: Option<u64>,
    finished: Option<Finished>,
    next_snapshot_at: u64,
    last_saved: Option<SavedMatch>,
}

struct Finished {
    at: u64,
    frame: String,
}

/// What every match is made with.
pub struct Parts {
    /// How matches are run.
    pub settings: MatchSettings,
    /// The outside.
    pub host: Arc<dyn MatchHost>,
    /// The game.
    pub logic: Box<dyn MatchLogic>,
}

impl Match {
    /// A new match at `now`. Its players are joined by [`Match::begin`].
    pub fn new(new: &NewMatch, parts: Parts, now: u64) -> Self {
        Self {
            id: new.id.clone(),
            origin: Origin {
                match_id: new.id.clone(),
                mode: new.mode.name.clone(),
            },
            mode: new.mode.clone(),
            seed: new.seed,
            settings: parts.settings,
            host: parts.host,
            logic: parts.logic,
            status: Status::Waiting,
            joinable: true,
            roster: Roster::default(),
            votes: Vec::new(),
            planned_ballots: Vec::new(),
            bot_inputs: Vec::new(),
            rng: SmallRng::seed_from_u64(new.seed ^ now),
            created_at: now,
            started_at: None,
            finished: None,
            next_snapshot_at: now,
            last_saved: None,
        }
    }

    /// A match as it was saved. Its people get the grace period, from `now`, to come back; its
    /// votes have the time left that they had.
    pub fn restored(saved: &SavedMatch, mode: Mode, parts: Parts, now: u64) -> Self {
        let new = NewMatch {
            id: saved.id.clone(),
            mode,
            seed: saved.meta.seed,
            players: Vec::new(),
        };
        let mut restored = Self::new(&new, parts, now);
        let until = now + restored.grace_ms();
        let mut members = saved.meta.members.clone();
        for member in members.iter_mut().filter(|member| !member.id.is_bot()) {
            member.presence = Presence::Gone { until };
        }
        restored.roster = Roster::new(members);
        restored.status = saved.meta.status;
        restored.joinable = saved.meta.joinable;
        restored.started_at = saved.meta.started_at;
        restored.votes = saved.meta.votes.clone();
        for vote in &mut restored.votes {
            vote.shift(now.saturating_sub(saved.meta.saved_at));
        }
        restored.reclaim_members();
        restored
    }

    /// Tells the outside who belongs here; whoever is connected already is back at once.
    fn reclaim_members(&mut self) {
        for player in self.roster.ids() {
            if !player.is_bot() && self.host.player_joined(&self.id, &player) {
                self.roster.set_presence(&player, Presence::Connected);
            }
        }
    }

    /// Joins the players the matchmaker put together and tells them. The match starts with
    /// whoever got in.
    pub async fn begin(&mut self, players: &[PlayerId], now: u64) {
        let no_context = empty_context();
        for player in players {
            if self.join(player, &no_context, now).await.is_err() {
                let failed = frame("matchmaker_failed", &MATCH_START_FAILED);
                self.host.send_event(std::slice::from_ref(player), failed);
            }
        }
        let matched = Matched {
            match_id: &self.id,
            players: self.roster.ids(),
        };
        self.host
            .send_event(self.roster.connected(), frame("matched", &matched));
        self.start(now);
    }

    /// Joins a player, or welcomes back one who is in already.
    pub async fn join(
        &mut self,
        player: &PlayerId,
        ctx: &RawValue,
        now: u64,
    ) -> Result<MatchInfo, JoinError> {
        if self.status == Status::Finished {
            return Err(JoinError::Gone);
        }
        if self.roster.contains(player) {
            self.connected(player, now);
            return Ok(self.info());
        }
        self.check_room()?;
        let joined = self.logic.join(player, ctx).await;
        self.carry_out_effects(now).await;
        joined.map_err(|refusal| match refusal {
            JoinRefusal::Refused(reason) => JoinError::Refused(reason),
            JoinRefusal::Failed => JoinError::Refused(None),
        })?;
        self.add_member(player, now);
        if self.roster.len() >= self.mode.match_size as usize {
            self.start(now);
        }
        Ok(self.info())
    }

    fn check_room(&self) -> Result<(), JoinError> {
        if !self.joinable {
            return Err(JoinError::Locked);
        }
        if self.roster.len() >= self.mode.max_players as usize {
            return Err(JoinError::Full);
        }
        Ok(())
    }

    fn add_member(&mut self, player: &PlayerId, now: u64) {
        let presence = if player.is_bot() {
            Presence::Bot
        } else if self.host.player_joined(&self.id, player) {
            Presence::Connected
        } else {
            Presence::Gone {
                until: now + self.grace_ms(),
            }
        };
        self.roster.add(player.clone(), presence, now);
    }

    fn start(&mut self, now: u64) {
        if self.status == Status::Waiting {
            self.status = Status::Running;
            self.started_at = Some(now);
        }
    }

    /// Takes a player out of the match.
    pub async fn leave(&mut self, player: &PlayerId, now: u64) {
        if !self.roster.remove(player) {
            return;
        }
        if !player.is_bot() {
            self.host.player_left(&self.id, player);
        }
        self.logic.leave(player).await;
        self.carry_out_effects(now).await;
    }

    /// A player of the match has a connection again: sends what they missed.
    pub fn connected(&mut self, player: &PlayerId, now: u64) {
        if !self.roster.set_presence(player, Presence::Connected) {
            return;
        }
        let to = std::slice::from_ref(player);
        if let Some(finished) = &self.finished {
            self.host.send_event(to, finished.frame.clone());
            return;
        }
        self.host.send_event(
            to,
            frame(
                "joined",
                &Rejoined {
                    info: self.info(),
                    reconnected: true,
                },
            ),
        );
        for vote in &self.votes {
            self.host
                .send_event(to, frame("vote_start", &vote.start_frame(now)));
        }
    }

    /// A player's connection dropped: holds the place for the grace period.
    pub fn disconnected(&mut self, player: &PlayerId, now: u64) {
        let until = now + self.grace_ms();
        self.roster.set_presence(player, Presence::Gone { until });
    }

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

    /// Advances the match by one tick.
    pub async fn tick(&mut self, inputs: &mut Vec<Input>, now: u64) {
        if self.status != Status::Running {
            return;
        }
        // Inputs of somebody who left since are nobody's.
        inputs.retain(|input| self.roster.contains(&input.player));
        inputs.append(&mut self.bot_inputs);
        let outcome = self.logic.step(inputs).await;
        self.carry_out_effects(now).await;
        if let StepOutcome::Finished(result) = outcome {
            self.finish(result, now);
            return;
        }
        self.run_votes(now).await;
        self.give_up_overdue_places(now).await;
        self.send_views(now);
        self.save_when_due(now);
    }

    async fn give_up_overdue_places(&mut self, now: u64) {
        for player in self.roster.overdue(now) {
            self.leave(&player, now).await;
        }
    }

    async fn run_votes(&mut self, now: u64) {
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

    fn open_vote(&mut self, request: VoteRequest, now: u64) {
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

    fn cast_planned_ballots(&mut self, now: u64) {
        let due = self
            .planned_ballots
            .extract_if(.., |ballot| ballot.due <= now);
        for ballot in due.collect::<Vec<_>>() {
            // The vote may be over, or the bot gone.
            let _ = self.cast_vote(&ballot.bot, &ballot.vote_id, &ballot.option, now);
        }
    }

    async fn resolve_vote(&mut self, vote: &Vote, now: u64) {
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

    /// Sends everyone what they may see, encoding each distinct view once.
    fn send_views(&mut self, now: u64) {
        if self.logic.shared_view() {
            self.send_shared_view();
        } else {
            self.send_own_views();
        }
        // The views' faults and log lines; views cannot wait, so neither does this.
        for effect in self.logic.drain_effects() {
            self.carry_out(effect, now);
        }
    }

    fn send_shared_view(&mut self) {
        let Some(anyone) = self
            .roster
            .members()
            .first()
            .map(|member| member.id.clone())
        else {
            return;
        };
        let Some(View::New(view)) = self.logic.view(&anyone) else {
            return;
        };
        if let Some(frame) = state_frame(&view) {
            self.host.send_state(self.roster.connected(), frame);
        }
        for bot in self.bot_ids() {
            self.bot_acts(bot, &view);
        }
    }

    fn send_own_views(&mut self) {
        let viewers = self.roster.connected().to_vec();
        let mut pending: Option<(usize, String)> = None;
        for (at, viewer) in viewers.iter().enumerate() {
            let view = self.logic.view(viewer);
            if view == Some(View::Same) && pending.is_some() {
                continue;
            }
            if let Some((from, frame)) = pending.take() {
                self.host.send_state(&viewers[from..at], frame);
            }
            if let Some(View::New(view)) = view {
                pending = state_frame(&view).map(|frame| (at, frame));
            }
        }
        if let Some((from, frame)) = pending {
            self.host.send_state(&viewers[from..], frame);
        }
        self.bots_look();
    }

    fn bots_look(&mut self) {
        let mut last = None;
        for bot in self.bot_ids() {
            match self.logic.view(&bot) {
                Some(View::New(view)) => last = Some(view),
                Some(View::Same) => {}
                None => continue,
            }
            if let Some(view) = last.clone() {
                self.bot_acts(bot, &view);
            }
        }
    }

    fn bot_ids(&self) -> Vec<PlayerId> {
        let bots = self
            .roster
            .members()
            .iter()
            .filter(|m| m.presence == Presence::Bot);
        bots.map(|member| member.id.clone()).collect()
    }

    fn bot_acts(&mut self, bot: PlayerId, view: &Bytes) {
        let input = match bots::reflex(view) {
            Reflex::Wait => return,
            Reflex::Pick(payload) => Input {
                player: bot,
                payload,
            },
            Reflex::Play => match self.logic.think(&bot, view) {
                Some(payload) => Input {
                    player: bot,
                    payload,
                },
                None => bots::default_ai(&bot, view, &mut self.rng),
            },
        };
        self.bot_inputs.push(input);
    }

    fn finish(&mut self, result: Bytes, now: u64) {
        let text = std::str::from_utf8(&result).unwrap_or("{}");
        let payload = format!(
            "{{\"match_id\":{},\"result\":{text}}}",
            json(self.id.as_str())
        );
        let frame = asobi_wire::envelope::frame_raw("match.finished", None, &payload);
        self.status = Status::Finished;
        self.host.send_event(self.roster.connected(), frame.clone());
        self.finished = Some(Finished { at: now, frame });
        self.host.match_finished(MatchRecord {
            id: self.id.clone(),
            mode: self.mode.name.clone(),
            players: self.roster.ids(),
            result,
            started_at: self.started_at,
            finished_at: now,
        });
    }

    async fn carry_out_effects(&mut self, now: u64) {
        // A bot that is added joins, and its join may queue effects of its own: hence the
        // bound, which a script that adds a bot in every join would otherwise never meet.
        for _ in 0..bots::MAX_BOTS {
            let effects = self.logic.drain_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::AddBot(name) => self.add_bot(&name, now).await,
                    Effect::RemoveBot(name) => self.remove_bot(&name).await,
                    other => self.carry_out(other, now),
                }
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, _now: u64) {
        match effect {
            Effect::Broadcast { event, payload } => {
                let kind = format!("match.{event}");
                if let Ok(payload) = std::str::from_utf8(&payload) {
                    let frame = asobi_wire::envelope::frame_raw(&kind, None, payload);
                    self.host.send_event(self.roster.connected(), frame);
                }
            }
            Effect::Send { to, message } => self.send_message(&to, &message),
            Effect::SetJoinable(joinable) => self.joinable = joinable,
            Effect::Log {
                level,
                message,
                meta,
            } => {
                self.host
                    .script_log(&self.origin, level, &message, meta.as_deref());
            }
            Effect::Fault(fault) => self.report(fault),
            // Only callbacks that may wait add and remove bots.
            Effect::AddBot(_) | Effect::RemoveBot(_) => {}
        }
    }

    fn send_message(&self, to: &PlayerId, message: &[u8]) {
        let Ok(message) = std::str::from_utf8(message) else {
            return;
        };
        let payload = format!("{{\"module\":\"lua\",\"message\":{message}}}");
        let frame = asobi_wire::envelope::frame_raw("module.message", None, &payload);
        self.host.send_event(std::slice::from_ref(to), frame);
    }

    async fn add_bot(&mut self, name: &str, now: u64) {
        let bots = self.bot_ids();
        let there_already = bots.iter().any(|bot| bots::is_called(bot, name));
        if there_already || bots.len() >= bots::MAX_BOTS || self.check_room().is_err() {
            tracing::info!(match_id = %self.id, bot = name, "bot not added: match full, bot there already, or too many bots");
            return;
        }
        let bot = bots::bot_id(name, &mut self.rng);
        if self.logic.join(&bot, &empty_context()).await.is_ok() {
            self.roster.add(bot, Presence::Bot, now);
        }
    }

    async fn remove_bot(&mut self, name: &str) {
        let Some(bot) = self
            .bot_ids()
            .into_iter()
            .find(|bot| bots::is_called(bot, name))
        else {
            return;
        };
        self.roster.remove(&bot);
        self.logic.leave(&bot).await;
    }

    fn report(&self, fault: ScriptFault) {
        self.host
            .script_fault(&self.origin, &fault, self.roster.connected());
    }

    fn save_when_due(&mut self, now: u64) {
        if now < self.next_snapshot_at {
            return;
        }
        self.next_snapshot_at = now + self.settings.snapshot_interval_ms;
        if let Some(saved) = self.saved(now) {
            self.last_saved = Some(saved.clone());
            self.host.save_match(saved);
        }
    }

    /// The match as it can be taken up again; `None` when it is over or cannot be written.
    pub fn saved(&mut self, now: u64) -> Option<SavedMatch> {
        if self.status == Status::Finished {
            return None;
        }
        let mut state = Vec::new();
        if let Err(fault) = self.logic.snapshot(&mut state) {
            self.report(fault);
            return None;
        }
        let meta = SavedMeta {
            status: self.status,
            seed: self.seed,
            members: self.roster.members().to_vec(),
            joinable: self.joinable,
            votes: self.votes.clone(),
            started_at: self.started_at,
            saved_at: now,
        };
        Some(SavedMatch {
            id: self.id.clone(),
            mode: self.mode.name.clone(),
            meta,
            state: state.into(),
        })
    }

    /// The last snapshot taken while the match ran.
    pub fn last_saved(&self) -> Option<&SavedMatch> {
        self.last_saved.as_ref()
    }

    /// What the match tells about itself.
    pub fn info(&self) -> MatchInfo {
        MatchInfo {
            match_id: self.id.clone(),
            mode: self.mode.name.clone(),
            status: self.status,
            player_count: self.roster.len(),
            max_players: self.mode.max_players,
            players: self.roster.ids(),
            listed: self.mode.listed,
            joinable: self.joinable,
        }
    }

    /// Milliseconds between two ticks.
    pub fn tick_rate_ms(&self) -> u64 {
        self.logic.tick_rate_ms()
    }

    /// Where the match is in its life.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether the match's task can end: it is over and has lingered, nobody came, or every
    /// person has left.
    pub fn is_done(&self, now: u64) -> bool {
        match (&self.finished, self.status) {
            (Some(finished), _) => now >= finished.at + self.settings.linger_ms,
            (None, Status::Waiting) => now >= self.created_at + self.settings.waiting_timeout_ms,
            (None, _) => self.roster.is_deserted(),
        }
    }

    /// Releases whoever is still bound to this match.
    pub fn release(&self) {
        for player in self.roster.ids().iter().filter(|player| !player.is_bot()) {
            self.host.player_left(&self.id, player);
        }
        self.host.match_stopped(&self.id);
    }

    fn grace_ms(&self) -> u64 {
        self.mode
            .reconnect_grace_ms
            .unwrap_or(self.settings.reconnect_grace_ms)
    }
}

/// What a player learns whom the matchmaker sent and the game turned away.
const MATCH_START_FAILED: Failed = Failed {
    reason: "match_start_failed",
};

#[derive(Serialize)]
struct Failed {
    reason: &'static str,
}

#[derive(Serialize)]
struct Matched<'a> {
    match_id: &'a MatchId,
    players: Vec<PlayerId>,
}

#[derive(Serialize)]
struct Rejoined {
    #[serde(flatten)]
    info: MatchInfo,
    reconnected: bool,
}

#[derive(Serialize)]
struct ToldResult<'a> {
    #[serde(flatten)]
    result: &'a crate::votes::VoteResult,
    votes_cast: &'a std::collections::BTreeMap<&'a str, &'a str>,
}

fn frame<T: Serialize + ?Sized>(event: &str, payload: &T) -> String {
    asobi_wire::envelope::frame(&format!("match.{event}"), None, payload)
}

fn state_frame(view: &[u8]) -> Option<String> {
    let view = std::str::from_utf8(view).ok()?;
    Some(asobi_wire::envelope::frame_raw("match.state", None, view))
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with string keys")
}

fn empty_context() -> Box<RawValue> {
    RawValue::from_string("{}".into()).expect("an empty object is JSON")
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
