//! The game that is served: its folder of scripts, the modes they declare, and their reload.

pub mod answers;
mod backstage;
mod effects;
pub mod faults;
mod strategies;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use asobi_game::logic::{LogicFactory, ScriptFault};
use asobi_game::modes::{ChatRules, Mode};
use asobi_game::services::Services;
use asobi_game::strategy::Groups;
use asobi_lua::{
    LoadedManifest, LuaFactory, LuaSettings, ScriptSet, ScriptSource, ScriptWatcher, load_manifest,
};
use parking_lot::RwLock;

use self::effects::Effects;
use self::strategies::StrategyThread;
pub use self::strategies::{MOST_TICKETS, Question};
use crate::accounts::Accounts;
use crate::chat::{Chat, MessageFilter};
use crate::cluster::Bus;
use crate::config::{Config, LuaConfig};

pub use self::backstage::{Backstage, Busy};

/// The game. Cheap to clone.
#[derive(Clone)]
pub struct Game {
    shared: Arc<Shared>,
}

struct Shared {
    source: ScriptSource,
    budgets: LuaSettings,
    lua: LuaConfig,
    declared: RwLock<Declared>,
    around: Surroundings,
    backstage: Backstage,
    strategies: StrategyThread,
}

/// What a game speaks to.
pub struct Surroundings {
    /// Answers what scripts ask.
    pub services: Arc<dyn Services>,
    /// Takes what the game declares about chat.
    pub chat: Chat,
    /// Takes what the game declares about sign-in.
    pub accounts: Accounts,
    /// Delivers script errors to developers.
    pub bus: Bus,
}

/// What the game declares.
struct Declared {
    modes: Vec<Mode>,
    /// The mode a name or an alias stands for.
    names: BTreeMap<String, usize>,
    scripts: BTreeMap<String, String>,
    guest_auth: bool,
    registration: Option<String>,
    chat: ChatRules,
}

impl Game {
    /// Reads the game folder and what it declares.
    pub fn load(config: &Config, dir: &Path, around: Surroundings) -> anyhow::Result<Self> {
        let source = ScriptSource::open(dir)?;
        let manifest = load_manifest(&source.current(), &config.budgets).map_err(|faults| {
            let all: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
            anyhow::anyhow!(
                "the game in {} does not load:\n  {}",
                dir.display(),
                all.join("\n  ")
            )
        })?;
        report_warnings(&manifest);
        let (budgets, lua) = (config.budgets.clone(), config.lua.clone());
        let effects = Effects {
            bus: around.bus.clone(),
            chat: around.chat.clone(),
            lua: lua.clone(),
        };
        let services = around.services.clone();
        let backstage = Backstage::start(source.clone(), budgets.clone(), services, effects)
            .context("cannot start the thread for what is outside of matches")?;
        let strategies = StrategyThread::start(
            source.clone(),
            budgets.clone(),
            lua.clone(),
            around.bus.clone(),
        )
        .context("cannot start the strategies' thread")?;
        let shared = Shared {
            source,
            budgets,
            lua,
            declared: RwLock::new(Declared::from(manifest)),
            around,
            backstage,
            strategies,
        };
        let game = Self {
            shared: Arc::new(shared),
        };
        game.tell();
        Ok(game)
    }

    /// Whether the game offers play without an account.
    pub fn wants_guests(&self) -> bool {
        self.shared.declared.read().guest_auth
    }

    /// The modes.
    pub fn modes(&self) -> Vec<Mode> {
        self.shared.declared.read().modes.clone()
    }

    /// The mode of this name.
    pub fn mode(&self, name: &str) -> Option<Mode> {
        let declared = self.shared.declared.read();
        declared
            .names
            .get(name)
            .map(|at| declared.modes[*at].clone())
    }

    /// Asks a strategy that is a script which tickets make a match. The answer is checked: what
    /// it did wrong is reported, and the tickets of that group stand in none.
    pub async fn group(&self, question: Question) -> Groups {
        self.shared.strategies.group(question).await
    }

    /// What makes matches of a mode.
    pub fn factory(&self, mode: &str) -> Arc<dyn LogicFactory> {
        let script = self
            .shared
            .declared
            .read()
            .scripts
            .get(mode)
            .cloned()
            .unwrap_or_default();
        let (source, budgets) = (self.shared.source.clone(), self.shared.budgets.clone());
        let factory = LuaFactory::new(source, script, budgets);
        Arc::new(factory.with_services(self.shared.around.services.clone()))
    }

    /// Where the game acts outside of its matches.
    pub fn backstage(&self) -> Backstage {
        self.shared.backstage.clone()
    }

    /// Tells sign-in and chat what the game declares about them.
    fn tell(&self) {
        let declared = self.shared.declared.read();
        let Surroundings { accounts, chat, .. } = &self.shared.around;
        accounts.set_game(declared.guest_auth, declared.registration.clone());
        let rules = &declared.chat;
        chat.set_game(rules.globals.clone(), rules.slow_mode.clone());
        let filter = || Arc::new(self.shared.backstage.clone()) as Arc<dyn MessageFilter>;
        chat.set_filter(rules.filtered.then(filter));
    }

    /// Follows the game folder for as long as the answer lives: running matches take up changed
    /// scripts at their next tick by themselves; this keeps the modes current and tells
    /// everyone connected, in dev, about scripts that do not load.
    pub fn watch(&self) -> anyhow::Result<ScriptWatcher> {
        let game = self.clone();
        let changed = move |scripts: &Arc<ScriptSet>| {
            game.reload(scripts);
            game.tell();
        };
        let (source, budgets) = (self.shared.source.clone(), self.shared.budgets.clone());
        ScriptWatcher::start(source, budgets, changed).context("cannot watch the game folder")
    }

    fn reload(&self, scripts: &Arc<ScriptSet>) {
        if !scripts.faults().is_empty() {
            return self.report(scripts.faults());
        }
        match load_manifest(scripts, &self.shared.budgets) {
            Ok(manifest) => {
                tracing::info!(version = scripts.version(), "scripts reloaded");
                report_warnings(&manifest);
                *self.shared.declared.write() = Declared::from(manifest);
            }
            Err(faults) => self.report(&faults),
        }
    }

    fn report(&self, faults: &[ScriptFault]) {
        for fault in faults {
            faults::log("", None, fault);
            if self.shared.lua.dev_errors {
                for frame in faults::frames(fault, self.shared.lua.legacy_game_frames) {
                    self.shared.around.bus.event_to_everyone(frame);
                }
            }
        }
    }
}

fn report_warnings(manifest: &LoadedManifest) {
    for warning in &manifest.warnings {
        tracing::warn!(script = warning.script, "{}", warning.message);
    }
}

impl From<LoadedManifest> for Declared {
    fn from(manifest: LoadedManifest) -> Self {
        let modes = manifest.game.modes;
        let mut names = BTreeMap::new();
        for (at, mode) in modes.iter().enumerate() {
            for name in mode.aliases.iter().chain([&mode.name]) {
                names.insert(name.clone(), at);
            }
        }
        Self {
            modes,
            names,
            guest_auth: manifest.game.guest_auth,
            registration: manifest.game.registration,
            chat: manifest.game.chat,
            scripts: manifest.scripts,
        }
    }
}
