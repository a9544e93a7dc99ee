//! A match by the clock: phases, timers, absences, waiting for players, bots.
//!
//! The game played here writes down what it is called with and does what the test puts in its
//! queue of effects.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::{Arc, Mutex};

use asobi_game::host::{MatchHost, MatchRecord, Origin, VoteRecord};
use asobi_game::logic::{
    Around, Effect, FiredTimer, Input, JoinRefusal, LocalFuture, LogLevel, MatchLogic, ScriptFault,
    StepOutcome, View,
};
use asobi_game::matches::running::Parts;
use asobi_game::matches::{
    JoinError, Match, MatchHandle, MatchSettings, NewMatch, SavedMatch, Status,
};
use asobi_game::modes::{MatchingRules, Mode};
use asobi_game::phases::{Condition, PhaseDef, PhaseSignal};
use asobi_game::timers::{Timer, TimerKey};
use asobi_game::votes::{VoteAsk, VoteRules};
use asobi_game::{MatchId, PlayerId};
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What the game was called with, and what it is to ask for next.
#[derive(Clone, Default)]
struct Tape {
    calls: Arc<Mutex<Vec<String>>>,
    effects: Arc<Mutex<Vec<Effect>>>,
}

impl Tape {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }
    fn ask(&self, effect: Effect) {
        self.effects.lock().unwrap().push(effect);
    }
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

#[derive(Default)]
struct Taped {
    tape: Tape,
    phases: Vec<PhaseDef>,
}

fn done<'a, T: 'a>(value: T) -> LocalFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl MatchLogic for Taped {
    fn tick_rate_ms(&self) -> u64 {
        20
    }
    fn shared_view(&self) -> bool {
        false
    }
    fn join<'a>(
        &'a mut self,
        _: &'a PlayerId,
        _: &'a RawValue,
    ) -> LocalFuture<'a, Result<(), JoinRefusal>> {
        done(Ok(()))
    }
    fn leave<'a>(&'a mut self, _: &'a PlayerId) -> LocalFuture<'a, ()> {
        done(())
    }
    fn phases(&mut self) -> Vec<PhaseDef> {
        std::mem::take(&mut self.phases)
    }
    fn inform(&mut self, around: Around) {
        if around.phase.is_some() {
            assert!(around.now > 0);
        }
    }
    fn phase_started<'a>(&'a mut self, name: &'a str) -> LocalFuture<'a, ()> {
        self.tape.note(format!("+{name}"));
        done(())
    }
    fn phase_ended<'a>(&'a mut self, name: &'a str) -> LocalFuture<'a, ()> {
        self.tape.note(format!("-{name}"));
        done(())
    }
    /// Has time for two at once.
    fn timers<'a>(&'a mut self, fired: &'a [FiredTimer]) -> LocalFuture<'a, usize> {
        for timer in fired.iter().take(2) {
            let data = timer.data.as_ref().map_or("-", |data| data.get());
            self.tape.note(format!("{}={data}", timer.name));
        }
        done(fired.len().min(2))
    }
    fn disconnected<'a>(&'a mut self, player: &'a PlayerId) -> LocalFuture<'a, ()> {
        self.tape.note(format!("{player} gone"));
        done(())
    }
    fn reconnected<'a>(&'a mut self, player: &'a PlayerId) -> LocalFuture<'a, ()> {
        self.tape.note(format!("{player} back"));
        done(())
    }
    fn step<'a>(&'a mut self, _: &'a [Input]) -> LocalFuture<'a, StepOutcome> {
        done(StepOutcome::Running)
    }
    fn view(&mut self, _: &PlayerId) -> Option<View> {
        Some(View::New(Bytes::from_static(b"{}")))
    }
    fn vote_requested(&mut self) -> Option<VoteAsk> {
        None
    }
    fn vote_resolved<'a>(&'a mut self, _: &'a str, _: &'a str) -> LocalFuture<'a, ()> {
        done(())
    }
    fn think(&mut self, _: &PlayerId, _: &Bytes) -> Option<Bytes> {
        self.tape.note("think");
        Some(Bytes::from_static(b"{}"))
    }
    fn bot_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn snapshot(&mut self, _: &mut Vec<u8>) -> Result<(), ScriptFault> {
        Ok(())
    }
    fn drain_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.tape.effects.lock().unwrap())
    }
}

/// Writes down what the match sends and keeps.
#[derive(Default)]
struct Notebook {
    events: Mutex<Vec<(Vec<PlayerId>, Value)>>,
    records: Mutex<Vec<MatchRecord>>,
    saves: Mutex<Vec<SavedMatch>>,
}

impl MatchHost for Notebook {
    fn send_event(&self, to: &[PlayerId], frame: String) {
        let frame = serde_json::from_str(&frame).unwrap();
        self.events.lock().unwrap().push((to.to_vec(), frame));
    }
    fn chat(&self, _: String, _: String, _: String) {}
    fn send_state(&self, _: &[PlayerId], _: String) {}
    fn match_started(&self, _: MatchHandle) {}
    fn player_joined(&self, _: &MatchId, player: &PlayerId) -> bool {
        !player.as_str().starts_with("far")
    }
    fn player_left(&self, _: &MatchId, _: &PlayerId) {}
    fn match_finished(&self, record: MatchRecord) {
        self.records.lock().unwrap().push(record);
    }
    fn vote_resolved(&self, _: VoteRecord) {}
    fn save_match(&self, saved: SavedMatch) {
        // As the store does it.
        let meta = serde_json::to_string(&saved.meta).unwrap();
        let meta = serde_json::from_str(&meta).unwrap();
        self.saves
            .lock()
            .unwrap()
            .push(SavedMatch { meta, ..saved });
    }
    fn match_stopped(&self, _: &MatchId) {}
    fn script_fault(&self, _: &Origin, _: &ScriptFault, _: &[PlayerId]) {}
    fn script_log(&self, _: &Origin, _: LogLevel, _: &str, _: Option<&str>) {}
}

impl Notebook {
    /// Takes the payloads of this event, and to whom they went.
    fn take(&self, kind: &str) -> Vec<(Vec<PlayerId>, Value)> {
        let mut events = self.events.lock().unwrap();
        let taken = events.extract_if(.., |(_, frame)| frame["type"] == kind);
        taken
            .map(|(to, mut frame)| (to, frame["payload"].take()))
            .collect()
    }

    fn phases(&self) -> Vec<String> {
        let taken = self.take("match.phase_changed").into_iter();
        taken
            .map(|(_, p)| format!("{} {}", p["status"].as_str().unwrap(), p["phase"]))
            .collect()
    }
}

fn mode() -> Mode {
    Mode {
        name: "taped".into(),
        aliases: Vec::new(),
        match_size: 2,
        min_players: 2,
        max_players: 100,
        group_up_to: 2,
        strategy: "fill".into(),
        matching: MatchingRules::default(),
        bots: None,
        listed: false,
        quick_play: false,
        reconnect_grace_ms: Some(5_000),
        queue_status: false,
        votes: VoteRules::default(),
    }
}

struct Stage {
    host: Arc<Notebook>,
    tape: Tape,
    current: Match,
}

const START: u64 = 1_000_000;

impl Stage {
    async fn new(mode: Mode, phases: Vec<PhaseDef>, players: &[&str]) -> Self {
        let (host, tape) = (Arc::new(Notebook::default()), Tape::default());
        let players = players.iter().map(|id| PlayerId::from(*id)).collect();
        let new = NewMatch {
            id: MatchId::generate(),
            mode,
            seed: 7,
            players,
            teams: Vec::new(),
        };
        let logic = Taped {
            tape: tape.clone(),
            phases,
        };
        let mut current = Match::new(&new, parts(&host, logic), START);
        current.begin(&new.players, START).await;
        Self {
            host,
            tape,
            current,
        }
    }

    async fn tick(&mut self, after: u64) {
        self.current.tick(&mut Vec::new(), START + after).await;
    }

    async fn join(&mut self, player: &str, after: u64) -> Result<(), JoinError> {
        let ctx = RawValue::from_string("{}".into()).unwrap();
        let joined = self.current.join(&player.into(), &ctx, START + after).await;
        joined.map(|_| ())
    }

    /// The match as it was last saved, taken up again `after` the start.
    fn restart(&mut self, after: u64) {
        let saved = self.host.saves.lock().unwrap().last().unwrap().clone();
        let logic = Taped {
            tape: self.tape.clone(),
            ..Taped::default()
        };
        self.current = Match::restored(&saved, mode(), parts(&self.host, logic), START + after);
    }
}

fn parts(host: &Arc<Notebook>, logic: Taped) -> Parts {
    Parts {
        settings: MatchSettings::default(),
        host: Arc::clone(host) as Arc<dyn MatchHost>,
        logic: Box::new(logic),
    }
}

fn phase(name: &str, start: Condition, duration_ms: Option<u64>) -> PhaseDef {
    PhaseDef {
        name: name.into(),
        start,
        end: None,
        duration_ms,
        config: json!({"of": name}),
        timers: Vec::new(),
    }
}

fn three() -> Vec<PhaseDef> {
    vec![
        phase("warmup", Condition::PrevEnded, Some(1_000)),
        phase("combat", Condition::Event("gate".into()), Some(2_000)),
        phase("results", Condition::PrevEnded, Some(500)),
    ]
}

#[tokio::test]
async fn phases_run_through_and_finish_the_match() {
    let mut stage = Stage::new(mode(), three(), &["ada", "bob"]).await;
    assert_eq!(stage.tape.take(), ["+warmup"]);
    let told = stage.host.take("match.phase_changed").pop().unwrap();
    assert_eq!(told.0.len(), 2);
    let expected = json!({
        "match_id": stage.current.info().match_id, "status": "active", "phase": "warmup",
        "remaining_ms": 1_000, "config": {"of": "warmup"}, "timers": {},
    });
    assert_eq!(told.1, expected);

    stage.tick(1_000).await;
    assert_eq!(stage.tape.take(), ["-warmup"]);
    let (_, waiting) = stage.host.take("match.phase_changed").pop().unwrap();
    let condition = json!({"type": "event", "value": "gate"});
    assert_eq!(
        (
            &waiting["status"],
            &waiting["phase"],
            &waiting["start_condition"]
        ),
        (&json!("waiting"), &json!("combat"), &condition)
    );
    stage
        .tape
        .ask(Effect::Phase(PhaseSignal::Event("gate".into())));
    stage.tick(1_100).await;
    stage.tick(1_200).await;
    assert_eq!(stage.tape.take(), ["+combat"]);
    let brief = stage.current.info().phase.unwrap();
    assert_eq!(brief["remaining_ms"], 2_000);
    stage.tick(3_200).await;
    stage.tick(3_700).await;
    assert_eq!(stage.tape.take(), ["-combat", "+results", "-results"]);
    let told = ["active \"combat\"", "active \"results\"", "complete null"];
    assert_eq!(stage.host.phases(), told);
    assert_eq!(stage.current.status(), Status::Finished);
    let result = &stage.host.records.lock().unwrap()[0].result;
    assert_eq!(&result[..], br#"{"status":"phases_complete"}"#);
}

#[tokio::test]
async fn the_phase_is_sent_again_now_and_then_and_to_who_comes() {
    let list = vec![phase("long", Condition::PrevEnded, None)];
    let mut stage = Stage::new(mode(), list, &["ada", "bob"]).await;
    stage.host.phases();
    for after in (50..=12_000).step_by(50) {
        stage.tick(after).await;
    }
    // Every three seconds and not at every tick.
    assert_eq!(stage.host.phases().len(), 4);
    stage.join("cem", 12_010).await.unwrap();
    let told = stage.host.take("match.phase_changed");
    assert_eq!(told[0].0, [PlayerId::from("cem")]);
    assert_eq!(told[0].1["remaining_ms"], Value::Null);
    stage
        .current
        .disconnected(&"ada".into(), START + 12_020)
        .await;
    stage.current.connected(&"ada".into(), START + 12_030).await;
    let told = stage.host.take("match.phase_changed");
    assert_eq!((told.len(), &told[0].0), (1, &vec![PlayerId::from("ada")]));
}

#[tokio::test]
async fn a_restart_in_a_phase_goes_on_in_it_and_repeats_no_transition() {
    let mut stage = Stage::new(mode(), three(), &["ada", "bob"]).await;
    stage.tick(1_000).await;
    stage
        .tape
        .ask(Effect::Phase(PhaseSignal::Event("gate".into())));
    stage.tick(1_050).await;
    stage.tick(1_100).await;
    assert_eq!(stage.tape.take(), ["+warmup", "-warmup", "+combat"]);
    // The transition was saved at once. The server is down for an hour.
    stage.restart(3_600_000);
    let brief = stage.current.info().phase.unwrap();
    assert_eq!(
        (&brief["phase"], &brief["remaining_ms"]),
        (&json!("combat"), &json!(2_000))
    );
    stage.tick(3_600_000 + 1_999).await;
    assert_eq!(stage.tape.take(), [""; 0]);
    stage.tick(3_600_000 + 2_000).await;
    assert_eq!(stage.tape.take(), ["-combat", "+results"]);
}

fn timer(id: u64, name: &str, due: u64, every: Option<u64>) -> Effect {
    let data = RawValue::from_string(id.to_string()).unwrap();
    Effect::StartTimer(Timer {
        id,
        name: name.into(),
        due,
        every,
        data: Some(data),
    })
}

#[tokio::test]
async fn timers_fire_are_cancelled_and_survive() {
    let mut stage = Stage::new(mode(), Vec::new(), &["ada", "bob"]).await;
    stage.tape.ask(timer(1, "once", 500, None));
    stage.tape.ask(timer(2, "beat", 300, Some(300)));
    stage.tape.ask(timer(3, "never", 400, None));
    stage
        .tape
        .ask(Effect::CancelTimer(TimerKey::Name("never".into())));
    stage.tick(0).await;
    for after in (20..=700).step_by(20) {
        stage.tick(after).await;
    }
    assert_eq!(stage.tape.take(), ["beat=2", "once=1", "beat=2"]);
    stage.tape.ask(timer(4, "later", 1_000, None));
    stage.tick(760).await;
    stage.tick(1_600).await;
    assert_eq!(stage.tape.take(), ["beat=2"]);
    // Saved at 1600: the beat, which was late, is due at 1900, the other at 1760.
    stage.restart(100_000);
    stage.tick(100_159).await;
    assert_eq!(stage.tape.take(), [""; 0]);
    stage.tick(100_160).await;
    stage.tick(100_300).await;
    assert_eq!(stage.tape.take(), ["later=4", "beat=2"]);
}

#[tokio::test]
async fn timers_there_is_no_time_for_come_at_the_next_tick() {
    let mut stage = Stage::new(mode(), Vec::new(), &["ada", "bob"]).await;
    for id in 1..=5 {
        stage.tape.ask(timer(id, "t", 100, None));
    }
    stage.tick(0).await;
    let mut fired = Vec::new();
    for after in [100, 120, 140, 160] {
        stage.tick(after).await;
        fired.push(stage.tape.take().join(" "));
    }
    assert_eq!(fired, ["t=1 t=2", "t=3 t=4", "t=5", ""]);
}

#[tokio::test]
async fn absences_and_returns_are_told_once() {
    let mut stage = Stage::new(mode(), Vec::new(), &["ada", "bob"]).await;
    let ada = PlayerId::from("ada");
    stage.current.disconnected(&ada, START + 10).await;
    stage.current.disconnected(&ada, START + 20).await;
    stage.current.connected(&ada, START + 30).await;
    // A second connection of somebody who is there, and strangers.
    stage.current.connected(&ada, START + 40).await;
    stage.current.connected(&"eve".into(), START + 40).await;
    stage.current.disconnected(&"eve".into(), START + 50).await;
    assert_eq!(stage.tape.take(), ["ada gone", "ada back"]);
}

#[tokio::test]
async fn a_restart_tells_of_those_who_do_not_come_back_at_once() {
    let mut stage = Stage::new(mode(), Vec::new(), &["far-ada", "bob"]).await;
    let ada = PlayerId::from("far-ada");
    stage.current.connected(&ada, START).await;
    assert_eq!(stage.tape.take(), ["far-ada back"]);
    stage.tick(10).await;
    // The host knows of a connection of bob's already, not of one of ada's.
    stage.restart(100);
    assert_eq!(stage.tape.take(), [""; 0]);
    stage.tick(120).await;
    assert_eq!(stage.tape.take(), ["far-ada gone"]);
    stage.current.connected(&ada, START + 130).await;
    assert_eq!(stage.tape.take(), ["far-ada back"]);
}

#[tokio::test]
async fn a_match_waits_for_its_players_while_the_clock_runs() {
    let waits = Mode {
        min_players: 4,
        ..mode()
    };
    let list = vec![
        phase("lobby", Condition::Players(3), None),
        phase("combat", Condition::PrevEnded, None),
    ];
    let mut stage = Stage::new(waits.clone(), list.clone(), &["ada", "bob"]).await;
    stage.tick(100).await;
    assert_eq!(stage.current.status(), Status::Waiting);
    stage.join("cem", 200).await.unwrap();
    stage.tick(300).await;
    assert_eq!(
        stage.tape.take(),
        ["+lobby"],
        "phases need no running match"
    );
    assert_eq!(stage.current.status(), Status::Waiting);
    stage.join("dan", 400).await.unwrap();
    assert_eq!(stage.current.status(), Status::Running);

    let mut with_bots = Stage::new(waits.clone(), Vec::new(), &["ada", "bob"]).await;
    for name in ["Spark", "Blitz"] {
        with_bots.tape.ask(Effect::AddBot(name.into()));
    }
    let ada = PlayerId::from("ada");
    with_bots.current.disconnected(&ada, START + 50).await;
    assert_eq!(with_bots.current.status(), Status::Waiting);
    with_bots.tick(100).await;
    assert_eq!(with_bots.current.status(), Status::Running);
    assert_eq!(with_bots.current.info().player_count, 4);

    let mut alone = Stage::new(waits, list, &["ada", "bob"]).await;
    alone.tick(100).await;
    assert!(
        !alone.host.saves.lock().unwrap().is_empty(),
        "a lobby survives a restart"
    );
    assert!(!alone.current.is_done(START + 59_999));
    assert!(alone.current.is_done(START + 60_000));
    alone.current.release();
    let told = alone.host.take("match.left");
    assert_eq!(
        (told[0].0.len(), &told[0].1["reason"]),
        (2, &json!("waiting_timeout"))
    );
}

#[tokio::test]
async fn a_closed_match_takes_nobody_but_who_is_in() {
    let mut stage = Stage::new(mode(), Vec::new(), &["ada", "bob"]).await;
    stage.tape.ask(Effect::SetJoinable(false));
    stage.tick(10).await;
    assert_eq!(stage.join("cem", 20).await, Err(JoinError::Locked));
    assert_eq!(stage.join("ada", 30).await, Ok(()));
    stage.tape.ask(Effect::SetJoinable(true));
    stage.tick(40).await;
    assert_eq!(stage.join("cem", 50).await, Ok(()));
}

#[tokio::test]
async fn sixty_four_bots_think_sixty_four_times_and_keep_nothing_alive() {
    let mut stage = Stage::new(mode(), Vec::new(), &["ada", "bob"]).await;
    stage.tape.take();
    for n in 0..80 {
        stage.tape.ask(Effect::AddBot(format!("b{n}")));
    }
    stage.tick(10).await;
    assert_eq!(stage.current.info().player_count, 2 + 64);
    let thoughts = stage.tape.take();
    assert_eq!(thoughts.iter().filter(|call| *call == "think").count(), 64);
    stage.tape.ask(timer(1, "beat", 10, Some(10)));
    stage.tick(20).await;
    stage.current.leave(&"ada".into(), START + 30).await;
    assert!(!stage.current.is_done(START + 30));
    stage.current.leave(&"bob".into(), START + 30).await;
    assert!(
        stage.current.is_done(START + 30),
        "neither bots nor timers keep a match"
    );
}
