//! What holds whatever is voted, and ranked counting against a plain reference.

use proptest::prelude::*;

use super::*;

/// Instant run-off as one would do it on paper: piles of ballots, the smallest pile is dealt
/// out again. `ballots` are texts such as "bac"; of equal piles the one last in `options` goes.
fn on_paper(options: &str, ballots: &[String]) -> char {
    let mut standing: Vec<char> = options.chars().collect();
    loop {
        let on_top = |ballot: &String| ballot.chars().find(|choice| standing.contains(choice));
        let tops: Vec<char> = ballots.iter().filter_map(on_top).collect();
        let pile = |option: &char| tops.iter().filter(|top| *top == option).count();
        if let Some(winner) = standing.iter().find(|option| 2 * pile(option) > tops.len()) {
            return *winner;
        }
        if let [last] = standing[..] {
            return last;
        }
        let smallest = standing.iter().map(pile).min().unwrap_or_default();
        let goes = standing.iter().rposition(|option| pile(option) == smallest);
        standing.remove(goes.unwrap_or_default());
    }
}

fn ranking() -> impl Strategy<Value = String> {
    let orders = Just(vec!['a', 'b', 'c', 'd', 'e']).prop_shuffle();
    (orders, 1..=5usize).prop_map(|(order, length)| order.into_iter().take(length).collect())
}

fn letters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

fn five(method: &str, voters: usize) -> Vote {
    vote(
        voters,
        json!({"options": ["a", "b", "c", "d", "e"], "method": method}),
    )
}

fn hold(method: &str, ballots: &[String]) -> Vote {
    let mut vote = five(method, ballots.len());
    for (voter, ballot) in ballots.iter().enumerate() {
        let cast = vote.cast(&player(voter), &letters(ballot), 1);
        cast.expect("a valid ballot");
    }
    vote
}

proptest! {
    #[test]
    fn ranked_agrees_with_the_count_on_paper(ballots in prop::collection::vec(ranking(), 0..40)) {
        let result = hold("ranked", &ballots).result(&mut rng());
        prop_assert_eq!(result.winner, Some(on_paper("abcde", &ballots).to_string()));
    }

    #[test]
    fn counts_add_up_and_nobody_beats_the_winner(
        ballots in prop::collection::vec((0usize..20, 0usize..5), 0..100),
    ) {
        let mut vote = five("plurality", 20);
        let mut voters = BTreeSet::new();
        for (voter, option) in ballots {
            voters.insert(voter);
            let _ = vote.cast(&player(voter), &letters(&"abcde"[option..=option]), 1);
        }
        let result = vote.result(&mut rng());
        let sum: f64 = result.counts.values().map(|count| count.0).sum();
        prop_assert_eq!((sum as usize, result.total_votes), (voters.len(), voters.len()));
        let winner = result.winner.expect("there are options");
        prop_assert!(result.counts.values().all(|count| *count <= result.counts[&winner]));
        let shares: f64 = result.distribution.values().sum();
        prop_assert!(result.total_votes == 0 || (shares - 1.0).abs() < 1e-9);
    }

    #[test]
    fn approvals_add_up(ballots in prop::collection::vec(ranking(), 0..40)) {
        let result = hold("approval", &ballots).result(&mut rng());
        let sum: f64 = result.counts.values().map(|count| count.0).sum();
        prop_assert_eq!(sum as usize, ballots.iter().map(String::len).sum::<usize>());
        prop_assert!(result.distribution.values().all(|share| (0.0..=1.0).contains(share)));
    }

    /// More support never costs an option its victory.
    #[test]
    fn plurality_and_approval_are_monotone(ballots in prop::collection::vec(ranking(), 1..40)) {
        let singles: Vec<String> = ballots.iter().map(|ballot| ballot[..1].to_owned()).collect();
        for (method, ballots) in [("plurality", singles), ("approval", ballots)] {
            let first = winner(&hold(method, &ballots)).expect("there are options");
            // One voter who did not want the winner now does; another comes who wants them.
            let mut more = ballots.clone();
            if let Some(other) = more.iter_mut().find(|ballot| !ballot.contains(&first)) {
                match method {
                    "plurality" => *other = first.clone(),
                    _ => other.push_str(&first),
                }
            }
            more.push(first.clone());
            prop_assert_eq!(winner(&hold(method, &more)), Some(first));
        }
    }

    /// Without other weights, `weighted` is plurality; the order of the voters matters nowhere.
    #[test]
    fn methods_agree_where_they_should(ballots in prop::collection::vec(ranking(), 0..40)) {
        let singles: Vec<String> = ballots.iter().map(|ballot| ballot[..1].to_owned()).collect();
        let plain = hold("plurality", &singles).result(&mut rng());
        let weighted = hold("weighted", &singles).result(&mut rng());
        prop_assert_eq!((&plain.winner, &plain.counts), (&weighted.winner, &weighted.counts));
        let mut turned = ballots.clone();
        turned.reverse();
        for method in ["approval", "ranked"] {
            prop_assert_eq!(winner(&hold(method, &ballots)), winner(&hold(method, &turned)));
        }
    }

    #[test]
    fn vetoes_never_exceed_tokens(
        tokens in 0u32..4,
        vetoes in prop::collection::vec((0usize..3, 0usize..12), 0..60),
    ) {
        let rules = VoteRules { veto_tokens_per_player: tokens, ..VoteRules::default() };
        let mut board = VoteBoard::default();
        for n in 0..12 {
            let vetoable = ask(json!({"options": ["a"], "veto_enabled": true, "vote_id": n}));
            board.open(&vetoable, &Templates::new(), &players(3), &rules, 0).expect("valid");
        }
        let mut spent = [0; 3];
        for (voter, vote) in vetoes {
            if board.veto(&player(voter), &vote.to_string(), &rules, 1).is_ok() {
                spent[voter] += 1;
            }
        }
        prop_assert!(spent.iter().all(|spent| *spent <= tokens));
        let mut ended = 0;
        while board.take_over(1).is_some() {
            ended += 1;
        }
        prop_assert_eq!(ended, spent.iter().sum::<u32>());
    }

    /// Whatever a script asks for, a vote is held or refused, and can be played through.
    #[test]
    fn no_request_breaks_a_vote(
        key in prop::sample::select(vec!["options", "method", "window_ms", "weights", "quorum",
            "default_votes", "delegation", "spectators", "eligible", "window_type",
            "supermajority", "spectator_weight", "max_revotes", "min_window_ms", "template"]),
        value in prop::sample::select(vec![json!(null), json!(true), json!(-1), json!(0), json!(1),
            json!(1e300), json!("a"), json!("ranked"), json!("adaptive"), json!([]), json!({}),
            json!(["p0"]), json!({"p0": "a"}), json!({"p0": ["a", "b"]}), json!({"p0": "p0"}),
            json!({"p0": 0}), json!([[[]]])]),
        method in prop::sample::select(vec!["plurality", "approval", "weighted", "ranked"]),
    ) {
        if let Ok((request, _)) = read(json!({"method": method, key: value})) {
            let mut vote = Vote::open(request, &players(2), 0);
            for voter in players(3) {
                let _ = vote.cast(&voter, &["a"], 1);
            }
            let _ = (vote.tally(1), vote.is_over(1), vote.votes_cast());
            let result = vote.result(&mut rng());
            prop_assert!(result.distribution.values().all(|share| share.is_finite()));
        }
    }
}
