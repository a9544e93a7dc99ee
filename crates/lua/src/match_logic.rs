//! A match whose game is a Lua script.
//!
//! [`LuaMatch`] keeps the state table in its VM and calls the script's functions on it. Whatever
//! a callback does, `LuaMatch::callback` is where it is called from, and where a failure is
//! undone and reported; reloading is in [`crate::reload`], undoing in [`crate::rollback`].

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use asobi_game::PlayerId;
use asobi_game::logic::{
    Around, Effect, FaultKind, FiredTimer, Input, JoinRefusal, LocalFuture, LogLevel, MatchLogic,
    MatchSetup, ScriptFault, StepOutcome, View,
};
use asobi_game::phases::PhaseDef;
use asobi_game::votes::VoteAsk;
use bytes::Bytes;
use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Table, Value};
use serde_json::value::RawValue;

use crate::api;
use crate::backoff::Backoff;
use crate::bots::Bots;
use crate::context::Context;
use crate::decode::decode;
use crate::factory::LuaFactory;
use crate::fault::{Failure, FaultLimiter};
use crate::reload::ModeGlobals;
use crate::rollback::Keeper;
use crate::sandbox::Vm;
use crate::settings::LuaSettings;
use crate::snapshot::SnapshotError;
use crate::source::ScriptSource;
use crate::views::Views;
use crate::waiting::Asking;
use crate::{phases, saved, vote};

/// How often the state of a match whose state was too large to keep is not even looked at.
const KEEP_AGAIN_AFTER: u32 = 100;

/// One match.
pub(crate) struct LuaMatch {
    pub(crate) vm: Vm,
    pub(crate) context: Rc<Context>,
    pub(crate) settings: LuaSettings,
    pub(crate) source: ScriptSource,
    /// The version of the scripts this match has last looked at.
    pub(crate) seen_version: u64,
    pub(crate) mode: ModeGlobals,
    pub(crate) state: Table,
    pub(crate) keeper: Keeper,
    /// How often in a row the state was not kept because it is too large.
    unkept: u32,
    /// The next timer's id when the state was kept.
    kept_timer: u64,
    /// The phases of a new match, until they are asked for.
    phases: Vec<PhaseDef>,
    /// Functions that say whether the phase of that name is over.
    pub(crate) phase_ends: Vec<(String, Function)>,
    setup: MatchSetup,
    /// Set once the state was found to hold what a restart would lose.
    warned_nameless: bool,
    pub(crate) views: Views,
    pub(crate) backoff: Backoff,
    vote_backoff: Backoff,
    limiter: FaultLimiter,
    /// In a cell because asking for the bots' names may have to start their VM.
    pub(crate) bots: RefCell<Option<Bots>>,
    pub(crate) seed: u64,
    scratch: Vec<u8>,
    pub(crate) asking: Asking,
}

impl LuaMatch {
    pub(crate) async fn create(
        factory: &LuaFactory,
        setup: &MatchSetup,
    ) -> Result<Self, ScriptFault> {
        let mut new = Self::load(factory, setup)?;
        let init = new.init(setup).await;
        new.state = init.map_err(|f| f.into_fault("init", &factory.script, None))?;
        let declared = new.read_phases();
        let declared = declared.map_err(|f| f.into_fault("phases", &factory.script, None))?;
        (new.phases, new.phase_ends) = (declared.list, declared.ends);
        Ok(new)
    }

    pub(crate) fn read_phases(&self) -> Result<phases::Declared, Failure> {
        let (mode, id) = (&self.setup.mode, self.setup.match_id.as_str());
        phases::read(&self.vm, mode, id, self.settings.init_budget_ms)
    }

    async fn init(&mut self, setup: &MatchSetup) -> Result<Table, Failure> {
        let config = self.vm.lua().create_table();
        let filled = config.and_then(|config| {
            config.raw_set("match_id", setup.match_id.as_str())?;
            config.raw_set("mode", setup.mode.as_str())?;
            Ok(config)
        });
        let config = filled.map_err(|e| Failure::from_error(&e))?;
        let budget = self.settings.init_budget_ms;
        let accept = |values| new_state("init", values);
        self.waiting_callback("init", budget, config, accept).await
    }

    pub(crate) fn restore(
        factory: &LuaFactory,
        setup: &MatchSetup,
        snapshot: &[u8],
    ) -> Result<Self, ScriptFault> {
        let mut new = Self::load(factory, setup)?;
        new.state = saved::read(&new.vm, snapshot).map_err(|e| {
            Failure::new(FaultKind::LoadError, format!("the saved state: {e}")).into_fault(
                "restore",
                &factory.script,
                None,
            )
        })?;
        // The phases are saved with the match; only their functions have to be found again.
        match new.read_phases() {
            Ok(declared) => new.phase_ends = declared.ends,
            Err(failure) => new.report("phases", failure, None),
        }
        Ok(new)
    }

    /// A match with its scripts loaded and an empty state.
    fn load(factory: &LuaFactory, setup: &MatchSetup) -> Result<Self, ScriptFault> {
        let LuaFactory {
            source,
            script,
            settings,
            services,
        } = factory;
        let set = source.current();
        let seen_version = set.version();
        let context = Rc::new(Context::default());
        let load = || {
            let vm = Vm::new(set, script, setup.seed, settings.memory_limit_bytes)?;
            api::install(vm.lua(), &context, services.has_storage())
                .map_err(|e| Failure::from_error(&e))?;
            vm.run_main(Duration::from_millis(settings.init_budget_ms))?;
            let state = vm
                .lua()
                .create_table()
                .map_err(|e| Failure::from_error(&e))?;
            Ok((vm, state))
        };
        let (vm, state) = load().map_err(|f: Failure| f.into_fault("load", script, None))?;
        let mut new = Self {
            vm,
            context,
            settings: settings.clone(),
            source: source.clone(),
            seen_version,
            mode: ModeGlobals::default(),
            state,
            keeper: Keeper::default(),
            unkept: 0,
            kept_timer: 0,
            phases: Vec::new(),
            phase_ends: Vec::new(),
            setup: setup.clone(),
            warned_nameless: false,
            views: Views::default(),
            backoff: Backoff::default(),
            vote_backoff: Backoff::default(),
            limiter: FaultLimiter::default(),
            bots: RefCell::new(None),
            seed: setup.seed,
            scratch: Vec::new(),
            asking: Asking::new(services.clone()),
        };
        new.read_globals();
        Ok(new)
    }

    // --- faults and undoing -------------------------------------------------------------------

    /// Reports a failure of callback `name`, if it is not one of too many.
    pub(crate) fn report(&mut self, name: &str, failure: Failure, player: Option<&PlayerId>) {
        let fault = failure.into_fault(name, self.vm.main(), player);
        self.report_fault(fault);
    }

    pub(crate) fn report_fault(&mut self, fault: ScriptFault) {
        if let Some(fault) = self.limiter.admit(fault) {
            self.context.fault(fault);
        }
    }

    /// Keeps the state as it is now, to go back to. A state too large for that is reported once
    /// and looked at again only now and then: to find out takes as long as to keep it.
    pub(crate) fn keep(&mut self) {
        if self.unkept > 0 && !self.unkept.is_multiple_of(KEEP_AGAIN_AFTER) {
            self.unkept += 1;
            return;
        }
        match self
            .keeper
            .keep(&self.vm, &self.state, self.settings.undo_limit_bytes)
        {
            Ok(()) => {
                self.unkept = 0;
                self.kept_timer = self.context.next_timer();
            }
            Err(error) => {
                if self.unkept == 0 {
                    let kind = match error {
                        SnapshotError::Lua(mlua::Error::MemoryError(_)) => FaultKind::OutOfMemory,
                        _ => FaultKind::RuntimeError,
                    };
                    let text = format!("{error}: a callback that fails is not undone");
                    self.report("snapshot", Failure::new(kind, text), None);
                }
                self.unkept += 1;
            }
        }
    }

    /// Goes back to the kept state.
    pub(crate) fn undo(&mut self) {
        if let Some(state) = self.keeper.restore(&self.vm) {
            self.state = state;
            self.context.set_next_timer(self.kept_timer);
        }
    }

    /// Calls a callback that cannot wait.
    pub(crate) fn callback<T>(
        &mut self,
        name: &str,
        budget_ms: u64,
        args: impl IntoLuaMulti,
        accept: impl FnOnce(MultiValue) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mark = self.context.mark();
        self.keeper.touched();
        let budget = Duration::from_millis(budget_ms);
        let result = self.vm.call(name, budget, args).and_then(accept);
        self.called(mark, result)
    }

    /// Calls a callback that may wait for the server.
    pub(crate) async fn waiting_callback<T>(
        &mut self,
        name: &str,
        budget_ms: u64,
        args: impl IntoLuaMulti,
        accept: impl FnOnce(MultiValue) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mark = self.context.mark();
        self.keeper.touched();
        let budget = Duration::from_millis(budget_ms);
        let (vm, context) = (&self.vm, &self.context);
        let call = vm.call_waiting(name, budget, args, context, &mut self.asking);
        let result = call.await.and_then(accept);
        self.called(mark, result)
    }

    /// A callback is over; if it failed, what it had queued is dropped. Every callback comes
    /// through here; that the state is put back is up to [`Self::change`] and its like.
    fn called<T>(&self, mark: usize, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result {
            self.context.drop_since(mark);
            if failure.kind == FaultKind::OutOfMemory {
                self.vm.collect();
            }
        }
        result
    }

    /// Calls a callback that returns the new state. `args` makes its arguments, which include
    /// the state. After a failure the caller has to undo.
    pub(crate) async fn new_state<A: IntoLuaMulti>(
        &mut self,
        name: &str,
        budget_ms: u64,
        args: impl Fn(&mut Self) -> Result<A, Failure>,
    ) -> Result<(), Failure> {
        let first = args(self)?;
        let accept = |values| new_state(name, values);
        let called = self.waiting_callback(name, budget_ms, first, accept);
        match called.await {
            Ok(state) => {
                self.state = state;
                Ok(())
            }
            Err(failure) => Err(self.located(failure, name, budget_ms, args)),
        }
    }

    /// A failure with the place it happened at. Only a lack of memory comes without one; the
    /// callback is then run again from the kept state, which the caller goes back to anyway.
    fn located<A: IntoLuaMulti>(
        &mut self,
        mut failure: Failure,
        name: &str,
        budget_ms: u64,
        args: impl Fn(&mut Self) -> Result<A, Failure>,
    ) -> Failure {
        let wanted = failure.kind == FaultKind::OutOfMemory && failure.place.is_none();
        if wanted && self.keeper.has_kept() && self.limiter.is_open(name) {
            self.undo();
            if let Ok(args) = args(self) {
                self.keeper.touched();
                let budget = Duration::from_millis(budget_ms);
                let context = self.context.clone();
                failure.place = context.muted(|| self.vm.locate(name, budget, args));
                self.vm.collect();
            }
        }
        failure
    }

    /// Calls a callback that returns the new state: kept before, put back on failure, and the
    /// failure reported.
    async fn change<A: IntoLuaMulti>(
        &mut self,
        name: &str,
        budget_ms: u64,
        args: impl Fn(&mut Self) -> Result<A, Failure>,
        player: Option<&PlayerId>,
    ) {
        self.keep();
        if let Err(failure) = self.new_state(name, budget_ms, args).await {
            self.undo();
            self.report(name, failure, player);
        }
    }

    pub(crate) fn decode(&mut self, json: &[u8]) -> Result<Value, Failure> {
        decode(self.vm.lua(), json, &mut self.scratch)
            .map_err(|e| Failure::new(FaultKind::RuntimeError, e.to_string()))
    }

    /// Calls a callback a script may do without, with one string and the state.
    fn optional<'a>(
        &'a mut self,
        name: &'static str,
        about: &'a str,
        player: Option<&'a PlayerId>,
    ) -> LocalFuture<'a, ()> {
        if self.vm.callback(name).is_none() {
            return Box::pin(std::future::ready(()));
        }
        let args = move |m: &mut Self| Ok((about, m.state.clone()));
        Box::pin(self.change(name, self.settings.event_budget_ms, args, player))
    }

    async fn try_join(&mut self, player: &PlayerId, ctx: &RawValue) -> Result<(), JoinRefusal> {
        self.keep();
        let budget = self.settings.join_budget_ms;
        let mark = self.context.mark();
        let args = |m: &mut Self| {
            let ctx = m.decode(ctx.get().as_bytes())?;
            Ok((player.as_str(), m.state.clone(), ctx))
        };
        let joined = match args(self) {
            Ok(first) => self.waiting_callback("join", budget, first, Ok).await,
            Err(failure) => Err(failure),
        };
        let (refusal, failure) = match joined.map(read_join) {
            Ok(Ok(state)) => {
                self.state = state;
                return Ok(());
            }
            Ok(Err(refused)) => refused,
            Err(failure) => (
                JoinRefusal::Failed,
                Some(self.located(failure, "join", budget, args)),
            ),
        };
        self.context.drop_since(mark);
        self.undo();
        if let Some(failure) = failure {
            self.report("join", failure, Some(player));
        }
        Err(refusal)
    }

    /// Applies one input to the state. After a failure the caller has to undo.
    pub(crate) async fn apply(&mut self, input: &Input) -> Result<(), Failure> {
        let budget = self.settings.input_budget_ms;
        self.new_state("handle_input", budget, |m| {
            let payload = m.decode(&input.payload)?;
            Ok((input.player.as_str(), payload, m.state.clone()))
        })
        .await
    }
}

/// The first value a callback returned, which must be the state.
pub(crate) fn new_state(name: &str, values: MultiValue) -> Result<Table, Failure> {
    match values.into_iter().next() {
        Some(Value::Table(state)) => Ok(state),
        Some(other) => Err(Failure::new(
            FaultKind::RuntimeError,
            format!(
                "{name} must return the state, a table, not {}",
                crate::globals::describe(&other)
            ),
        )),
        None => Err(Failure::new(
            FaultKind::RuntimeError,
            format!("{name} must return the state; is a 'return state' missing?"),
        )),
    }
}

type JoinAnswer = Result<Table, (JoinRefusal, Option<Failure>)>;

/// What `join` returned: the state, or `nil` and perhaps a reason.
fn read_join(values: MultiValue) -> JoinAnswer {
    let mut values = values.into_iter();
    match values.next() {
        Some(Value::Nil | Value::Boolean(false)) => {
            let reason = values.next().and_then(|v| refusal_reason(&v));
            Err((JoinRefusal::Refused(reason), None))
        }
        None => {
            let text =
                "join returned nothing, which turns the player away; is a 'return state' missing?";
            Err((
                JoinRefusal::Refused(None),
                Some(Failure::new(FaultKind::RuntimeError, text)),
            ))
        }
        Some(first) => {
            let values = MultiValue::from_vec(vec![first]);
            new_state("join", values).map_err(|failure| (JoinRefusal::Failed, Some(failure)))
        }
    }
}

fn read_vote_request(lua: &Lua, values: MultiValue) -> Result<Option<VoteAsk>, Failure> {
    match values.into_iter().next() {
        Some(Value::Table(asked)) => vote::read(lua, &asked),
        None | Some(Value::Nil | Value::Boolean(false)) => Ok(None),
        Some(other) => {
            let other = crate::globals::describe(&other);
            let text = format!("vote_requested must return a table or nil, not {other}");
            Err(Failure::new(FaultKind::RuntimeError, text))
        }
    }
}

/// A reason reaches the client, so it is short and printable or not there at all.
fn refusal_reason(value: &Value) -> Option<String> {
    let Value::String(text) = value else {
        return None;
    };
    let bytes = text.as_bytes();
    let fits = (1..=64).contains(&bytes.len()) && bytes.iter().all(|b| (0x20..0x7f).contains(b));
    fits.then(|| text.to_string_lossy())
}

impl MatchLogic for LuaMatch {
    fn tick_rate_ms(&self) -> u64 {
        self.mode.tick_rate_ms
    }

    fn shared_view(&self) -> bool {
        self.mode.shared_view
    }

    fn join<'a>(
        &'a mut self,
        player: &'a PlayerId,
        ctx: &'a RawValue,
    ) -> LocalFuture<'a, Result<(), JoinRefusal>> {
        Box::pin(self.try_join(player, ctx))
    }

    fn leave<'a>(&'a mut self, player: &'a PlayerId) -> LocalFuture<'a, ()> {
        let args = |m: &mut Self| Ok((player.as_str(), m.state.clone()));
        let budget = self.settings.join_budget_ms;
        Box::pin(self.change("leave", budget, args, Some(player)))
    }

    fn phases(&mut self) -> Vec<PhaseDef> {
        std::mem::take(&mut self.phases)
    }

    fn inform(&mut self, around: Around) {
        self.context.inform(around);
    }

    fn phase_started<'a>(&'a mut self, name: &'a str) -> LocalFuture<'a, ()> {
        self.optional("on_phase_started", name, None)
    }

    fn phase_ended<'a>(&'a mut self, name: &'a str) -> LocalFuture<'a, ()> {
        self.optional("on_phase_ended", name, None)
    }

    fn phase_over(&mut self, name: &str) -> bool {
        self.ask_phase_end(name)
    }

    fn timers<'a>(&'a mut self, fired: &'a [FiredTimer]) -> LocalFuture<'a, usize> {
        Box::pin(self.fire(fired))
    }

    fn disconnected<'a>(&'a mut self, player: &'a PlayerId) -> LocalFuture<'a, ()> {
        self.optional("on_disconnect", player.as_str(), Some(player))
    }

    fn reconnected<'a>(&'a mut self, player: &'a PlayerId) -> LocalFuture<'a, ()> {
        self.optional("on_reconnect", player.as_str(), Some(player))
    }

    fn step<'a>(&'a mut self, inputs: &'a [Input]) -> LocalFuture<'a, StepOutcome> {
        Box::pin(self.run_step(inputs))
    }

    fn view(&mut self, player: &PlayerId) -> Option<View> {
        match self.look(player) {
            Ok(view) => view,
            Err(failure) => {
                self.report("get_state", failure, Some(player));
                None
            }
        }
    }

    fn vote_requested(&mut self) -> Option<VoteAsk> {
        self.vm.callback("vote_requested")?;
        if self.vote_backoff.skips() {
            return None;
        }
        let budget = self.settings.vote_budget_ms;
        let (args, lua) = (self.state.clone(), self.vm.lua().clone());
        let accept = |values| read_vote_request(&lua, values);
        match self.callback("vote_requested", budget, args, accept) {
            Ok(request) => {
                self.vote_backoff.success();
                request
            }
            Err(failure) => {
                if failure.ran_away() {
                    self.vote_backoff.overrun();
                }
                self.report("vote_requested", failure, None);
                None
            }
        }
    }

    fn vote_fault(&mut self, message: &str) {
        let failure = Failure::new(FaultKind::RuntimeError, message);
        self.report("vote_requested", failure, None);
    }

    fn vote_resolved<'a>(&'a mut self, template: &'a str, result: &'a str) -> LocalFuture<'a, ()> {
        if self.vm.callback("vote_resolved").is_none() {
            return Box::pin(std::future::ready(()));
        }
        let args =
            move |m: &mut Self| Ok((template, m.decode(result.as_bytes())?, m.state.clone()));
        let budget = self.settings.vote_budget_ms;
        Box::pin(self.change("vote_resolved", budget, args, None))
    }

    fn think(&mut self, bot: &PlayerId, view: &Bytes) -> Option<Bytes> {
        let thought = self
            .bots
            .get_mut()
            .as_mut()?
            .think(bot, view, &self.settings);
        thought
            .map_err(|fault| {
                if let Some(fault) = fault {
                    self.context.fault(fault);
                }
            })
            .ok()
    }

    fn bot_names(&self) -> Vec<String> {
        match self.bots.borrow_mut().as_mut() {
            Some(bots) => bots.names(&self.settings),
            None => crate::modes::DEFAULT_BOT_NAMES
                .iter()
                .map(|n| (*n).to_owned())
                .collect(),
        }
    }

    fn snapshot(&mut self, out: &mut Vec<u8>) -> Result<(), ScriptFault> {
        let limit = self.settings.snapshot_limit_bytes;
        let nameless = saved::write(&self.vm, &self.state, limit, out).map_err(|e| {
            let failure = Failure::new(FaultKind::RuntimeError, e.to_string());
            failure.into_fault("snapshot", self.vm.main(), None)
        })?;
        if nameless > 0 && !self.warned_nameless {
            self.warned_nameless = true;
            self.context.push(Effect::Log {
                level: LogLevel::Warn,
                message: format!(
                    "the state holds {nameless} functions or metatables that no global, module or \
                     local of the script leads to: after a restart the match would be without them"
                ),
                meta: None,
            });
        }
        Ok(())
    }

    fn drain_effects(&mut self) -> Vec<Effect> {
        self.context.drain()
    }
}
