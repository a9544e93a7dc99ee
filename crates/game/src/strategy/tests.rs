//! What holds for every strategy, whatever waits.

use std::collections::HashSet;
use std::time::Instant;

use proptest::prelude::*;

use super::answer::{Wrong, check};
use super::*;
use crate::modes::MatchingRules;
use crate::votes::VoteRules;

const NOW: u64 = 1_000_000;

fn mode(strategy: &str, size: u32, up_to: u32) -> Mode {
    Mode {
        name: "arena".into(),
        aliases: Vec::new(),
        match_size: size,
        min_players: size,
        max_players: up_to,
        group_up_to: up_to,
        strategy: strategy.into(),
        matching: MatchingRules::default(),
        bots: None,
        listed: false,
        quick_play: false,
        reconnect_grace_ms: None,
        queue_status: false,
        votes: VoteRules::default(),
    }
}

fn ticket(at: usize, size: usize, skill: f64, waited: u64) -> Arc<Ticket> {
    Arc::new(Ticket {
        id: format!("t{at}"),
        players: (0..size)
            .map(|n| format!("p{at}-{n}").as_str().into())
            .collect(),
        submitted_at: NOW - waited,
        skill,
        region: None,
    })
}

fn solos(count: usize) -> Vec<Arc<Ticket>> {
    (0..count)
        .map(|at| ticket(at, 1, DEFAULT_SKILL, 0))
        .collect()
}

fn parties(sizes: &[usize]) -> Vec<Arc<Ticket>> {
    let sizes = sizes.iter().enumerate();
    sizes
        .map(|(at, size)| ticket(at, *size, DEFAULT_SKILL, 0))
        .collect()
}

fn skills(skills: &[(f64, u64)]) -> Vec<Arc<Ticket>> {
    let skills = skills.iter().enumerate();
    skills
        .map(|(at, (skill, waited))| ticket(at, 1, *skill, *waited))
        .collect()
}

#[test]
fn fills_in_order() {
    let fill = |waiting, size, up_to| group(&mode("fill", size, up_to), &solos(waiting), NOW);
    assert_eq!(fill(5, 2, 2), vec![vec![0, 1], vec![2, 3]]);
    assert_eq!(fill(1, 2, 2), Groups::new());
    assert_eq!(fill(7, 4, 10), vec![vec![0, 1, 2, 3, 4, 5, 6]]);
    assert_eq!(fill(13, 4, 10), vec![(0..10).collect::<Vec<_>>()]);
}

#[test]
fn parties_stay_whole_and_find_who_fits() {
    let fill = |sizes: &[usize], size| group(&mode("fill", size, size), &parties(sizes), NOW);
    assert_eq!(fill(&[3, 2, 1], 4), vec![vec![0, 2]]);
    // The oldest that fit leave one place open; others fill it.
    assert_eq!(fill(&[1, 2, 3], 4), vec![vec![0, 2]]);
    // Nobody fits the oldest; the others do not wait for that.
    assert_eq!(fill(&[3, 2, 2], 4), vec![vec![1, 2]]);
    // Larger than a match: never.
    assert_eq!(fill(&[5, 4], 4), vec![vec![1]]);
}

#[test]
fn sides_are_even_and_parties_stand_on_one() {
    let mut mode = mode("fill", 6, 6);
    mode.matching.teams = 2;
    // Three pairs are six, and no two sides of three.
    assert_eq!(group(&mode, &parties(&[2, 2, 2]), NOW), Groups::new());
    assert_eq!(
        group(&mode, &parties(&[2, 2, 2, 1, 1]), NOW),
        vec![vec![0, 1, 3, 4]]
    );
    assert_eq!(group(&mode, &parties(&[3, 3]), NOW), vec![vec![0, 1]]);
    assert_eq!(group(&mode, &parties(&[4, 1, 1]), NOW), Groups::new());
    assert_eq!(largest_party(&mode), 3);
    let [a, b] = teams::split(&[(2, 0.0), (1, 0.0), (3, 0.0)]);
    assert_eq!((a.len().min(b.len()), a.len().max(b.len())), (1, 2));
    // The best two do not play on one side.
    let [a, _] = teams::split(&[(1, 2000.0), (1, 1900.0), (1, 100.0), (1, 90.0)]);
    assert_ne!(a.contains(&0), a.contains(&1));
}

#[test]
fn skill_pairs_the_near_and_widens_with_waiting_either_way() {
    let mode = mode("skill_based", 2, 2);
    let near = skills(&[(1000.0, 0), (1500.0, 0), (1150.0, 0)]);
    assert_eq!(group(&mode, &near, NOW), vec![vec![0, 2]]);
    for (low, high) in [(0, 60_000), (60_000, 0)] {
        // 200 and 200 + 12 * 50: 500 on average, whoever of the two has waited.
        let wide = skills(&[(1000.0, low), (1500.0, high)]);
        assert_eq!(group(&mode, &wide, NOW).len(), 1);
        let wider = skills(&[(1000.0, low), (1501.0, high)]);
        assert_eq!(group(&mode, &wider, NOW), Groups::new());
    }
}

#[test]
fn who_waits_longest_chooses_first() {
    let mode = mode("skill_based", 2, 2);
    // 1100 is as near to the newcomers; the oldest gets it.
    let waiting = skills(&[(1200.0, 9_000), (1100.0, 10), (1000.0, 5), (1090.0, 0)]);
    assert_eq!(group(&mode, &waiting, NOW), vec![vec![0, 1], vec![2, 3]]);
}

#[test]
fn nobody_starves_among_newcomers_who_suit_each_other() {
    let mode = mode("skill_based", 2, 2);
    for waited in (0..600_000).step_by(5_000) {
        let mut waiting = vec![ticket(0, 1, 3000.0, waited)];
        waiting.extend((1..9).map(|at| ticket(at, 1, 1000.0 + at as f64, 0)));
        if group(&mode, &waiting, NOW)[0].contains(&0) {
            return;
        }
    }
    panic!("the outlier is never matched");
}

#[test]
fn regions_meet_only_themselves() {
    let mut mode = mode("fill", 2, 2);
    let mut waiting = solos(5);
    for (at, region) in ["eu", "us", "eu"].into_iter().enumerate() {
        Arc::make_mut(&mut waiting[at]).region = Some(region.into());
    }
    assert_eq!(group(&mode, &waiting, NOW)[0], [0, 1]);
    mode.matching.match_regions = true;
    assert_eq!(group(&mode, &waiting, NOW), vec![vec![3, 4], vec![0, 2]]);
    assert!(!may_meet(&mode, &waiting[0], &waiting[1], NOW));
}

#[test]
fn answers_of_scripts_are_checked_group_by_group() {
    let (mode, waiting) = (mode("own.lua", 2, 3), parties(&[1, 2, 1, 1]));
    let answer = |groups: &[&[&str]]| {
        let groups: Vec<Vec<String>> = groups
            .iter()
            .map(|group| group.iter().map(|id| (*id).to_owned()).collect())
            .collect();
        check(&mode, &waiting, &groups)
    };
    assert_eq!(
        answer(&[&["t0", "t1"], &["t2"]]).0,
        vec![vec![0, 1], vec![2]]
    );
    for (bad, why) in [
        (&["t0", "t0"][..], Wrong::Twice("t0".into())),
        (&["t0", "t9"], Wrong::UnknownTicket("t9".into())),
        (&["t0", "p1-1"], Wrong::HalfAParty("p1-1".into())),
        (&["t0", "t1", "t2"], Wrong::TooMany(4, 3)),
        (&[], Wrong::Empty),
    ] {
        let (groups, wrong) = answer(&[bad, &["t2", "t3"]]);
        assert_eq!((groups, wrong), (vec![vec![2, 3]], vec![(1, why)]));
    }
    let (groups, wrong) = answer(&[&["t0"], &["t0", "t1"]]);
    assert_eq!(groups, vec![vec![0]]);
    assert_eq!(wrong, [(2, Wrong::Twice("t0".into()))]);
}

/// Every group, whatever it was made by: whole tickets, each once, of the size a match has.
fn check_groups(groups: &Groups, waiting: &[Arc<Ticket>], least: usize, most: usize) {
    let all: Vec<usize> = groups.iter().flatten().copied().collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    for group in groups {
        let players: usize = group.iter().map(|at| waiting[*at].size()).sum();
        assert!((least..=most).contains(&players), "{group:?}");
    }
}

proptest! {
    #[test]
    fn single_players_leave_fewer_than_a_match(
        waiting in 0usize..200, size in 1u32..12, extra in 0u32..12,
    ) {
        let waiting = solos(waiting);
        let groups = group(&mode("fill", size, size + extra), &waiting, NOW);
        check_groups(&groups, &waiting, size as usize, (size + extra) as usize);
        let all: Vec<usize> = groups.iter().flatten().copied().collect();
        prop_assert_eq!(&all, &(0..all.len()).collect::<Vec<_>>());
        prop_assert!(waiting.len() - all.len() < size as usize);
    }

    #[test]
    fn parties_leave_nobody_who_would_make_a_match(
        sizes in prop::collection::vec(1usize..6, 0..60), size in 1u32..9, extra in 0u32..4,
    ) {
        let waiting = parties(&sizes);
        let (least, most) = (size as usize, (size + extra) as usize);
        let groups = group(&mode("fill", size, size + extra), &waiting, NOW);
        check_groups(&groups, &waiting, least, most);
        let grouped: HashSet<usize> = groups.iter().flatten().copied().collect();
        let left: Vec<usize> = (0..sizes.len())
            .filter(|at| !grouped.contains(at))
            .map(|at| sizes[at])
            .collect();
        prop_assert_eq!(pick::pick(&left, least, most), None);
    }

    #[test]
    fn sides_hold_whole_parties_and_as_many_players(
        sizes in prop::collection::vec(1usize..5, 0..40), half in 1u32..6, skilled in any::<bool>(),
    ) {
        let waiting = parties(&sizes);
        let mut mode = mode(if skilled { "skill_based" } else { "fill" }, half * 2, half * 2);
        mode.matching.teams = 2;
        let groups = group(&mode, &waiting, NOW);
        check_groups(&groups, &waiting, half as usize * 2, half as usize * 2);
        for group in groups {
            let tickets: Vec<(usize, f64)> =
                group.iter().map(|at| (waiting[*at].size(), waiting[*at].skill)).collect();
            for side in teams::split(&tickets) {
                let players: usize = side.iter().map(|at| tickets[*at].0).sum();
                prop_assert_eq!(players, half as usize);
            }
        }
    }

    #[test]
    fn a_pick_is_found_when_there_is_one(
        sizes in prop::collection::vec(1usize..7, 0..10), least in 0usize..12, extra in 0usize..3,
    ) {
        let most = least + extra;
        let sums = (0u32..1 << sizes.len()).map(|mask| {
            let chosen = sizes.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
            chosen.map(|(_, size)| size).sum::<usize>()
        });
        let possible = sums.into_iter().any(|sum| (least..=most).contains(&sum));
        let picked = pick::pick(&sizes, least, most);
        prop_assert_eq!(picked.is_some(), possible);
        if let Some(picked) = picked {
            prop_assert!(picked.is_sorted_by(|a, b| a < b));
            let sum: usize = picked.iter().map(|at| sizes[*at]).sum();
            prop_assert!((least..=most).contains(&sum));
        }
    }

    #[test]
    fn skill_groups_keep_to_their_windows_and_to_themselves(
        waiting in prop::collection::vec((0u32..3000, 0u64..120_000, 1usize..4), 0..120),
        size in 1u32..7,
    ) {
        let mut waiting = waiting;
        waiting.sort_by_key(|(_, waited, _)| std::cmp::Reverse(*waited));
        let tickets: Vec<Arc<Ticket>> = waiting.iter().enumerate()
            .map(|(at, (skill, waited, size))| ticket(at, *size, f64::from(*skill), *waited))
            .collect();
        let mode = mode("skill_based", size, size);
        let groups = group(&mode, &tickets, NOW);
        check_groups(&groups, &tickets, size as usize, size as usize);
        prop_assert_eq!(&groups, &group(&mode, &tickets, NOW));
        for group in &groups {
            let by_skill = |a: &&usize, b: &&usize| tickets[**a].skill.total_cmp(&tickets[**b].skill);
            let low = group.iter().min_by(by_skill).unwrap();
            let high = group.iter().max_by(by_skill).unwrap();
            prop_assert!(
                may_meet(&mode, &tickets[*low], &tickets[*high], NOW)
                    || group.iter().any(|at| tickets[*at].skill == tickets[*low].skill && at != low)
                    || group.iter().any(|at| tickets[*at].skill == tickets[*high].skill && at != high)
            );
        }
    }

    #[test]
    fn single_players_who_could_meet_do_not_both_wait_on(
        waiting in prop::collection::vec((0u32..3000, 0u64..120_000), 0..80),
    ) {
        let mut waiting = waiting;
        waiting.sort_by_key(|(_, waited)| std::cmp::Reverse(*waited));
        let tickets: Vec<Arc<Ticket>> = waiting.iter().enumerate()
            .map(|(at, (skill, waited))| ticket(at, 1, f64::from(*skill), *waited))
            .collect();
        let mode = mode("skill_based", 2, 2);
        let groups = group(&mode, &tickets, NOW);
        let taken: HashSet<usize> = groups.iter().flatten().copied().collect();
        let mut left: Vec<&Arc<Ticket>> = (0..tickets.len())
            .filter(|at| !taken.contains(at))
            .map(|at| &tickets[at])
            .collect();
        left.sort_by(|a, b| a.skill.total_cmp(&b.skill));
        for pair in left.windows(2) {
            prop_assert!(!may_meet(&mode, pair[0], pair[1], NOW), "{pair:?}");
        }
    }
}

/// 10,000 tickets are grouped in under 50 ms a tick.
/// `cargo test --release -p asobi-game strategy -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn ten_thousand_tickets() {
    let mut seed = 7u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
        (seed >> 33) % below
    };
    for (size, parties, label) in [
        (2, false, "1 v 1"),
        (4, false, "4 players"),
        (10, true, "10 with parties"),
        (64, true, "64 with parties"),
    ] {
        for spread in [3_000, 3_000_000] {
            let tickets: Vec<Arc<Ticket>> = (0..10_000)
                .map(|at| {
                    let members = if parties { 1 + random(4) as usize } else { 1 };
                    let waited = (10_000 - at as u64) * 6;
                    ticket(at, members, random(spread) as f64, waited)
                })
                .collect();
            for strategy in ["fill", "skill_based"] {
                let mode = mode(strategy, size, size);
                let start = Instant::now();
                let groups = group(&mode, &tickets, NOW);
                let took = start.elapsed();
                println!(
                    "{strategy}, {label}, skills 0..{spread}: {took:?}, {} groups",
                    groups.len()
                );
                if !cfg!(debug_assertions) {
                    assert!(took.as_millis() < 50, "{took:?}");
                }
            }
        }
    }
}
