//! Votes told the time. What holds for every vote is in `properties`.

mod properties;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

use super::request::{MAX_ENTRIES, TieBreaker, WindowType};
use super::*;

fn ask(value: Value) -> VoteAsk {
    match value {
        Value::Object(ask) => ask,
        other => panic!("{other} is no object"),
    }
}

/// What is read of a vote between a, b and c with these settings on top.
fn read(more: Value) -> Result<(VoteRequest, Vec<String>), VoteRequestError> {
    let mut all = ask(json!({"options": ["a", "b", "c"], "tie_breaker": "first"}));
    all.extend(ask(more));
    VoteRequest::read(&all, &Templates::new())
}

fn vote(voters: usize, more: Value) -> Vote {
    let (request, complaints) = read(more).expect("valid");
    assert_eq!(complaints, [""; 0]);
    Vote::open(request, &players(voters), 0)
}

fn players(count: usize) -> Vec<PlayerId> {
    (0..count).map(player).collect()
}

fn player(n: usize) -> PlayerId {
    PlayerId::from(format!("p{n}"))
}

fn rng() -> SmallRng {
    SmallRng::seed_from_u64(7)
}

fn cast(vote: &mut Vote, voter: usize, ids: &[&str]) {
    vote.cast(&player(voter), ids, 1).expect("a valid ballot");
}

/// Everybody's ballot in order; an empty text casts none.
fn with_ballots(mut vote: Vote, ballots: &[&str]) -> Vote {
    for (voter, ballot) in ballots.iter().enumerate() {
        if !ballot.is_empty() {
            let ids: Vec<&str> = ballot.split(' ').collect();
            cast(&mut vote, voter, &ids);
        }
    }
    vote
}

fn winner(vote: &Vote) -> Option<String> {
    vote.result(&mut rng()).winner
}

#[test]
fn most_votes_win() {
    let result = with_ballots(vote(3, json!({})), &["a", "b", "b"]).result(&mut rng());
    assert_eq!(result.winner.as_deref(), Some("b"));
    assert_eq!((result.counts["a"].0, result.counts["b"].0), (1.0, 2.0));
    assert_eq!((result.total_votes, result.turnout), (3, 1.0));
    let shown = serde_json::to_string(&result).expect("serializes");
    assert!(shown.contains(r#""counts":{"a":1,"b":2,"c":0}"#), "{shown}");
}

#[test]
fn refuses_strangers_and_late_ballots() {
    let mut vote = vote(1, json!({}));
    let cast = |vote: &mut Vote, who: &str, what, at| vote.cast(&who.into(), &[what], at);
    assert_eq!(cast(&mut vote, "x", "a", 1), Err(CastError::NotEligible));
    assert_eq!(cast(&mut vote, "p0", "z", 1), Err(CastError::InvalidOption));
    assert_eq!(cast(&mut vote, "p0", "a", 15_501), Err(CastError::Closed));
    assert_eq!(cast(&mut vote, "p0", "a", 15_500), Ok(()));
}

#[test]
fn each_method_takes_its_own_ballots() {
    let valid = |method: &str, ids: &[&str]| {
        let (request, _) = read(json!({"method": method})).expect("valid");
        request.ballot(ids).is_some()
    };
    for method in ["plurality", "weighted"] {
        assert!(valid(method, &["a"]));
        assert!(!valid(method, &["a", "b"]) && !valid(method, &[]));
    }
    assert!(valid("approval", &[]) && valid("approval", &["c", "a", "b"]));
    assert!(!valid("ranked", &[]) && valid("ranked", &["b"]) && valid("ranked", &["b", "a"]));
    for method in ["approval", "ranked"] {
        assert!(!valid(method, &["a", "a"]), "nothing counts twice");
        assert!(!valid(method, &["a", "z"]));
    }
}

#[test]
fn a_mind_changes_three_times_at_most() {
    let mut vote = vote(1, json!({}));
    for _ in 0..4 {
        cast(&mut vote, 0, &["a"]);
    }
    let fifth = vote.cast(&player(0), &["b"], 1);
    assert_eq!(fifth, Err(CastError::TooManyChanges));
    assert_eq!(vote.result(&mut rng()).total_votes, 1);
}

#[test]
fn wrong_options_refuse_the_vote() {
    use VoteRequestError::{BadOption, DuplicateOption, NoOptions, TooManyOptions};
    let error = |options: Value| read(json!({"options": options})).expect_err("refused");
    assert_eq!(error(json!([])), NoOptions);
    assert_eq!(error(json!({})), NoOptions);
    assert_eq!(error(json!("a")), NoOptions);
    assert_eq!(error(json!(["a", "a"])), DuplicateOption("a".into()));
    assert_eq!(error(json!(["1", 1])), DuplicateOption("1".into()));
    assert_eq!(error(json!(["a", {"label": "no id"}])), BadOption(2));
    assert_eq!(error(json!([null])), BadOption(1));
    assert_eq!(error(json!(["x".repeat(65)])), BadOption(1));
    let many: Vec<usize> = (0..10_000).collect();
    assert_eq!(error(json!(many)), TooManyOptions(10_000));
    let none = VoteRequest::read(&VoteAsk::new(), &Templates::new());
    assert_eq!(none, Err(NoOptions));
}

#[test]
fn any_other_wrong_value_is_named_and_takes_its_default() {
    let wrong = [
        ("window_ms", json!(-5)),
        ("window_ms", json!(0)),
        ("window_ms", json!("15000")),
        ("window_ms", json!(1e300)),
        ("min_window_ms", json!(true)),
        ("method", json!("condorcet")),
        ("window_type", json!(3)),
        ("visibility", json!("secret")),
        ("tie_breaker", json!(["first"])),
        ("max_revotes", json!(-1)),
        ("veto_enabled", json!("yes")),
        ("require_supermajority", json!(1)),
        ("supermajority", json!(0)),
        ("supermajority", json!(1.1)),
        ("spectator_weight", json!(-0.1)),
        ("quorum", json!("half")),
        ("weights", json!({"p0": -1})),
        ("weights", json!([1, 2])),
        ("eligible", json!("p0")),
        ("spectators", json!([1])),
        ("delegation", json!({"p0": 7})),
        ("default_votes", json!({"p0": "nowhere"})),
        ("default_votes", json!({"p0": ["a", "a"]})),
        ("vote_id", json!("")),
        ("vote_id", json!("x".repeat(65))),
        ("template", json!({})),
    ];
    let plain = VoteRequest {
        tie_breaker: TieBreaker::Random,
        options: read(json!({})).expect("valid").0.options,
        ..VoteRequest::default()
    };
    for (key, value) in wrong {
        let all = ask(json!({"options": ["a", "b", "c"], key: value}));
        let (request, complaints) = VoteRequest::read(&all, &Templates::new()).expect("held");
        assert_eq!(request, plain, "{key} = {value}");
        assert_eq!(complaints.len(), 1, "{key} = {value}");
        assert!(complaints[0].starts_with(key), "{complaints:?}");
    }
    let many: VoteAsk = (0..=MAX_ENTRIES)
        .map(|n| (n.to_string(), json!(1)))
        .collect();
    assert_eq!(read(json!({"weights": many})).expect("held").1.len(), 1);
}

#[test]
fn a_request_is_laid_over_its_template() {
    let templates = [
        (
            "map",
            json!({"method": "ranked", "window_ms": 9_000, "quorum": 0.5}),
        ),
        ("default", json!({"visibility": "hidden"})),
    ];
    let templates: Templates = templates
        .map(|(name, template)| (name.to_owned(), ask(template)))
        .into();
    let read = |value| VoteRequest::read(&ask(value), &templates).expect("valid").0;
    let map = read(json!({"template": "map", "options": ["a"], "window_ms": 70.9, "quorum": "?"}));
    assert_eq!(
        (map.method, map.window_ms, map.quorum),
        (Method::Ranked, 70, 0.5)
    );
    assert_eq!(
        read(json!({"options": ["a"]})).visibility,
        Visibility::Hidden
    );
    let other = read(json!({"template": "other", "options": ["a"]}));
    assert_eq!(
        (other.method, other.template.as_str()),
        (Method::Plurality, "other")
    );
}

#[test]
fn windows_close_as_their_type_says() {
    let over = |kind: &str, ballots: &[&str], at| {
        let window = json!({"window_type": kind, "window_ms": 10_000, "min_window_ms": 4_000});
        with_ballots(vote(2, window), ballots).is_over(at)
    };
    assert!(!over("fixed", &["a", "a"], 10_499) && over("fixed", &[], 10_500));
    assert!(over("ready_up", &["a", "b"], 1) && !over("ready_up", &["a"], 10_499));
    assert!(!over("ready_up", &[], 1) && over("ready_up", &["a"], 10_500));
    assert!(!over("hybrid", &["a", "b"], 3_999) && over("hybrid", &["a", "b"], 4_000));
    assert!(!over("hybrid", &["a"], 4_000));
    assert!(over("adaptive", &["a", "a"], 3_501) && !over("adaptive", &["a", "a"], 3_500));
    assert!(
        !over("adaptive", &["a"], 10_499),
        "one of two is no supermajority"
    );
}

#[test]
fn the_last_ready_ballot_closes_a_vote_and_nobody_waits_for_who_left() {
    let mut vote = vote(2, json!({"window_type": "ready_up"}));
    cast(&mut vote, 0, &["a"]);
    vote.left(&player(1));
    assert!(vote.is_over(1));
    vote.returned(&player(1));
    assert!(!vote.is_over(1));
    cast(&mut vote, 1, &["b"]);
    assert_eq!(vote.cast(&player(0), &["b"], 1), Err(CastError::Closed));
    vote.left(&player(1));
    assert_eq!(vote.result(&mut rng()).total_votes, 2, "their ballot stays");
}

#[test]
fn a_lost_supermajority_does_not_lengthen_the_window_again() {
    let adaptive = json!({"window_type": "adaptive", "supermajority": 0.6});
    let mut vote = with_ballots(vote(3, adaptive), &["a", "a"]);
    assert_eq!(vote.window.remaining_ms(1), window::ADAPTIVE_REST_MS);
    cast(&mut vote, 1, &["b"]);
    assert_eq!(vote.window.remaining_ms(1), window::ADAPTIVE_REST_MS);
    assert_eq!(vote.window.remaining_ms(2_001), 1_000);
}

#[test]
fn weights_weigh_with_weighted_alone() {
    let weights = json!({"p0": 3, "p1": 0.5});
    let result = |method: &str| {
        let vote = vote(4, json!({"method": method, "weights": weights}));
        with_ballots(vote, &["a", "b", "b", "b"]).result(&mut rng())
    };
    let weighted = result("weighted");
    assert_eq!(weighted.winner.as_deref(), Some("a"));
    assert_eq!((weighted.counts["a"].0, weighted.counts["b"].0), (3.0, 2.5));
    assert_eq!(result("plurality").winner.as_deref(), Some("b"));
}

#[test]
fn a_run_off_transfers_votes() {
    let ranked = vote(5, json!({"method": "ranked"}));
    let ranked = with_ballots(ranked, &["a c", "a c", "b c", "c b", "c b"]);
    let result = ranked.result(&mut rng());
    // b goes first, its voter comes to c.
    assert_eq!(result.winner.as_deref(), Some("c"));
    assert_eq!(result.eliminated, ["b"]);
    assert_eq!(result.counts["c"].0, 2.0, "counts are first choices");
    assert_eq!(ranked.votes_cast()["p0"], json!(["a", "c"]));
}

#[test]
fn spectators_have_their_share() {
    let spectators = json!({"spectators": ["s0", "s1"], "spectator_weight": 0.6});
    let mut vote = with_ballots(vote(4, spectators), &["a", "a", "a", "b"]);
    assert_eq!(vote.result(&mut rng()).spectator_counts, None);
    for spectator in ["s0", "s1"] {
        vote.cast(&spectator.into(), &["b"], 1).expect("listed");
    }
    let result = vote.result(&mut rng());
    // a has 3/4 of 0.4; b has 1/4 of 0.4 and all of 0.6.
    assert_eq!(result.winner.as_deref(), Some("b"));
    assert!((result.distribution["a"] - 0.3).abs() < 1e-9);
    assert!((result.distribution["b"] - 0.7).abs() < 1e-9);
    assert_eq!((result.total_votes, result.turnout), (6, 1.0));
    assert_eq!(result.player_counts.expect("both")["a"].0, 3.0);
    assert_eq!(
        vote.cast(&"s2".into(), &["b"], 1),
        Err(CastError::NotEligible)
    );
}

#[test]
fn an_audience_decides_alone() {
    let audience = json!({"eligible": [], "spectators": true, "spectator_weight": 1});
    let mut vote = vote(2, audience);
    vote.cast(&"anybody".into(), &["c"], 1).expect("everyone");
    assert_eq!(winner(&vote).as_deref(), Some("c"));
    for n in 1..MAX_SPECTATORS {
        vote.cast(&format!("s{n}").into(), &["a"], 1).expect("room");
    }
    assert_eq!(
        vote.cast(&"late".into(), &["a"], 1),
        Err(CastError::NotEligible)
    );
    vote.cast(&"anybody".into(), &["a"], 1).expect("a change");
}

#[test]
fn only_who_is_named_and_there_is_eligible() {
    let named = json!({"eligible": ["p1", "p7"]});
    let vote = vote(3, named);
    assert_eq!(vote.eligible, [player(1)]);
}

#[test]
fn quorum_and_supermajority_leave_a_vote_without_a_winner() {
    let status = |more: Value, ballots: &[&str]| {
        let result = with_ballots(vote(5, more), ballots).result(&mut rng());
        assert_eq!(result.winner.is_none(), result.status.is_some());
        result.status
    };
    let quorum = json!({"quorum": 0.6});
    assert_eq!(
        status(quorum.clone(), &["a", "a"]),
        Some(NoWinner::NoQuorum)
    );
    assert_eq!(status(quorum, &["a", "a", "b"]), None);
    let most = json!({"require_supermajority": true, "supermajority": 0.75});
    assert_eq!(
        status(most.clone(), &["a", "a", "b"]),
        Some(NoWinner::NoConsensus)
    );
    assert_eq!(status(most.clone(), &["a", "a", "a", "b"]), None);
    assert_eq!(status(most, &[]), Some(NoWinner::NoConsensus));
}

#[test]
fn the_absent_have_delegates_and_defaults() {
    let absent = json!({
        "quorum": 1,
        "default_votes": {"p0": "c", "p1": "b", "p4": "b"},
        "delegation": {"p2": "p3", "p3": "p0", "p4": "p5", "p5": "p4"},
    });
    let result = |ballots: &[&str], count| {
        with_ballots(vote(count, absent.clone()), ballots).result(&mut rng())
    };
    // p0 votes; p1's default is b; p2 follows p3, who follows p0.
    let all = result(&["a"], 4);
    assert_eq!(
        (all.counts["a"].0, all.counts["b"].0, all.counts["c"].0),
        (3.0, 1.0, 0.0)
    );
    assert_eq!(
        (all.winner.as_deref(), all.total_votes, all.turnout),
        (Some("a"), 4, 0.25)
    );
    // A circle of delegates has no ballot, whatever their defaults.
    let circle = result(&["a"], 6);
    assert_eq!(
        (circle.total_votes, circle.status),
        (4, Some(NoWinner::NoQuorum))
    );
    // An explicit vote overrides both.
    let explicit = result(&["a", "c", "c", "c"], 4);
    assert_eq!((explicit.counts["c"].0, explicit.turnout), (3.0, 1.0));
}

#[test]
fn a_hidden_vote_keeps_its_tally() {
    assert!(!vote(1, json!({"visibility": "hidden"})).is_live() && vote(1, json!({})).is_live());
}

#[test]
fn vetoes_cost_tokens() {
    let (mut board, rules) = (
        VoteBoard::default(),
        VoteRules {
            veto_tokens_per_player: 1,
            ..VoteRules::default()
        },
    );
    let open = |board: &mut VoteBoard, more: Value| {
        let mut all = ask(json!({"options": ["a"]}));
        all.extend(ask(more));
        let (vote, _) = board
            .open(&all, &Templates::new(), &players(2), &rules, 0)
            .expect("valid");
        vote.id.clone()
    };
    let plain = open(&mut board, json!({}));
    let first = open(&mut board, json!({"veto_enabled": true, "vote_id": "v1"}));
    let second = open(&mut board, json!({"veto_enabled": true}));
    let veto = |board: &mut VoteBoard, who: &str, vote: &str| {
        board.veto(&who.into(), vote, &rules, 1).map(|_| ())
    };
    assert_eq!(
        veto(&mut board, "p0", "nothing"),
        Err(VetoError::VoteNotFound)
    );
    assert_eq!(veto(&mut board, "p0", &plain), Err(VetoError::Disabled));
    assert_eq!(
        veto(&mut board, "stranger", &first),
        Err(VetoError::NotEligible)
    );
    assert_eq!(veto(&mut board, "p0", &first), Ok(()));
    assert_eq!(veto(&mut board, "p1", &first), Err(VetoError::Closed));
    let late = board.cast(&player(1), &first, &["a"], 1).map(|_| ());
    assert_eq!(late, Err(CastError::Closed));
    // Neither leaving nor a restart gives new tokens.
    board.left(&player(0));
    board.joined(&player(0));
    let saved = serde_json::to_string(&board).expect("plain data");
    let mut board: VoteBoard = serde_json::from_str(&saved).expect("as it was");
    assert_eq!(veto(&mut board, "p0", &second), Err(VetoError::NoTokens));
    let over = board.take_over(1).expect("vetoed");
    let result = board.resolve(&over, &mut rng());
    assert_eq!(
        (over.id.as_str(), result.winner, result.status),
        ("v1", None, Some(NoWinner::Vetoed))
    );
    assert!(board.take_over(1).is_none());
}

#[test]
fn losing_weighs_more_each_time_and_winning_ends_it() {
    let (mut board, rules) = (VoteBoard::default(), VoteRules::default());
    let weighted = ask(
        json!({"options": ["a", "b"], "method": "weighted", "tie_breaker": "first",
        "weights": {"p1": 1.5}}),
    );
    let mut round = |ballots: [&str; 4]| {
        let opened = board.open(&weighted, &Templates::new(), &players(4), &rules, 0);
        let id = opened.expect("valid").0.id.clone();
        for (voter, ballot) in ballots.iter().enumerate() {
            board
                .cast(&player(voter), &id, &[ballot], 1)
                .expect("valid");
        }
        let vote = board.take_over(20_000).expect("over");
        board.resolve(&vote, &mut rng()).counts["b"].0
    };
    assert_eq!(round(["b", "a", "a", "a"]), 1.0);
    assert_eq!(round(["b", "a", "a", "a"]), 1.5);
    assert_eq!(round(["b", "a", "a", "a"]), 2.0);
    assert_eq!(
        round(["b", "b", "a", "a"]),
        2.5 + 1.5,
        "the game's own weight stays"
    );
    assert_eq!(round(["b", "a", "a", "a"]), 1.0, "b has won");
}

#[test]
fn a_session_has_sixteen_open_votes_at_most_and_no_two_of_one_id() {
    let mut board = VoteBoard::default();
    let mut open = |vote: Value| {
        let opened = board.open(
            &ask(vote),
            &Templates::new(),
            &players(1),
            &VoteRules::default(),
            0,
        );
        opened.map(|_| ())
    };
    open(json!({"options": ["a"], "vote_id": "v"})).expect("the first");
    let twice = open(json!({"options": ["a"], "vote_id": "v"}));
    assert_eq!(twice, Err(VoteRequestError::DuplicateVote("v".into())));
    for _ in 1..board::MAX_OPEN_VOTES {
        open(json!({"options": ["a"]})).expect("room");
    }
    assert!(matches!(
        open(json!({"options": ["a"]})),
        Err(VoteRequestError::TooManyVotes(_))
    ));
}

#[test]
fn a_restored_vote_has_the_time_it_had() {
    let mut vote = vote(1, json!({"window_type": "fixed"}));
    assert_eq!(vote.request.window_type, WindowType::Fixed);
    vote.shift(60_000);
    assert!(!vote.is_over(75_499) && vote.is_over(75_500));
}
