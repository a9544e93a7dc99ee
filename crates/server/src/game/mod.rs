//! The game that is served: its folder of scripts, the modes they declare, and their reload.

pub mod faults;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use asobi_game::logic::{LogicFactory, ScriptFault};
use asobi_game::modes::Mode;
use asobi_lua::{
    LoadedManifest, LuaFactory, LuaSettings, ScriptSet, ScriptSource, ScriptWatcher, load_manifest,
};
use parking_lot::RwLock;

use crate::accounts::Accounts;
use crate::cluster::Bus;
use crate::config::{Config, LuaConfig};

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
}

/// What the game declares.
struct Declared {
    modes: Vec<Mode>,
    /// The mode a name or an alias stands for.
    names: BTreeMap<String, usize>,
    scripts: BTreeMap<String, String>,
    guest_auth: bool,
    registration: Option<String>,
}

impl Game {
    /// Reads the game folder and what it declares.
    pub fn load(config: &Config, dir: &Path) -> anyhow::Result<Self> {
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
        let shared = Shared {
            source,
            budgets: config.budgets.clone(),
            lua: config.lua.clone(),
            declared: RwLock::new(Declared::from(manifest)),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
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
        Arc::new(LuaFactory::new(
            self.shared.source.clone(),
            script,
            self.shared.budgets.clone(),
        ))
    }

    /// Tells sign-in what the game declares about it.
    pub fn tell(&self, accounts: &Accounts) {
        let declared = self.shared.declared.read();
        accounts.set_game(declared.guest_auth, declared.registration.clone());
    }

    /// Follows the game folder for as long as the answer lives: running matches take up changed
    /// scripts at their next tick by themselves; this keeps the modes current and tells
    /// everyone connected, in dev, about scripts that do not load.
    pub fn watch(&self, accounts: Accounts, bus: Bus) -> anyhow::Result<ScriptWatcher> {
        let game = self.clone();
        let changed = move |scripts: &Arc<ScriptSet>| {
            game.reload(scripts, &bus);
            game.tell(&accounts);
        };
        let (source, budgets) = (self.shared.source.clone(), self.shared.budgets.clone());
        ScriptWatcher::start(source, budgets, changed).context("cannot watch the game folder")
    }

    fn reload(&self, scripts: &Arc<ScriptSet>, bus: &Bus) {
        if !scripts.faults().is_empty() {
            return self.report(scripts.faults(), bus);
        }
        match load_manifest(scripts, &self.shared.budgets) {
            Ok(manifest) => {
                tracing::info!(version = scripts.version(), "scripts reloaded");
                report_warnings(&manifest);
                *self.shared.declared.write() = Declared::from(manifest);
            }
            Err(faults) => self.report(&faults, bus),
        }
    }

    fn report(&self, faults: &[ScriptFault], bus: &Bus) {
        for fault in faults {
            faults::log("", None, fault);
            if self.shared.lua.dev_errors {
                for frame in faults::frames(fault, self.shared.lua.legacy_game_frames) {
                    bus.event_to_everyone(frame);
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
            scripts: manifest.scripts,
        }
    }
}
