//! What a game folder declares: its modes and how their matches are formed.
//!
//! `config.lua` returns a table of mode name to script; without one, `match.lua` is the mode
//! `default`. Each script's top level runs once in a VM of its own whose `game` does nothing,
//! and its globals are read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use asobi_game::bots::DEFAULT_NAMES as DEFAULT_BOT_NAMES;
use asobi_game::bots::is_bot_name;
use asobi_game::logic::{FaultKind, ScriptFault};
use asobi_game::modes::{BotFill, GameManifest, MatchingRules, Mode};
use asobi_game::votes::VoteRules;
use mlua::Value;

use crate::context::Context;
use crate::fault::Failure;
use crate::globals::{Declared, resolve};
use crate::hooks::{CHAT_FILTER, HOOKS};
use crate::sandbox::Vm;
use crate::settings::LuaSettings;
use crate::source::ScriptSet;
use crate::{api, globals, phases, rpc, vote};

/// What every match calls.
const CALLBACKS: [&str; 6] = ["init", "join", "leave", "handle_input", "tick", "get_state"];
const CONFIG: &str = "config.lua";
const MATCH: &str = "match.lua";
const DEFAULT_MODE: &str = "default";
/// The strategy of a mode that names none.
const FILL: &str = "fill";
/// Most bots that fill a queue.
const MAX_BOT_FILL: i64 = 64;
/// Most that one lost vote adds to a player's weight.
const MAX_FRUSTRATION_BONUS: f64 = 100.0;
/// How long the longest-waiting person waits for bots unless the game says otherwise.
const FILL_AFTER_MS: u64 = 8_000;

/// A game's modes and the script of each.
#[derive(Clone, Debug, Default)]
pub struct LoadedManifest {
    /// What the game declares.
    pub game: GameManifest,
    /// The script of each mode, by the mode's name: what [`crate::LuaFactory::new`] takes.
    pub scripts: BTreeMap<String, String>,
    /// What the game declares and should not: the default applies instead.
    pub warnings: Vec<ScriptFault>,
}

/// Reads what the game declares. An error lists everything that keeps it from being played.
pub fn load_manifest(
    set: &Arc<ScriptSet>,
    settings: &LuaSettings,
) -> Result<LoadedManifest, Vec<ScriptFault>> {
    let mut loader = Loader {
        set,
        settings,
        loaded: LoadedManifest::default(),
        errors: Vec::new(),
    };
    match main_script(set) {
        CONFIG => loader.manifest(),
        _ => loader.single(),
    }
    if set.get(HOOKS).is_some()
        && let Some((vm, _)) = loader.probe(HOOKS, Kind::Match)
    {
        loader.chat(&vm, HOOKS);
        loader.loaded.game.chat.filtered = vm.callback(CHAT_FILTER).is_some();
    }
    loader.errors.extend(rpc::check(set, settings).err());
    if loader.errors.is_empty() {
        Ok(loader.loaded)
    } else {
        Err(loader.errors)
    }
}

/// The script a game begins with.
pub(crate) fn main_script(set: &ScriptSet) -> &'static str {
    match set.get(CONFIG) {
        Some(_) => CONFIG,
        None => MATCH,
    }
}

struct Loader<'a> {
    set: &'a Arc<ScriptSet>,
    settings: &'a LuaSettings,
    loaded: LoadedManifest,
    errors: Vec<ScriptFault>,
}

impl Loader<'_> {
    fn error(&mut self, script: &str, text: String) {
        let failure = Failure::new(FaultKind::LoadError, text);
        self.errors.push(failure.into_fault("config", script, None));
    }

    /// Runs `script`'s top level.
    fn probe(&mut self, script: &str, kind: Kind) -> Option<(Vm, Vec<Value>)> {
        match probe(self.set, script, kind, self.settings) {
            Ok((vm, values)) => Some((vm, values)),
            Err(failure) => {
                self.errors.push(failure.into_fault("load", script, None));
                None
            }
        }
    }

    fn manifest(&mut self) {
        let Some((vm, values)) = self.probe(CONFIG, Kind::Match) else {
            return;
        };
        self.deployment(&vm, CONFIG);
        let Some(Value::Table(table)) = values.first() else {
            return self.error(
                CONFIG,
                "must return a table of mode name = \"script.lua\"".into(),
            );
        };
        let mut scripts = BTreeMap::new();
        for pair in table.pairs::<Value, Value>() {
            match pair {
                Ok((Value::String(name), Value::String(path))) => {
                    scripts.insert(name.to_string_lossy(), path.to_string_lossy());
                }
                Ok((name, path)) => {
                    let (name, path) = (globals::describe(&name), globals::describe(&path));
                    self.error(
                        CONFIG,
                        format!("mode {name} = {path}: expected a script's path"),
                    );
                }
                Err(e) => self.error(CONFIG, e.to_string()),
            }
        }
        for (name, path) in scripts {
            match resolve("", &path).filter(|p| self.set.get(p).is_some()) {
                Some(path) => self.mode(&name, &path),
                None => self.error(
                    CONFIG,
                    format!("mode \"{name}\": no script \"{path}\" in the game folder"),
                ),
            }
        }
    }

    fn single(&mut self) {
        let Some((vm, _)) = self.probe(MATCH, Kind::Match) else {
            return;
        };
        self.deployment(&vm, MATCH);
        // The name the script gives itself, if it does; clients that name no mode mean it too.
        let name = Declared::new(vm.lua().globals(), MATCH).string("mode");
        let name = name.unwrap_or_else(|| DEFAULT_MODE.into());
        self.read_mode(&vm, &name, MATCH);
        for mode in &mut self.loaded.game.modes {
            mode.aliases = vec![DEFAULT_MODE.into()];
        }
    }

    /// What holds for the whole deployment.
    fn deployment(&mut self, vm: &Vm, script: &str) {
        let mut declared = Declared::new(vm.lua().globals(), script);
        self.loaded.game.guest_auth = declared.boolean("guest_auth").unwrap_or(false);
        self.loaded.game.registration = declared
            .choice("registration", &["open", "oauth_only", "closed"])
            .map(str::to_owned);
        self.loaded.warnings.extend(declared.warnings);
        self.chat(vm, script);
        if self.set.get(HOOKS).is_none() {
            self.loaded.game.chat.filtered = vm.callback(CHAT_FILTER).is_some();
        }
    }

    /// What a script says about chat, added to what others said.
    fn chat(&mut self, vm: &Vm, script: &str) {
        let mut declared = Declared::new(vm.lua().globals(), script);
        if let Some(mut chat) = declared.table("chat", "chat.") {
            let rules = &mut self.loaded.game.chat;
            for name in chat.names("global") {
                if !rules.globals.contains(&name) {
                    rules.globals.push(name);
                }
            }
            rules.slow_mode.extend(chat.seconds_by_name("slow_mode"));
            declared.warnings.extend(chat.warnings);
        }
        self.loaded.warnings.extend(declared.warnings);
    }

    fn mode(&mut self, name: &str, script: &str) {
        if let Some((vm, _)) = self.probe(script, Kind::Match) {
            self.read_mode(&vm, name, script);
            self.chat(&vm, script);
        }
    }

    fn read_mode(&mut self, vm: &Vm, name: &str, script: &str) {
        let mut declared = Declared::new(vm.lua().globals(), script);
        if declared.choice("game_type", &["match", "world"]) == Some("world") {
            declared.say(format!(
                "mode \"{name}\" is a world, which this server does not run yet; it is left out"
            ));
            self.loaded.warnings.extend(declared.warnings);
            return;
        }
        let size = match declared.get("match_size") {
            Value::Integer(n) if n > 0 => n,
            Value::Number(n) if (1.0..1e9).contains(&n) => n as i64,
            other => {
                let other = globals::describe(&other);
                return self.error(
                    script,
                    format!("match_size = {other}: expected a positive integer"),
                );
            }
        };
        for callback in CALLBACKS {
            if vm.callback(callback).is_none() {
                declared.say(format!("the script defines no function '{callback}'"));
            }
        }
        vote::check_templates(vm.lua(), &mut declared);
        if let Err(failure) = phases::read(vm, name, "", self.settings.init_budget_ms) {
            self.errors.push(failure.into_fault("phases", script, None));
        }
        let mode = self.globals_of(&mut declared, name, script, size);
        self.loaded.warnings.extend(declared.warnings);
        self.loaded.game.modes.push(mode);
        self.loaded.scripts.insert(name.into(), script.into());
    }

    fn globals_of(&mut self, declared: &mut Declared, name: &str, script: &str, size: i64) -> Mode {
        let max_players = declared.integer("max_players", size).unwrap_or(size);
        let min_players = self.min_players(declared, size, max_players);
        let group_up_to = declared
            .integer("group_up_to", size)
            .unwrap_or(size)
            .min(max_players);
        let (strategy, matching) = self.matching(declared, script, size);
        Mode {
            name: name.into(),
            aliases: Vec::new(),
            match_size: clamp_u32(size),
            min_players: clamp_u32(min_players),
            max_players: clamp_u32(max_players),
            group_up_to: clamp_u32(group_up_to),
            strategy,
            matching,
            bots: self.bots(declared, script, size, max_players),
            listed: declared.boolean("listed").unwrap_or(false),
            quick_play: declared.boolean("quick_play").unwrap_or(false),
            reconnect_grace_ms: declared.seconds("reconnect_grace"),
            queue_status: declared.boolean("queue_status").unwrap_or(false),
            votes: vote_rules(declared),
        }
    }

    /// More than fit would be a match that never starts.
    fn min_players(&mut self, declared: &mut Declared, size: i64, max_players: i64) -> i64 {
        let min_players = declared.integer("min_players", 1).unwrap_or(size);
        if min_players > max_players {
            declared.say(format!(
                "min_players = {min_players} is more than max_players, {max_players}, which applies"
            ));
        }
        min_players.min(max_players)
    }

    /// The mode's strategy, and what it goes by.
    fn matching(
        &self,
        declared: &mut Declared,
        script: &str,
        size: i64,
    ) -> (String, MatchingRules) {
        let strategy_script = self.strategy_script(declared, script);
        let strategy = match &strategy_script {
            Some(path) => path.clone(),
            None if is_script(declared) => FILL.into(),
            None => declared
                .choice("strategy", &[FILL, "skill_based"])
                .unwrap_or(FILL)
                .into(),
        };
        let rules = MatchingRules::default();
        let mut number = |name, default| {
            let given = declared.integer(name, 0).map(clamp_u32);
            given.unwrap_or(default)
        };
        let matching = MatchingRules {
            skill_window: number("skill_window", rules.skill_window),
            skill_expand_rate: number("skill_expand_rate", rules.skill_expand_rate),
            match_regions: declared.boolean("match_regions").unwrap_or(false),
            backfill: declared.boolean("backfill").unwrap_or(false),
            teams: teams(declared, size),
            script: strategy_script,
        };
        (strategy, matching)
    }

    /// The path of the script `strategy` names, if it names one and there is such a script.
    fn strategy_script(&self, declared: &mut Declared, script: &str) -> Option<String> {
        if !is_script(declared) {
            return None;
        }
        let path = declared.string("strategy")?;
        let found = resolve(script, &path).filter(|path| self.set.get(path).is_some());
        if found.is_none() {
            declared.say(format!(
                "strategy = \"{path}\": no such script; \"{FILL}\" applies"
            ));
        }
        found
    }

    fn bots(
        &mut self,
        declared: &mut Declared,
        script: &str,
        size: i64,
        max_players: i64,
    ) -> Option<BotFill> {
        let mut bots = declared.table("bots", "bots.")?;
        let min_players = bots.integer("min_players", 1).unwrap_or(size);
        if min_players > MAX_BOT_FILL {
            bots.say(format!(
                "bots.min_players = {min_players}: at most {MAX_BOT_FILL} bots fill a queue"
            ));
        }
        let names = self.bot_names(&mut bots, script);
        let fill = BotFill {
            enabled: bots.boolean("enabled").unwrap_or(true),
            min_players: clamp_u32(min_players.min(MAX_BOT_FILL).min(max_players)),
            fill_after_ms: bots.seconds("fill_after").unwrap_or(FILL_AFTER_MS),
            names,
        };
        declared.warnings.extend(bots.warnings);
        Some(fill)
    }

    fn bot_names(&mut self, bots: &mut Declared, script: &str) -> Vec<String> {
        let Some(path) = bot_script(self.set, bots, script) else {
            return default_names();
        };
        match self.probe(&path, Kind::Bot) {
            Some((vm, _)) => names_of(&vm),
            None => default_names(),
        }
    }
}

fn vote_rules(declared: &mut Declared) -> VoteRules {
    let default = VoteRules::default();
    VoteRules {
        veto_tokens_per_player: declared
            .integer("veto_tokens_per_player", 0)
            .map_or(default.veto_tokens_per_player, clamp_u32),
        frustration_bonus: declared
            .number("frustration_bonus", MAX_FRUSTRATION_BONUS)
            .unwrap_or(default.frustration_bonus),
    }
}

/// Whether `strategy` names a script rather than a strategy of the server's.
fn is_script(declared: &Declared) -> bool {
    let ends = |text: &str| text.ends_with(".lua");
    matches!(declared.get("strategy"), Value::String(name) if ends(&name.to_string_lossy()))
}

/// How many sides a match has: 2, or 0 for none.
fn teams(declared: &mut Declared, size: i64) -> u32 {
    match declared.integer("teams", 2) {
        Some(2) if size >= 2 => 2,
        None => 0,
        Some(teams) => {
            declared.say(format!(
                "teams = {teams}: a match of at least 2 players may have 2; there are none"
            ));
            0
        }
    }
}

fn clamp_u32(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What a script is for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It sees a `game`, which does nothing here.
    Match,
    Bot,
}

/// A VM that has run `script`'s top level, and what that returned.
fn probe(
    set: &Arc<ScriptSet>,
    script: &str,
    kind: Kind,
    settings: &LuaSettings,
) -> Result<(Vm, Vec<Value>), Failure> {
    let vm = Vm::new(set.clone(), script, 0, settings.memory_limit_bytes)?;
    if kind == Kind::Match {
        api::install(vm.lua(), &Context::inert().into(), true)
            .map_err(|e| Failure::from_error(&e))?;
    }
    let values = vm.run_main(Duration::from_millis(settings.init_budget_ms))?;
    Ok((vm, values.into_iter().collect()))
}

/// The path of the script `bots.script` names, if there is such a script.
pub(crate) fn bot_script(set: &ScriptSet, bots: &mut Declared, script: &str) -> Option<String> {
    let path = bots.string("script")?;
    let found = resolve(script, &path).filter(|p| set.get(p).is_some());
    if found.is_none() {
        bots.say(format!(
            "bots.script = \"{path}\": no such script; bots play with the built-in AI"
        ));
    }
    found
}

fn default_names() -> Vec<String> {
    DEFAULT_BOT_NAMES.iter().map(|n| (*n).to_owned()).collect()
}

/// The bot script's `names`: those of them that can be a bot's name, or the default ones.
pub(crate) fn names_of(vm: &Vm) -> Vec<String> {
    let Ok(Value::Table(list)) = vm.lua().globals().raw_get("names") else {
        return default_names();
    };
    let names: Vec<String> = list
        .sequence_values::<Value>()
        .flatten()
        .filter_map(|v| match v {
            Value::String(name) => Some(name.to_string_lossy()),
            _ => None,
        })
        .filter(|name| is_bot_name(name))
        .collect();
    if names.is_empty() {
        default_names()
    } else {
        names
    }
}
