//! What a game folder declares.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use asobi_game::logic::{FaultKind, ScriptFault};
use asobi_game::modes::{BotFill, MatchingRules, Mode};
use asobi_game::votes::VoteRules;
use asobi_lua::{LoadedManifest, LuaSettings, ScriptSet, ScriptSource, SourceError, load_manifest};
use common::{Folder, REST};

fn manifest(files: &[(&str, &str)]) -> Result<LoadedManifest, Vec<ScriptFault>> {
    load_manifest(
        &Arc::new(ScriptSet::from_files(files.iter().copied())),
        &LuaSettings::default(),
    )
}

fn mode(script: &str) -> (Mode, Vec<String>) {
    let loaded = manifest(&[
        ("match.lua", &format!("{REST}\n{script}")),
        ("bots/ai.lua", "names = { 'Ann' }"),
    ])
    .unwrap();
    (
        loaded.game.modes[0].clone(),
        loaded.warnings.into_iter().map(|w| w.message).collect(),
    )
}

#[test]
fn a_single_script_is_the_default_mode() {
    let (mode, warnings) = mode("match_size = 2");
    assert_eq!(warnings, Vec::<String>::new());
    let expected = Mode {
        name: "default".into(),
        aliases: vec!["default".into()],
        match_size: 2,
        min_players: 2,
        max_players: 2,
        group_up_to: 2,
        strategy: "fill".into(),
        matching: Default::default(),
        bots: None,
        listed: false,
        quick_play: false,
        reconnect_grace_ms: None,
        queue_status: false,
        votes: VoteRules::default(),
    };
    assert_eq!(mode, expected);
}

#[test]
fn every_global_is_read() {
    let (mode, warnings) = mode(
        "match_size = 2.0 min_players = 3 max_players = 8 group_up_to = 5 strategy = 'skill_based' listed = true quick_play = true
        reconnect_grace = 2.5 queue_status = true veto_tokens_per_player = 2 frustration_bonus = 0.25
        vote_templates = { map = { method = 'approval', window_ms = 5000 } }
        skill_window = 100 skill_expand_rate = 25 match_regions = true backfill = true teams = 2
        bots = { script = 'bots/ai.lua', min_players = 99, enabled = false, fill_after = 0.5 }",
    );
    assert_eq!(
        warnings,
        ["match.lua: bots.min_players = 99: at most 64 bots fill a queue"]
    );
    let bots = BotFill {
        enabled: false,
        min_players: 8,
        fill_after_ms: 500,
        names: vec!["Ann".into()],
    };
    let expected = Mode {
        name: "default".into(),
        aliases: vec!["default".into()],
        match_size: 2,
        min_players: 3,
        max_players: 8,
        group_up_to: 5,
        strategy: "skill_based".into(),
        matching: MatchingRules {
            script: None,
            skill_window: 100,
            skill_expand_rate: 25,
            match_regions: true,
            backfill: true,
            teams: 2,
        },
        bots: Some(bots),
        listed: true,
        quick_play: true,
        reconnect_grace_ms: Some(2500),
        queue_status: true,
        votes: VoteRules {
            veto_tokens_per_player: 2,
            frustration_bonus: 0.25,
        },
    };
    assert_eq!(mode, expected);
}

#[test]
fn wrong_vote_settings_are_warned_of() {
    let (mode, warnings) = mode(
        "match_size = 1 veto_tokens_per_player = -1 frustration_bonus = '1'
        vote_templates = { map = { window_ms = -5 } }",
    );
    assert_eq!(mode.votes, VoteRules::default());
    let about = |name: &str| warnings.iter().any(|warning| warning.contains(name));
    assert!(about("veto_tokens_per_player = -1") && about("frustration_bonus = \"1\""));
    assert!(
        about("vote_templates[\"map\"]: window_ms = -5"),
        "{warnings:?}"
    );
    let (_, warnings) = self::mode("match_size = 1 vote_templates = { map = 'plurality' }");
    assert!(warnings[0].contains("expected a table"), "{warnings:?}");
}

#[test]
fn wrong_values_are_warned_of_and_take_their_default() {
    let (mode, warnings) = mode(
        "match_size = 4 max_players = 2 strategy = 'odd' listed = 0 quick_play = 'yes' reconnect_grace = -1
        bots = { script = '../ai.lua', min_players = 'many', fill_after = {} } registration = 'shut' guest_auth = 1",
    );
    assert_eq!(
        (
            mode.max_players,
            mode.listed,
            mode.quick_play,
            mode.strategy.as_str()
        ),
        (4, false, false, "fill")
    );
    let bots = mode.bots.unwrap();
    assert_eq!(
        (bots.min_players, bots.fill_after_ms, bots.names.len()),
        (4, 8000, 5)
    );
    let about: Vec<_> = warnings
        .iter()
        .map(|w| {
            w.trim_start_matches("match.lua: ")
                .split(' ')
                .next()
                .unwrap()
        })
        .collect();
    let expected = [
        "guest_auth",
        "registration",
        "max_players",
        "strategy",
        "bots.min_players",
        "bots.script",
        "bots.fill_after",
        "listed",
        "quick_play",
        "reconnect_grace",
    ];
    assert_eq!(about.len(), expected.len(), "{warnings:#?}");
    assert!(
        expected.iter().all(|name| about.contains(name)),
        "{warnings:#?}"
    );
}

#[test]
fn a_mode_has_to_say_its_size() {
    for script in [
        "",
        "match_size = 0",
        "match_size = 'two'",
        "match_size = 0/0",
    ] {
        let errors = manifest(&[("match.lua", script)]).unwrap_err();
        assert!(
            errors.len() == 1 && errors[0].message.starts_with("match.lua: match_size = "),
            "{errors:?}"
        );
    }
    let errors = manifest(&[("match.lua", "match_size = = 2")]).unwrap_err();
    assert_eq!(errors[0].line, Some(1));
    let errors = manifest(&[("match.lua", "while true do end")]).unwrap_err();
    assert_eq!(errors[0].kind, FaultKind::Timeout);
}

#[test]
fn a_script_may_name_its_mode() {
    let loaded = manifest(&[("match.lua", "match_size = 2 mode = 'arena'")]).unwrap();
    assert_eq!(loaded.game.modes.len(), 1);
    let mode = &loaded.game.modes[0];
    assert_eq!(
        (mode.name.as_str(), &mode.aliases[..]),
        ("arena", &["default".to_owned()][..])
    );
    assert_eq!(loaded.scripts["arena"], "match.lua");
}

#[test]
fn a_manifest_lists_modes() {
    let files = [
        (
            "config.lua",
            "guest_auth = true registration = 'closed' return { duel = 'duel/match.lua', ffa = 'ffa.lua', sea = 'sea.lua' }",
        ),
        ("match.lua", "not lua at all"),
        (
            "duel/match.lua",
            "match_size = 2 require('rules') bots = { script = 'bot.lua' } game.broadcast('x', {}) guest_auth = 7",
        ),
        ("duel/rules.lua", "return {}"),
        ("duel/bot.lua", "names = { 'Duke' }"),
        ("ffa.lua", "match_size = 8"),
        ("sea.lua", "game_type = 'world'"),
    ];
    let loaded = manifest(&files).unwrap();
    assert!(loaded.game.guest_auth);
    assert_eq!(loaded.game.registration.as_deref(), Some("closed"));
    let modes: Vec<_> = loaded
        .game
        .modes
        .iter()
        .map(|m| (m.name.as_str(), m.match_size))
        .collect();
    assert_eq!(modes, [("duel", 2), ("ffa", 8)]);
    assert_eq!(loaded.game.modes[0].bots.as_ref().unwrap().names, ["Duke"]);
    assert_eq!(loaded.scripts["duel"], "duel/match.lua");
    let about = |text: &str| {
        loaded
            .warnings
            .iter()
            .filter(|w| w.message.contains(text))
            .count()
    };
    assert_eq!(about("mode \"sea\" is a world"), 1);
    assert_eq!(about("duel/match.lua: the script defines no function"), 6);
    assert_eq!(about("ffa.lua: the script defines no function 'tick'"), 1);
    assert_eq!(loaded.warnings.len(), 13);
}

#[test]
fn everything_wrong_with_a_manifest_is_listed() {
    let config =
        "return { up = '../x.lua', abs = '/x.lua', gone = 'gone.lua', odd = 5, bad = 'bad.lua' }";
    let errors = manifest(&[("config.lua", config), ("bad.lua", "\nerror('top')")]).unwrap_err();
    let mut messages: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
    messages.sort_unstable();
    assert_eq!(
        messages,
        [
            "bad.lua:2: top",
            "config.lua: mode \"abs\": no script \"/x.lua\" in the game folder",
            "config.lua: mode \"gone\": no script \"gone.lua\" in the game folder",
            "config.lua: mode \"odd\" = 5: expected a script's path",
            "config.lua: mode \"up\": no script \"../x.lua\" in the game folder",
        ]
    );
    assert!(manifest(&[("config.lua", "x = 1")]).is_err());
}

#[test]
fn a_game_is_found_in_its_usual_folders() {
    for inner in ["", "game/", "lua/"] {
        let folder = Folder::new(&[
            (&format!("{inner}match.lua"), REST),
            (&format!("{inner}a/b.lua"), ""),
            ("README.md", ""),
        ]);
        let set = ScriptSource::open(folder.path()).unwrap().current();
        assert_eq!(
            set.iter().map(|(path, _)| path).collect::<Vec<_>>(),
            ["a/b.lua", "match.lua"]
        );
    }
    let folder = Folder::new(&[("other.lua", "")]);
    assert!(matches!(
        ScriptSource::open(folder.path()),
        Err(SourceError::NoEntryPoint(_))
    ));
}
