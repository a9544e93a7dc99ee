//! The bots of one match: their script runs in a VM of its own, without `game`, made when the
//! first of them has to think.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asobi_game::PlayerId;
use asobi_game::logic::{FaultKind, ScriptFault};
use bytes::Bytes;
use mlua::Value;

use crate::backoff::Backoffs;
use crate::decode::decode;
use crate::fault::Failure;
use crate::json::{self, Shape};
use crate::modes;
use crate::sandbox::Vm;
use crate::settings::LuaSettings;
use crate::source::ScriptSet;

/// How often one bot's failing `think` is reported.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Drives a mode's bot script.
pub(crate) struct Bots {
    script: String,
    set: Arc<ScriptSet>,
    seed: u64,
    vm: Option<Result<Vm, ()>>,
    view: Option<DecodedView>,
    reported: HashMap<PlayerId, Instant>,
    backoffs: Backoffs,
    scratch: Vec<u8>,
}

/// The view the bots saw last. Holding its bytes keeps their address from meaning another view.
struct DecodedView {
    bytes: Bytes,
    value: Value,
}

impl Bots {
    pub(crate) fn new(set: Arc<ScriptSet>, script: String, seed: u64) -> Self {
        Self {
            script,
            set,
            seed,
            vm: None,
            view: None,
            reported: HashMap::new(),
            backoffs: Backoffs::default(),
            scratch: Vec::new(),
        }
    }

    pub(crate) fn script(&self) -> &str {
        &self.script
    }

    /// Takes up changed scripts: if they are the bots', the next thought is thought by the new
    /// ones, and what the old ones remembered is gone.
    pub(crate) fn take_up(&mut self, set: &Arc<ScriptSet>) {
        let changed = match &self.vm {
            Some(Ok(vm)) => vm.modules().borrow().differs_from(set),
            Some(Err(())) => true,
            None => false,
        };
        self.set = set.clone();
        if changed {
            self.view = None;
            self.vm = None;
        }
    }

    /// The names the script offers.
    pub(crate) fn names(&mut self, settings: &LuaSettings) -> Vec<String> {
        match self.vm(settings) {
            Ok(vm) => modes::names_of(vm),
            Err(_) => modes::DEFAULT_BOT_NAMES
                .iter()
                .map(|n| (*n).to_owned())
                .collect(),
        }
    }

    /// The VM; a script that does not load is reported once and not tried again.
    fn vm(&mut self, settings: &LuaSettings) -> Result<&Vm, Option<Failure>> {
        if self.vm.is_none() {
            let made = Vm::new(
                self.set.clone(),
                &self.script,
                self.seed,
                settings.bot_memory_limit_bytes,
            )
            .and_then(|vm| {
                vm.run_main(Duration::from_millis(settings.init_budget_ms))
                    .map(|_| vm)
            });
            match made {
                Ok(vm) => self.vm = Some(Ok(vm)),
                Err(failure) => {
                    self.vm = Some(Err(()));
                    return Err(Some(failure));
                }
            }
        }
        match self.vm.as_ref().expect("made above") {
            Ok(vm) => Ok(vm),
            Err(()) => Err(None),
        }
    }

    /// What `bot` does about `view`, or the fault to report, if it is time to report one.
    pub(crate) fn think(
        &mut self,
        bot: &PlayerId,
        view: &Bytes,
        settings: &LuaSettings,
    ) -> Result<Bytes, Option<ScriptFault>> {
        if let Err(failure) = self.vm(settings) {
            return Err(failure.map(|f| f.into_fault("think", &self.script, Some(bot))));
        }
        if self.backoffs.skips(bot) {
            return Err(None);
        }
        let thought = self.try_think(bot, view, settings);
        match &thought {
            Ok(_) => self.backoffs.success(bot),
            Err(failure) if failure.ran_away() => self.backoffs.overrun(bot),
            Err(_) => {}
        }
        thought.map_err(|failure| self.report(bot, failure))
    }

    fn try_think(
        &mut self,
        bot: &PlayerId,
        view: &Bytes,
        settings: &LuaSettings,
    ) -> Result<Bytes, Failure> {
        let Some(Ok(vm)) = &self.vm else {
            unreachable!("checked by the caller")
        };
        let state = match &self.view {
            Some(seen)
                if seen.bytes.as_ptr() == view.as_ptr() && seen.bytes.len() == view.len() =>
            {
                seen.value.clone()
            }
            _ => {
                let value = decode(vm.lua(), view, &mut self.scratch)
                    .map_err(|e| Failure::new(FaultKind::RuntimeError, format!("the view: {e}")))?;
                self.view = Some(DecodedView {
                    bytes: view.clone(),
                    value: value.clone(),
                });
                value
            }
        };
        let budget = Duration::from_millis(settings.think_budget_ms);
        let result = vm
            .call("think", budget, (bot.as_str(), state))
            .map(|values| values.into_iter().next());
        if let Err(failure) = &result
            && failure.kind == FaultKind::OutOfMemory
        {
            self.view = None;
            vm.collect();
        }
        let Some(Value::Table(input)) = result? else {
            return Err(Failure::new(
                FaultKind::RuntimeError,
                "think must return a table, the bot's input",
            ));
        };
        let mut out = Vec::new();
        let shape = Shape {
            limit: settings.view_limit_bytes,
            empty_object: false,
        };
        json::encode(vm.lua(), &input, shape, &mut out)
            .map_err(|e| Failure::new(FaultKind::RuntimeError, format!("the bot's input: {e}")))?;
        if out.first() != Some(&b'{') {
            return Err(Failure::new(
                FaultKind::RuntimeError,
                "think must return a table with names, not a list",
            ));
        }
        Ok(Bytes::from(out))
    }

    fn report(&mut self, bot: &PlayerId, failure: Failure) -> Option<ScriptFault> {
        let now = Instant::now();
        if self
            .reported
            .get(bot)
            .is_some_and(|at| now.duration_since(*at) < REPORT_EVERY)
        {
            return None;
        }
        // A match has few bots, but they come and go under ever new ids.
        if self.reported.len() > 256 {
            self.reported.clear();
        }
        self.reported.insert(bot.clone(), now);
        Some(failure.into_fault("think", &self.script, Some(bot)))
    }
}
