//! A match told the time: an hour of it in milliseconds, and what it does when things go wrong.
//!
//! The game played here is a native one, a few lines of Rust that count.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use asobi_game::host::{MatchHost, MatchRecord, Origin, VoteRecord};
use asobi_game::logic::{
    Effect, Input, JoinRefusal, LocalFuture, LogLevel, LogicFactory, MatchLogic, MatchSetup,
    ScriptFault, StepOutcome, View,
};
use asobi_game::matches::running::Parts;
use asobi_game::matches::{Match, MatchHandle, MatchSettings, NewMatch, SavedMatch, Status};
use asobi_game::modes::Mode;
use asobi_game::simulation::Simulation;
use asobi_game::votes::{VoteAsk, VoteRules};
use asobi_game::{MatchId, PlayerId};
use bytes::Bytes;
use serde_json::value::RawValue;

/// Counts ticks and inputs; an input may ask for more.
#[derive(Default)]
struct Counter {
    ticks: u64,
    inputs: u64,
    wants_vote: bool,
    over: bool,
}

fn done<'a, T: 'a>(value: T) -> LocalFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl MatchLogic for Counter {
    fn tick_rate_ms(&self) -> u64 {
        20
    }

    fn shared_view(&self) -> bool {
        true
    }

    fn join<'a>(
        &'a mut self,
        player: &'a PlayerId,
        _: &'a RawValue,
    ) -> LocalFuture<'a, Result<(), JoinRefusal>> {
        done(match player.as_str() {
            "stranger" => Err(JoinRefusal::Refused(Some("who_are_you".into()))),
            _ => Ok(()),
        })
    }

    fn leave<'a>(&'a mut self, _: &'a PlayerId) -> LocalFuture<'a, ()> {
        done(())
    }

    fn step<'a>(&'a mut self, inputs: &'a [Input]) -> LocalFuture<'a, StepOutcome> {
        for input in inputs {
            match &input.payload[..] {
                b"vote" => self.wants_vote = true,
                b"finish" => self.over = true,
                b"panic" => panic!("a native game's bug"),
                _ => self.inputs += 1,
            }
        }
        self.ticks += 1;
        done(match self.over {
            true => StepOutcome::Finished(Bytes::from_static(b"{\"winner\":\"ada\"}")),
            false => StepOutcome::Running,
        })
    }

    fn view(&mut self, _: &PlayerId) -> Option<View> {
        let view = format!("{{\"ticks\":{},\"inputs\":{}}}", self.ticks, self.inputs);
        Some(View::New(view.into()))
    }

    fn vote_requested(&mut self) -> Option<VoteAsk> {
        let ask = serde_json::json!({"options": ["a", "b"], "veto_enabled": true});
        std::mem::take(&mut self.wants_vote).then(|| ask.as_object().unwrap().clone())
    }

    fn vote_resolved<'a>(&'a mut self, _: &'a str, _: &'a str) -> LocalFuture<'a, ()> {
        done(())
    }

    fn think(&mut self, _: &PlayerId, _: &Bytes) -> Option<Bytes> {
        None
    }

    fn bot_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), ScriptFault> {
        out.extend_from_slice(&self.ticks.to_le_bytes());
        Ok(())
    }

    fn drain_effects(&mut self) -> Vec<Effect> {
        Vec::new()
    }
}

struct Counters;

impl LogicFactory for Counters {
    fn create<'a>(
        &'a self,
        _: &'a MatchSetup,
    ) -> LocalFuture<'a, Result<Box<dyn MatchLogic>, ScriptFault>> {
        let logic: Box<dyn MatchLogic> = Box::new(Counter::default());
        Box::pin(std::future::ready(Ok(logic)))
    }

    fn restore(&self, _: &MatchSetup, snapshot: &[u8]) -> Result<Box<dyn MatchLogic>, ScriptFault> {
        let ticks = u64::from_le_bytes(snapshot.try_into().unwrap());
        Ok(Box::new(Counter {
            ticks,
            ..Counter::default()
        }))
    }
}

/// Writes down what the match does. Everybody is connected.
#[derive(Default)]
struct Notebook {
    events: Mutex<Vec<String>>,
    states: Mutex<Vec<String>>,
    records: Mutex<Vec<MatchRecord>>,
    votes: Mutex<Vec<VoteRecord>>,
    saves: Mutex<Vec<SavedMatch>>,
}

impl MatchHost for Notebook {
    fn send_event(&self, _: &[PlayerId], frame: String) {
        self.events.lock().unwrap().push(frame);
    }
    fn chat(&self, _: String, _: String, _: String) {}
    fn send_state(&self, _: &[PlayerId], frame: String) {
        self.states.lock().unwrap().push(frame);
    }
    fn match_started(&self, _: MatchHandle) {}
    fn player_joined(&self, _: &MatchId, _: &PlayerId) -> bool {
        true
    }
    fn player_left(&self, _: &MatchId, _: &PlayerId) {}
    fn match_finished(&self, record: MatchRecord) {
        self.records.lock().unwrap().push(record);
    }
    fn vote_resolved(&self, record: VoteRecord) {
        self.votes.lock().unwrap().push(record);
    }
    fn save_match(&self, saved: SavedMatch) {
        self.saves.lock().unwrap().push(saved);
    }
    fn match_stopped(&self, _: &MatchId) {}
    fn script_fault(&self, _: &Origin, _: &ScriptFault, _: &[PlayerId]) {}
    fn script_log(&self, _: &Origin, _: LogLevel, _: &str, _: Option<&str>) {}
}

impl Notebook {
    fn events(&self, kind: &str) -> Vec<serde_json::Value> {
        let events = self.events.lock().unwrap();
        let frames = events
            .iter()
            .map(|frame| serde_json::from_str::<serde_json::Value>(frame).unwrap());
        frames
            .filter(|frame| frame["type"] == kind)
            .map(|frame| frame["payload"].clone())
            .collect()
    }
}

fn mode() -> Mode {
    Mode {
        name: "count".into(),
        aliases: Vec::new(),
        match_size: 2,
        min_players: 2,
        max_players: 3,
        group_up_to: 2,
        strategy: "fill".into(),
        matching: Default::default(),
        bots: None,
        listed: false,
        quick_play: false,
        reconnect_grace_ms: Some(5_000),
        queue_status: false,
        votes: VoteRules {
            veto_tokens_per_player: 1,
            ..VoteRules::default()
        },
    }
}

fn new_match(players: &[&str]) -> NewMatch {
    let players = players.iter().map(|id| PlayerId::from(*id)).collect();
    NewMatch {
        id: MatchId::generate(),
        mode: mode(),
        seed: 7,
        players,
        teams: Vec::new(),
    }
}

fn setup(id: &MatchId) -> MatchSetup {
    MatchSetup {
        match_id: id.clone(),
        mode: "count".into(),
        seed: 7,
    }
}

fn parts(host: &Arc<Notebook>, logic: Box<dyn MatchLogic>) -> Parts {
    Parts {
        settings: MatchSettings::default(),
        host: Arc::clone(host) as Arc<dyn MatchHost>,
        logic,
    }
}

async fn running(players: &[&str], host: &Arc<Notebook>) -> Match {
    let new = new_match(players);
    let logic = Counters.create(&setup(&new.id)).await.unwrap();
    let mut running = Match::new(&new, parts(host, logic), 0);
    running.begin(&new.players, 0).await;
    running
}

async fn tick(current: &mut Match, now: u64, player: &str, input: &'static str) {
    let payload = Bytes::from_static(input.as_bytes());
    let mut inputs = vec![Input {
        player: player.into(),
        payload,
    }];
    current.tick(&mut inputs, now).await;
}

#[tokio::test]
async fn an_hour_passes_in_a_moment() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bob"], &host).await;
    for now in (0..3_600_000).step_by(100) {
        tick(&mut current, now, "ada", "x").await;
    }
    assert_eq!(host.states.lock().unwrap().len(), 36_000);
    let last = host.states.lock().unwrap().last().cloned().unwrap();
    assert!(last.contains("\"ticks\":36000,\"inputs\":36000"), "{last}");
    // A snapshot at the first tick after each 750 ms: every 800 ms at this beat.
    assert_eq!(host.saves.lock().unwrap().len(), 4_500);
}

#[tokio::test]
async fn inputs_of_strangers_count_for_nothing() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bob"], &host).await;
    tick(&mut current, 100, "eve", "finish").await;
    assert_eq!(current.status(), Status::Running);
}

#[tokio::test]
async fn a_place_is_held_for_the_grace_and_then_given_up() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bob"], &host).await;
    current.disconnected(&"ada".into(), 1_000).await;
    tick(&mut current, 5_900, "bob", "x").await;
    assert_eq!(current.info().player_count, 2);
    current.connected(&"ada".into(), 5_950).await;
    assert_eq!(host.events("match.joined")[0]["reconnected"], true);
    current.disconnected(&"ada".into(), 6_000).await;
    tick(&mut current, 11_000, "bob", "x").await;
    assert_eq!(current.info().player_count, 1);
}

#[tokio::test]
async fn bots_do_not_keep_a_match_alive() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bot_Anne_00ff00"], &host).await;
    assert!(!current.is_done(0));
    current.leave(&"ada".into(), 10).await;
    assert!(current.is_done(10));
}

#[tokio::test]
async fn a_refused_player_is_told_and_the_others_play() {
    let host = Arc::new(Notebook::default());
    let current = running(&["ada", "stranger"], &host).await;
    assert_eq!(current.status(), Status::Running);
    assert_eq!(
        host.events("match.matched")[0]["players"],
        serde_json::json!(["ada"])
    );
    assert_eq!(host.events("match.matchmaker_failed").len(), 1);
}

#[tokio::test]
async fn a_vote_closes_by_itself_and_is_kept() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bob"], &host).await;
    tick(&mut current, 1_000, "ada", "vote").await;
    let start = host.events("match.vote_start");
    let vote = start[0]["vote_id"].as_str().unwrap().to_owned();
    current
        .cast_vote(&"bob".into(), &vote, &["b"], 2_000)
        .unwrap();
    tick(&mut current, 16_400, "ada", "x").await;
    assert!(host.votes.lock().unwrap().is_empty());
    tick(&mut current, 16_500, "ada", "x").await;
    let kept = host.votes.lock().unwrap();
    assert_eq!(
        (kept[0].result.winner.as_deref(), kept[0].result.turnout),
        (Some("b"), 0.5)
    );
}

#[tokio::test]
async fn a_veto_ends_a_vote_and_its_token_is_gone_after_a_restart_too() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bob"], &host).await;
    tick(&mut current, 1_000, "ada", "vote").await;
    tick(&mut current, 1_100, "ada", "vote").await;
    let open: Vec<String> = current.votes().iter().map(|vote| vote.id.clone()).collect();
    current.veto_vote(&"ada".into(), &open[0], 1_200).unwrap();
    let vetoed = host.events("match.vote_vetoed");
    assert_eq!(
        vetoed[0],
        serde_json::json!({"vote_id": open[0], "vetoed_by": "ada"})
    );
    let saved = current.saved(1_250).unwrap();
    let logic = Counters.restore(&setup(&saved.id), &saved.state).unwrap();
    let mut current = Match::restored(&saved, mode(), parts(&host, logic), 1_250);
    let again = current.veto_vote(&"ada".into(), &open[1], 1_260);
    assert_eq!(again.unwrap_err().to_string(), "no_veto_tokens");
    tick(&mut current, 1_300, "ada", "x").await;
    assert_eq!(current.votes().len(), 1);
    let kept = host.votes.lock().unwrap();
    let kept = serde_json::to_value(&kept[0].result).unwrap();
    assert_eq!(kept["status"], "vetoed");
    assert_eq!(host.events("match.vote_result").len(), 0);
}

#[tokio::test]
async fn bots_vote_in_a_restored_match_too() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bot_Anne_00ff00"], &host).await;
    tick(&mut current, 1_000, "ada", "vote").await;
    let saved = current.saved(1_500).unwrap();
    let logic = Counters.restore(&setup(&saved.id), &saved.state).unwrap();
    let mut current = Match::restored(&saved, mode(), parts(&host, logic), 1_500);
    tick(&mut current, 6_000, "ada", "x").await;
    assert_eq!(host.events("match.vote_tally")[0]["total_votes"], 1);
}

#[tokio::test]
async fn a_finished_match_lingers_and_tells_late_comers() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bob"], &host).await;
    tick(&mut current, 1_000, "ada", "finish").await;
    assert_eq!(host.records.lock().unwrap().len(), 1);
    assert!(!current.is_done(5_999));
    current.connected(&"bob".into(), 3_000).await;
    assert_eq!(host.events("match.finished").len(), 2);
    assert!(current.is_done(6_000));
}

#[tokio::test]
async fn a_saved_match_goes_on_with_its_votes_and_people() {
    let host = Arc::new(Notebook::default());
    let mut current = running(&["ada", "bob"], &host).await;
    tick(&mut current, 1_000, "ada", "vote").await;
    let saved = current.saved(2_000).unwrap();
    // The server was down for a minute.
    let logic = Counters.restore(&setup(&saved.id), &saved.state).unwrap();
    let mut restored = Match::restored(&saved, mode(), parts(&host, logic), 62_000);
    assert_eq!(restored.info().player_count, 2);
    tick(&mut restored, 76_400, "ada", "x").await;
    assert!(
        host.votes.lock().unwrap().is_empty(),
        "the vote had 14 s left"
    );
    tick(&mut restored, 76_500, "ada", "x").await;
    assert_eq!(host.votes.lock().unwrap().len(), 1);
}

/// A native game that panics loses what happened since the last snapshot, not the match.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_survived_from_the_last_snapshot() {
    fn clock() -> u64 {
        u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
    }
    let host = Arc::new(Notebook::default());
    let simulation = Simulation::start(1, MatchSettings::default(), host.clone(), clock).unwrap();
    let new = new_match(&["ada", "bob"]);
    let handle = simulation
        .start_match(new, Arc::new(Counters))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let input = Input {
        player: "ada".into(),
        payload: Bytes::from_static(b"panic"),
    };
    handle.input(input).unwrap();
    // The panic comes within a tick of 20 ms; printing its backtrace may take seconds.
    tokio::time::sleep(Duration::from_millis(60)).await;
    let states = || host.states.lock().unwrap().len();
    let before = states();
    for _ in 0..500 {
        if states() > before + 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(states() > before + 3, "the match is dead");
    assert_eq!(handle.info().await.unwrap().player_count, 2);
}
