//! Callbacks that wait.
//!
//! A callback that may wait runs as a coroutine. `game.storage.get` and its like leave a
//! [`Request`] with the match and yield; the match asks the server, holding up nobody else, and
//! resumes the callback with the answer. To a script the call looks as if it blocked.
//!
//! A script's own coroutines may ask as well: `coroutine.resume` and `wrap` pass such a yield on
//! to whoever resumed them, up to the match.
//!
//! The CPU budget of a callback covers all its parts together and the reading of what it is
//! answered, and none of the waiting.
//!
//! # Why unsafe
//!
//! mlua's own `Thread::resume` clears the stack of a coroutine that failed outside of any
//! protected call. Variables the script marked `<close>` are closed then, and one whose `__close`
//! fails, or is stopped by its budget, ends the process. [`resume`] closes them under protection,
//! as `coroutine.wrap` does. It costs what mlua's costs.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asobi_game::logic::FaultKind;
use asobi_game::services::{Answer, Request, Services};
use mlua::{Function, IntoLuaMulti, LightUserData, Lua, MultiValue, Table, Thread, Value, ffi};

use crate::api::error_table;
use crate::budget;
use crate::context::Context;
use crate::decode::decode;
use crate::fault::Failure;
use crate::sandbox::Vm;

/// Requests of one callback. A loop that asks for ever uses hardly any CPU.
const MOST_REQUESTS: usize = 100;
/// Answers to one callback, in bytes of JSON: they are kept for a second run, outside of the
/// memory its VM may use.
const MOST_BYTES: usize = 16 << 20;
/// How long the requests of one callback may take together.
const LONGEST: Duration = Duration::from_secs(5);

/// What a coroutine yields that waits for the server. Scripts have no way to make such a value.
static MARK: u8 = 0;

/// The parts that have to be Lua: only Lua functions can yield and go on.
const SCRIPT: &str = r"
local yield, resume, create, status, close, isyieldable, mark = ...

local function relay(co, ok, ...)
  if ok and (...) == mark then
    return relay(co, resume(co, yield(mark)))
  end
  return ok, ...
end

-- As Lua's own wrap: what a coroutine that failed has open is closed, and may fail too.
local function passed(co, ok, ...)
  if ok then return ... end
  if status(co) == 'dead' then
    local closed, message = close(co)
    if not closed then error(message, 0) end
  end
  error((...), 0)
end

local function resume_relayed(co, ...) return relay(co, resume(co, ...)) end

local function wrap(f)
  local co = create(f)
  return function(...) return passed(co, relay(co, resume(co, ...))) end
end

local function waiting(ask)
  return function(...)
    local refused = ask(isyieldable(), ...)
    if refused then return refused end
    return yield(mark)
  end
end

return resume_relayed, wrap, waiting
";

/// Makes the VM's coroutines pass waiting on. Answers the function that makes waiting functions.
pub(crate) fn install(lua: &Lua) -> mlua::Result<Function> {
    let coroutine: Table = lua.globals().raw_get("coroutine")?;
    let parts = (
        coroutine.raw_get::<Value>("yield")?,
        coroutine.raw_get::<Value>("resume")?,
        coroutine.raw_get::<Value>("create")?,
        coroutine.raw_get::<Value>("status")?,
        coroutine.raw_get::<Value>("close")?,
        coroutine.raw_get::<Value>("isyieldable")?,
        Value::LightUserData(LightUserData((&raw const MARK).cast_mut().cast::<c_void>())),
    );
    let script = lua.load(SCRIPT).set_name("=coroutine");
    let (resume, wrap, waiting): (Function, Function, Function) = script.call(parts)?;
    coroutine.raw_set("resume", resume)?;
    coroutine.raw_set("wrap", wrap)?;
    Ok(waiting)
}

/// Adds function `name` to `table`: it asks what `read` makes of its arguments, and waits.
/// Arguments that are wrong, and callbacks that cannot wait, get `{ error = ... }`.
pub(crate) fn add(
    lua: &Lua,
    waiting: &Function,
    table: &Table,
    name: &'static str,
    context: &Rc<Context>,
    read: fn(&Lua, &[Value]) -> Result<Request, String>,
) -> mlua::Result<()> {
    let context = context.clone();
    let ask = lua.create_function(move |lua, (may_yield, args): (bool, MultiValue)| {
        let args: Vec<Value> = args.into_iter().collect();
        match read(lua, &args) {
            Err(message) => error_table(lua, &message),
            Ok(_) if !may_yield || !context.may_wait() => {
                let text = format!(
                    "{name} cannot wait here: call it in init, join, leave, handle_input, tick \
                     or vote_resolved, and not in a sort or a pattern's callback"
                );
                error_table(lua, &text)
            }
            Ok(request) => {
                context.ask(request);
                Ok(Value::Nil)
            }
        }
    })?;
    table.raw_set(name, waiting.call::<Function>(ask)?)
}

/// Who answers what the callbacks of one match ask.
pub(crate) struct Asking {
    services: Arc<dyn Services>,
    /// What the callback that runs was answered so far.
    given: Vec<Answer>,
    /// How long that took.
    waited: Duration,
    /// Answers from the first time, while a callback is run again.
    again: Option<std::vec::IntoIter<Answer>>,
}

impl Asking {
    pub(crate) fn new(services: Arc<dyn Services>) -> Self {
        Self {
            services,
            given: Vec::new(),
            waited: Duration::ZERO,
            again: None,
        }
    }

    /// Takes what the last callback was answered.
    pub(crate) fn take_given(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.given)
    }

    /// The next callback gets the answers of its first run: nothing is written twice.
    pub(crate) fn answer_again(&mut self, answers: Vec<Answer>) {
        self.again = Some(answers.into_iter());
    }

    /// The next callback asks for itself.
    pub(crate) fn answer_anew(&mut self) {
        self.again = None;
    }

    fn begin(&mut self) {
        self.given.clear();
        self.waited = Duration::ZERO;
    }

    /// Why a callback has asked enough.
    fn exhausted(&self) -> Option<Failure> {
        let text = if self.given.len() >= MOST_REQUESTS {
            format!("asks the server more than {MOST_REQUESTS} times in one call")
        } else if bytes(&self.given) >= MOST_BYTES {
            format!("was answered more than {} MB in one call", MOST_BYTES >> 20)
        } else if self.waited >= LONGEST {
            format!("waited for the server for {} s", LONGEST.as_secs())
        } else {
            return None;
        };
        Some(Failure::new(FaultKind::RuntimeError, text))
    }

    async fn answer(&mut self, request: Request) -> Answer {
        let answer = match &mut self.again {
            Some(again) => again
                .next()
                .unwrap_or_else(|| Err("not asked before".into())),
            None => {
                let since = Instant::now();
                let answer = self.services.ask(request).await;
                self.waited += since.elapsed();
                answer
            }
        };
        self.given.push(answer.clone());
        answer
    }
}

/// How much memory answers take.
pub(crate) fn bytes(answers: &[Answer]) -> usize {
    let sizes = answers.iter().map(|answer| match answer {
        Ok(json) => json.len(),
        Err(reason) => reason.len(),
    });
    sizes.sum()
}

impl Vm {
    /// Calls the script's global function `name`, which may wait.
    pub(crate) async fn call_waiting(
        &self,
        name: &str,
        budget: Duration,
        args: impl IntoLuaMulti,
        context: &Context,
        asking: &mut Asking,
    ) -> Result<MultiValue, Failure> {
        let function = self.defined(name)?;
        let mut alone = || {};
        self.call_function(function, budget, args, context, asking, &mut alone)
            .await
    }

    /// Calls a function that may wait. `before_waiting` is called whenever it does: others may
    /// run in this VM until it goes on.
    pub(crate) async fn call_function(
        &self,
        function: Function,
        budget: Duration,
        args: impl IntoLuaMulti,
        context: &Context,
        asking: &mut Asking,
        before_waiting: &mut dyn FnMut(),
    ) -> Result<MultiValue, Failure> {
        asking.begin();
        // What an earlier callback was about to ask when it failed.
        context.take_request();
        let thread = self.thread(function)?;
        let (mut values, mut left) =
            context.waiting(|| self.part(&thread, budget, budget, args))?;
        while thread.is_resumable() {
            let Some(request) = context.take_request() else {
                return Err(stray_yield());
            };
            if let Some(failure) = asking.exhausted() {
                return Err(failure);
            }
            before_waiting();
            let answer = asking.answer(request).await;
            let since = budget::thread_cpu();
            let answer = self.answer_table(answer)?;
            left = left.saturating_sub(budget::thread_cpu().saturating_sub(since));
            if left.is_zero() {
                return Err(Failure::timeout(budget, None));
            }
            (values, left) = context.waiting(|| self.part(&thread, budget, left, answer))?;
        }
        self.keep_thread(thread);
        Ok(values)
    }

    /// Runs a callback from where it is to where it ends or waits. Answers what is left of its
    /// budget.
    fn part(
        &self,
        thread: &Thread,
        whole: Duration,
        left: Duration,
        args: impl IntoLuaMulti,
    ) -> Result<(MultiValue, Duration), Failure> {
        let mut used = Duration::ZERO;
        let run = || {
            let values = resume(self.lua(), thread, args)?;
            if thread.is_resumable() {
                used = budget::used();
            }
            Ok(values)
        };
        let values = self.run(left, run).map_err(|failure| match failure.kind {
            // A script is told the budget it had, not what was left of it.
            FaultKind::Timeout => Failure::timeout(whole, failure.place),
            _ => failure,
        })?;
        Ok((values, left.saturating_sub(used)))
    }

    /// `{ ok = value }` or `{ error = reason }`.
    fn answer_table(&self, answer: Answer) -> Result<Value, Failure> {
        let make = || -> mlua::Result<Value> {
            let json = match answer {
                Ok(json) => json,
                Err(reason) => return error_table(self.lua(), &reason),
            };
            let value = match decode(self.lua(), &json, &mut Vec::new()) {
                Ok(value) => value,
                Err(error) => return error_table(self.lua(), &error.to_string()),
            };
            let table = self.lua().create_table()?;
            table.raw_set("ok", value)?;
            Ok(Value::Table(table))
        };
        make().map_err(|error| Failure::from_error(&error))
    }
}

/// Runs a coroutine to where it yields or ends.
fn resume(lua: &Lua, thread: &Thread, args: impl IntoLuaMulti) -> mlua::Result<MultiValue> {
    let mut out_of_memory = false;
    let failed = &mut out_of_memory;
    let mut values = args.into_lua_multi(lua)?;
    values.push_front(Value::Thread(thread.clone()));
    // SAFETY: the stack holds the thread and what it is given; each move checks for room first.
    // What raises does so inside the protected call this runs in, and nothing here owns anything.
    let result = unsafe {
        lua.exec_raw::<MultiValue>(values, |l| {
            let (thread, given) = (ffi::lua_tothread(l, 1), ffi::lua_gettop(l) - 1);
            if ffi::lua_checkstack(thread, given) == 0 {
                ffi::luaL_error(l, c"stack overflow".as_ptr());
            }
            ffi::lua_xmove(l, thread, given);
            let mut returned = 0;
            match ffi::lua_resume(thread, l, given, &raw mut returned) {
                ffi::LUA_OK | ffi::LUA_YIELD => {
                    ffi::luaL_checkstack(l, returned, std::ptr::null());
                    ffi::lua_xmove(thread, l, returned);
                    ffi::lua_remove(l, 1);
                }
                status => {
                    *failed = status == ffi::LUA_ERRMEM;
                    raise_of(l, thread);
                }
            }
        })
    };
    match result {
        Err(_) if out_of_memory => Err(mlua::Error::MemoryError("not enough memory".into())),
        result => result,
    }
}

/// Raises the error a coroutine ended with, with the place it happened at, after closing what
/// the coroutine had open.
///
/// # Safety
/// `l` runs in a protected call, and `thread` ended with an error that is on top of its stack.
unsafe fn raise_of(l: *mut ffi::lua_State, thread: *mut ffi::lua_State) -> ! {
    unsafe {
        if ffi::lua_checkstack(thread, 1) != 0 {
            // The coroutine keeps its own: what it has open is closed with it.
            ffi::lua_pushvalue(thread, -1);
            ffi::lua_xmove(thread, l, 1);
        } else {
            ffi::lua_pushliteral(l, c"stack overflow");
        }
        // An error of ours is a userdata, which mlua reads and which knows its place.
        if ffi::lua_type(l, -1) != ffi::LUA_TUSERDATA {
            ffi::luaL_tolstring(l, -1, std::ptr::null_mut());
            ffi::luaL_traceback(l, thread, ffi::lua_tostring(l, -1), 0);
        }
        ffi::lua_closethread(thread, l);
        ffi::lua_error(l)
    }
}

fn stray_yield() -> Failure {
    let text = "yields, but nobody resumes it: coroutine.yield is for coroutines";
    Failure::new(FaultKind::RuntimeError, text)
}
