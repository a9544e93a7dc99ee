//! What a match does with commands and ticks.
//!
//! [`Match`] is told the time and never reads a clock. Here is its life, from the first join to
//! the last snapshot; beside it `stages`, `voting`, `views` and `effects`. What it wants from outside goes
//! to the [`MatchHost`]; a failing script costs its own callback and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::Serialize;
use serde_json::value::RawValue;

mod effects;
mod stages;
mod views;
mod voting;

use super::handle::JoinError;
use super::roster::{Presence, Roster};
use super::saved::{SavedMatch, SavedMeta};
use super::{MatchInfo, MatchSettings, NewMatch, Status};
use crate::bots::PlannedBallot;
use crate::host::{MatchHost, MatchRecord, Origin};
use crate::ids::{MatchId, PlayerId};
use crate::logic::{Input, JoinRefusal, MatchLogic, StepOutcome};
use crate::modes::Mode;
use crate::phases::Phases;
use crate::timers::Timers;
use crate::votes::VoteBoard;

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
    voting: VoteBoard,
    /// The sides the matchmaker put together, if the mode has sides.
    teams: Vec<Vec<PlayerId>>,
    planned_ballots: Vec<PlannedBallot>,
    phases: Option<Phases>,
    next_phase_resend: u64,
    timers: Timers,
    /// People who were connected when the match was saved and are not yet back.
    lost: Vec<PlayerId>,
    /// The time the match was last told.
    now: u64,
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
    pub fn new(new: &NewMatch, mut parts: Parts, now: u64) -> Self {
        let phases = Phases::new(parts.logic.phases());
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
            voting: VoteBoard::default(),
            teams: new.teams.clone(),
            planned_ballots: Vec::new(),
            phases,
            next_phase_resend: 0,
            timers: Timers::default(),
            lost: Vec::new(),
            now,
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
            teams: Vec::new(),
        };
        let mut restored = Self::new(&new, parts, now);
        let until = now + restored.grace_ms();
        let mut members = saved.meta.members.clone();
        for member in members.iter_mut().filter(|member| !member.id.is_bot()) {
            if member.presence == Presence::Connected {
                restored.lost.push(member.id.clone());
            }
            member.presence = Presence::Gone { until };
        }
        restored.roster = Roster::new(members);
        restored.status = saved.meta.status;
        restored.joinable = saved.meta.joinable;
        restored.started_at = saved.meta.started_at;
        let down = now.saturating_sub(saved.meta.saved_at);
        restored.voting = saved.meta.voting.clone();
        restored.voting.shift(down);
        restored.plan_missing_ballots(now);
        restored.phases = saved.meta.phases.clone();
        if let Some(phases) = &mut restored.phases {
            phases.shift(down);
        }
        restored.timers = Timers::restored(saved.meta.timers.clone(), down);
        restored.reclaim_members();
        restored
    }

    /// Tells the outside who belongs here; whoever is connected already is back at once.
    fn reclaim_members(&mut self) {
        for player in self.roster.ids() {
            if !player.is_bot() && self.host.player_joined(&self.id, &player) {
                self.roster.set_presence(&player, Presence::Connected);
                self.lost.retain(|lost| *lost != player);
            }
        }
    }

    /// Joins the players the matchmaker put together and tells them. The match starts with
    /// whoever got in, unless its mode asks for more than the matchmaker puts together.
    pub async fn begin(&mut self, players: &[PlayerId], now: u64) {
        self.inform(now);
        self.run_phases(now).await;
        for player in players {
            let context = self.context_of(player);
            if self.admit(player, &context, now).await.is_err() {
                let failed = frame("matchmaker_failed", &MATCH_START_FAILED);
                self.host.send_event(std::slice::from_ref(player), failed);
            }
        }
        let matched = Matched {
            match_id: &self.id,
            players: self.roster.ids(),
            teams: self.present_teams(),
        };
        self.host
            .send_event(self.roster.connected(), frame("matched", &matched));
        self.show_phase(self.roster.connected(), now);
        if self.mode.min_players <= self.mode.match_size || self.has_enough() {
            self.start(now);
        }
    }

    /// The join context of somebody the matchmaker sent: `{"team": n}` in a match with sides.
    fn context_of(&self, player: &PlayerId) -> Box<RawValue> {
        let side = self.teams.iter().position(|team| team.contains(player));
        match side {
            Some(side) => RawValue::from_string(format!("{{\"team\":{}}}", side + 1))
                .expect("an object with a number is JSON"),
            None => empty_context(),
        }
    }

    /// The sides, without those the game turned away.
    fn present_teams(&self) -> Vec<Vec<PlayerId>> {
        let mut teams = self.teams.clone();
        for team in &mut teams {
            team.retain(|player| self.roster.contains(player));
        }
        teams
    }

    /// Joins a player, or welcomes back one who is in already.
    pub async fn join(
        &mut self,
        player: &PlayerId,
        ctx: &RawValue,
        now: u64,
    ) -> Result<MatchInfo, JoinError> {
        let was_in = self.roster.contains(player);
        self.admit(player, ctx, now).await?;
        if !was_in {
            self.show_phase(std::slice::from_ref(player), now);
        }
        if self.has_enough() {
            self.start(now);
        }
        Ok(self.info())
    }

    async fn admit(
        &mut self,
        player: &PlayerId,
        ctx: &RawValue,
        now: u64,
    ) -> Result<(), JoinError> {
        if self.status == Status::Finished {
            return Err(JoinError::Gone);
        }
        if self.roster.contains(player) {
            self.connected(player, now).await;
            return Ok(());
        }
        self.check_room()?;
        self.inform(now);
        let joined = self.logic.join(player, ctx).await;
        self.carry_out_effects(now).await;
        joined.map_err(|refusal| match refusal {
            JoinRefusal::Refused(reason) => JoinError::Refused(reason),
            JoinRefusal::Failed => JoinError::Refused(None),
        })?;
        self.add_member(player, now);
        Ok(())
    }

    fn has_enough(&self) -> bool {
        self.roster.len() >= self.mode.min_players as usize
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
        self.voting.joined(player);
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
        self.voting.left(player);
        if let Some(phases) = &mut self.phases {
            phases.left(player);
        }
        self.lost.retain(|lost| lost != player);
        self.inform(now);
        self.logic.leave(player).await;
        self.carry_out_effects(now).await;
    }

    /// A player of the match has a connection again: sends what they missed.
    pub async fn connected(&mut self, player: &PlayerId, now: u64) {
        self.now = now;
        let before = self.roster.presence(player);
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
        for vote in self.voting.votes() {
            self.host
                .send_event(to, frame("vote_start", &vote.start_frame(now)));
            if vote.is_live() {
                self.host
                    .send_event(to, frame("vote_tally", &vote.tally(now)));
            }
        }
        self.show_phase(to, now);
        let lost = self.lost.len();
        self.lost.retain(|lost| lost != player);
        // The game hears of a return only when it heard of the absence.
        let was_gone = matches!(before, Some(Presence::Gone { .. }));
        if was_gone && lost == self.lost.len() {
            self.inform(now);
            self.logic.reconnected(player).await;
            self.carry_out_effects(now).await;
        }
    }

    /// A player's connection dropped: holds the place for the grace period.
    pub async fn disconnected(&mut self, player: &PlayerId, now: u64) {
        let was_there = self.roster.presence(player) == Some(Presence::Connected);
        let until = now + self.grace_ms();
        self.roster.set_presence(player, Presence::Gone { until });
        if was_there && self.status != Status::Finished {
            self.tell_disconnected(player, now).await;
        }
    }

    async fn tell_disconnected(&mut self, player: &PlayerId, now: u64) {
        self.inform(now);
        self.logic.disconnected(player).await;
        self.carry_out_effects(now).await;
    }

    /// Advances the match by one tick.
    pub async fn tick(&mut self, inputs: &mut Vec<Input>, now: u64) {
        match self.status {
            Status::Running => {}
            Status::Waiting => return self.wait(now).await,
            Status::Finished => return,
        }
        self.inform(now);
        self.miss_the_lost(now).await;
        self.run_phases(now).await;
        self.run_timers(now).await;
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
        self.send_views();
        self.save_when_due(now);
    }

    /// The clock runs while a match waits for its players; the game does not tick.
    async fn wait(&mut self, now: u64) {
        self.inform(now);
        self.miss_the_lost(now).await;
        self.run_phases(now).await;
        self.run_timers(now).await;
        self.give_up_overdue_places(now).await;
        if self.status != Status::Waiting || self.roster.is_deserted() {
            return;
        }
        // Bots the game placed count too.
        if self.has_enough() {
            self.start(now);
        }
        self.save_when_due(now);
    }

    /// A restart dropped every connection: the game hears of those that did not come back at
    /// once.
    async fn miss_the_lost(&mut self, now: u64) {
        for player in std::mem::take(&mut self.lost) {
            self.tell_disconnected(&player, now).await;
        }
    }

    async fn give_up_overdue_places(&mut self, now: u64) {
        for player in self.roster.overdue(now) {
            self.leave(&player, now).await;
        }
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
            voting: self.voting.clone(),
            phases: self.phases.clone(),
            timers: self.timers.saved(),
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
            phase: self.phase_brief(),
        }
    }

    /// What the match tells about itself is as of `now`.
    pub(super) fn set_time(&mut self, now: u64) {
        self.now = now;
    }

    /// Whether anything is due by the clock while the match waits for players.
    pub(super) fn is_timed(&self) -> bool {
        self.phases.is_some() || self.timers.len() > 0
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
        if self.status == Status::Waiting {
            let gave_up = frame(
                "left",
                &GaveUp {
                    match_id: &self.id,
                    reason: "waiting_timeout",
                },
            );
            self.host.send_event(self.roster.connected(), gave_up);
        }
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

/// A match gave up waiting for its players.
#[derive(Serialize)]
struct GaveUp<'a> {
    match_id: &'a MatchId,
    reason: &'static str,
}

#[derive(Serialize)]
struct Matched<'a> {
    match_id: &'a MatchId,
    players: Vec<PlayerId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    teams: Vec<Vec<PlayerId>>,
}

#[derive(Serialize)]
struct Rejoined {
    #[serde(flatten)]
    info: MatchInfo,
    reconnected: bool,
}

fn frame<T: Serialize + ?Sized>(event: &str, payload: &T) -> String {
    asobi_wire::envelope::frame(&format!("match.{event}"), None, payload)
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with string keys")
}

fn empty_context() -> Box<RawValue> {
    RawValue::from_string("{}".into()).expect("an empty object is JSON")
}
