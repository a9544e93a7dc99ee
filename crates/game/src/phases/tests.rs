#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::timer::TimerKind;
use super::*;

fn phase(name: &str, start: Condition, duration_ms: Option<u64>) -> PhaseDef {
    PhaseDef {
        name: name.into(),
        start,
        end: None,
        duration_ms,
        config: json!({}),
        timers: Vec::new(),
    }
}

fn room(people: &[PlayerId]) -> Room<'_> {
    Room {
        players: people.len(),
        max_players: 4,
        people,
    }
}

fn people(count: usize) -> Vec<PlayerId> {
    (0..count)
        .map(|n| PlayerId::from(format!("p{n}")))
        .collect()
}

use PhaseEvent::{Complete, Ended, Started, Waiting};

#[test]
fn durations_add_up_and_the_last_end_completes() {
    let list = vec![
        phase("warmup", Condition::PrevEnded, Some(1_000)),
        phase("combat", Condition::PrevEnded, Some(2_000)),
    ];
    let mut phases = Phases::new(list).unwrap();
    let nobody = room(&[]);
    assert_eq!(phases.advance(0, &nobody), [Started(0)]);
    assert_eq!(phases.advance(999, &nobody), []);
    // A tick late: the next phase ends when it would have.
    assert_eq!(phases.advance(1_040, &nobody), [Ended(0), Started(1)]);
    assert_eq!(phases.info(1_040)["remaining_ms"], 1_960);
    assert_eq!(phases.advance(3_000, &nobody), [Ended(1), Complete]);
    assert_eq!(phases.advance(9_000, &nobody), []);
    assert_eq!(
        Value::Object(phases.info(0)),
        json!({"status": "complete", "phase": null})
    );
}

#[test]
fn a_stall_makes_one_transition_and_gives_the_next_phase_its_whole_time() {
    let list = ["a", "b", "c"].map(|n| phase(n, Condition::PrevEnded, Some(1_000)));
    let mut phases = Phases::new(list.to_vec()).unwrap();
    phases.advance(0, &room(&[]));
    assert_eq!(phases.advance(600_000, &room(&[])), [Ended(0), Started(1)]);
    assert_eq!(phases.advance(600_001, &room(&[])), []);
    assert_eq!(phases.info(600_000)["remaining_ms"], 1_000);
}

#[test]
fn each_start_condition_waits_for_its_own() {
    let ids = people(4);
    let waiting = |condition: Condition| {
        let mut phases = Phases::new(vec![phase("p", condition, None)]).unwrap();
        assert_eq!(phases.advance(0, &room(&[])), [Waiting(0)]);
        assert_eq!(phases.advance(1, &room(&[])), []);
        phases
    };
    let mut players = waiting(Condition::Players(3));
    assert_eq!(players.advance(2, &room(&ids[..2])), []);
    assert_eq!(players.advance(3, &room(&ids[..3])), [Started(0)]);
    let mut share = waiting(Condition::PlayersRatio(0.5));
    assert_eq!(share.advance(2, &room(&ids[..1])), []);
    assert_eq!(share.advance(3, &room(&ids[..2])), [Started(0)]);
    let mut timer = waiting(Condition::Timer(500));
    assert_eq!(timer.advance(499, &room(&ids)), []);
    assert_eq!(timer.advance(500, &room(&ids)), [Started(0)]);
    let mut event = waiting(Condition::Event("gate".into()));
    event.signal(PhaseSignal::Event("door".into()));
    assert_eq!(event.advance(2, &room(&ids)), []);
    event.signal(PhaseSignal::Event("gate".into()));
    assert_eq!(event.advance(3, &room(&ids)), [Started(0)]);
    let mut ready = waiting(Condition::AllReady);
    ready.signal(PhaseSignal::Ready(ids[0].clone(), true));
    assert_eq!(ready.advance(2, &room(&ids[..2])), []);
    ready.signal(PhaseSignal::Ready(ids[1].clone(), true));
    assert_eq!(ready.advance(3, &room(&ids[..2])), [Started(0)]);
    let mut told = waiting(Condition::AllReady);
    told.signal(PhaseSignal::AllReady);
    assert_eq!(told.advance(2, &room(&ids)), [Started(0)]);
}

#[test]
fn end_conditions_end_a_phase_before_its_time() {
    let ids = people(4);
    let ended_by = |end: End, act: fn(&mut Phases), room: &Room<'_>| {
        let mut first = phase("p", Condition::PrevEnded, Some(60_000));
        first.end = Some(end);
        let mut phases = Phases::new(vec![first]).unwrap();
        phases.advance(
            0,
            &Room {
                players: 4,
                ..*room
            },
        );
        assert_eq!(
            phases.advance(
                1,
                &Room {
                    players: 2,
                    ..*room
                }
            ),
            []
        );
        act(&mut phases);
        phases.advance(2, room)
    };
    let over = [Ended(0), Complete];
    let event = End::When(Condition::Event("done".into()));
    let name = |phases: &mut Phases| phases.signal(PhaseSignal::Event("done".into()));
    assert_eq!(ended_by(event, name, &room(&ids)), over);
    assert_eq!(
        ended_by(End::PlayersBelow(2), |_| (), &room(&ids[..1])),
        over
    );
    assert_eq!(ended_by(End::Asked, Phases::asked, &room(&ids)), over);
    let skip = |phases: &mut Phases| phases.signal(PhaseSignal::Skip);
    assert_eq!(ended_by(End::PlayersBelow(0), skip, &room(&ids)), over);
}

#[test]
fn timers_of_a_phase_speak_once() {
    let timer = |id: &str, kind| TimerDef {
        id: id.into(),
        kind,
    };
    let mut first = phase("p", Condition::PrevEnded, None);
    first.timers = vec![
        timer(
            "down",
            TimerKind::Countdown {
                duration_ms: 1_000,
                warnings: vec![500, 300],
            },
        ),
        timer(
            "when",
            TimerKind::Conditional {
                start: Condition::Event("go".into()),
                fallback_ms: None,
                duration_ms: 100,
                warnings: vec![],
            },
        ),
        timer(
            "round",
            TimerKind::Cycle {
                steps: vec![("day".into(), 400), ("night".into(), 400)],
                repeat: true,
            },
        ),
    ];
    let mut phases = Phases::new(vec![first]).unwrap();
    phases.advance(0, &room(&[]));
    let mut said = Vec::new();
    for now in (0..=1_200).step_by(50) {
        if now == 700 {
            phases.signal(PhaseSignal::Event("go".into()));
        }
        for event in phases.advance(now, &room(&[])) {
            if let PhaseEvent::Timer(id, event) = event {
                said.push((now, id, event));
            }
        }
        phases = serde_json::from_str(&serde_json::to_string(&phases).unwrap()).unwrap();
    }
    let changed = |step: &str| TimerEvent::Changed { step: step.into() };
    let expected = [
        (400, "round", changed("night")),
        (500, "down", TimerEvent::Warning { remaining_ms: 500 }),
        (700, "down", TimerEvent::Warning { remaining_ms: 300 }),
        (700, "when", TimerEvent::Started),
        (800, "when", TimerEvent::Expired),
        (800, "round", changed("day")),
        (1_000, "down", TimerEvent::Expired),
        (1_200, "round", changed("night")),
    ];
    assert_eq!(said, expected.map(|(at, id, e)| (at, id.to_owned(), e)));
}

#[test]
fn windows_open_by_the_day_of_the_week() {
    let mut first = phase("p", Condition::PrevEnded, None);
    let kind = TimerKind::Scheduled {
        weekday: None,
        weekend: Some((600, 660)),
    };
    first.timers = vec![TimerDef {
        id: "happy".into(),
        kind,
    }];
    let mut phases = Phases::new(vec![first]).unwrap();
    // Saturday, 3 January 1970, 9:59.
    let at = 2 * 24 * 3_600_000 + 599 * 60_000;
    phases.advance(at, &room(&[]));
    assert_eq!(phases.advance(at + 1, &room(&[])), []);
    let event = |e| [PhaseEvent::Timer("happy".into(), e)];
    assert_eq!(
        phases.advance(at + 60_000, &room(&[])),
        event(TimerEvent::Opened)
    );
    assert_eq!(
        phases.advance(at + 61 * 60_000, &room(&[])),
        event(TimerEvent::Closed)
    );
}

fn any_condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        3 => Just(Condition::PrevEnded),
        1 => (1u32..5).prop_map(Condition::Players),
        1 => (0.1..1.0).prop_map(Condition::PlayersRatio),
        1 => Just(Condition::AllReady),
        1 => "[ab]".prop_map(Condition::Event),
        1 => (1u64..500).prop_map(Condition::Timer),
    ]
}

fn any_phase() -> impl Strategy<Value = PhaseDef> {
    let end = prop_oneof![
        2 => Just(None),
        1 => "[ab]".prop_map(|e| Some(End::When(Condition::Event(e)))),
        1 => (1u32..4).prop_map(|n| Some(End::PlayersBelow(n))),
    ];
    (any_condition(), end, proptest::option::of(1u64..500)).prop_map(|(start, end, duration)| {
        PhaseDef {
            end,
            ..phase("p", start, duration)
        }
    })
}

/// What happens to a session: time passes, people come and go, the game speaks, it restarts.
#[derive(Clone, Debug)]
enum Move {
    Pass(u64),
    People(usize),
    Say(PhaseSignal),
    Restart(u64),
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (1u64..300).prop_map(Move::Pass),
        1 => (1_000u64..1_000_000).prop_map(Move::Pass),
        2 => (0usize..5).prop_map(Move::People),
        2 => "[ab]".prop_map(|e| Move::Say(PhaseSignal::Event(e))),
        1 => Just(Move::Say(PhaseSignal::AllReady)),
        1 => Just(Move::Say(PhaseSignal::Skip)),
        1 => (0u64..100_000).prop_map(Move::Restart),
    ]
}

proptest! {
    /// Whatever happens: phases begin and end once, in order, one transition at a time.
    #[test]
    fn phases_go_forward_once(
        list in prop::collection::vec(any_phase(), 1..6),
        moves in prop::collection::vec(any_move(), 0..80),
    ) {
        let count = list.len();
        let mut phases = Phases::new(list).unwrap();
        let (mut now, mut ids, mut history) = (1_000u64, people(0), Vec::new());
        for step in moves {
            match step {
                Move::Pass(ms) => now += ms,
                Move::People(n) => ids = people(n),
                Move::Say(signal) => phases.signal(signal),
                Move::Restart(down) => {
                    let before = phases.brief(now);
                    phases = serde_json::from_str(&serde_json::to_string(&phases).unwrap()).unwrap();
                    now += down;
                    phases.shift(down);
                    prop_assert_eq!(before, phases.brief(now));
                }
            }
            let events = phases.advance(now, &room(&ids));
            let begun = events.iter().filter(|e| matches!(e, Started(_))).count();
            let ended = events.iter().filter(|e| matches!(e, Ended(_))).count();
            prop_assert!(begun <= 1 && ended <= 1, "{:?}", events);
            prop_assert!(!phases.advance(now, &room(&ids)).contains(&Complete) || !events.contains(&Complete));
            history.extend(events.into_iter().filter(|e| matches!(e, Started(_) | Ended(_) | Complete)));
            if phases.is_complete() {
                break;
            }
        }
        // The second call at the same time may have begun a phase whose condition was met
        // already; what the first ones saw is still in order and without repetition.
        let rank = |e: &PhaseEvent| match e {
            Started(n) => 2 * n,
            Ended(n) => 2 * n + 1,
            _ => 2 * count,
        };
        let ranks: Vec<usize> = history.iter().map(rank).collect();
        prop_assert!(ranks.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", history);
    }
}
