//! How much CPU a callback may use, and how it is stopped.
//!
//! A count hook fires every [`HOOK_EVERY`] VM instructions and asks the thread's meter whether
//! the callback has used up its budget. The meter compares the wall clock first (a vDSO read)
//! and asks for the thread's CPU time (a system call) only once the wall clock says the budget
//! could be gone, because CPU time never runs ahead of it. A callback of fewer than
//! `HOOK_EVERY` instructions reads no clock at all.
//!
//! Once the budget is gone every instruction of every frame raises, so no `pcall` loop outlives
//! it: the hook's period drops to one on each Lua thread it fires on.
//!
//! # Why unsafe
//!
//! mlua's own hooks clone an `Rc`, build a `Debug` value and route errors through a userdata;
//! this hook is called several hundred thousand times a second. Measured on a loop over small
//! tables (2 million iterations): no hook 79 ms, empty raw hook every 1000 instructions 161 ms
//! (that part is the interpreter's own, for having a hook at all), this hook every 128
//! instructions 166 ms, and with the CPU clock read every time 295 ms.
//!
//! The hook also has to do what the API cannot. Lua switches hooks off while one runs and
//! switches them on again when the error it raised has been *caught*. Whatever runs before that
//! runs unwatched: an `xpcall` handler, or the `__close` of a coroutine the error killed, could
//! loop for ever. So the hook sets `lua_State::allowhook` back itself before it raises. That
//! byte's place is a property of the vendored Lua 5.4; [`install`] checks it against a live hook
//! and refuses to go on if it is not where it should be.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::time::{Duration, Instant};

use mlua::{Lua, ffi};

/// VM instructions between two looks at the clock: about a microsecond of plain Lua.
const HOOK_EVERY: i32 = 128;

/// Where `lua_State` keeps `allowhook`: after the collector's header (a pointer and two bytes)
/// and the status byte.
const ALLOWHOOK: usize = size_of::<*const ()>() + 3;

/// Bytes of a chunk's short name in `lua_Debug`.
const NAME_BYTES: usize = 60;

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The chunk's name as Lua shows it.
    pub(crate) script: String,
    /// The line.
    pub(crate) line: u32,
}

struct Meter {
    /// Zero while no callback runs.
    budget: Cell<Duration>,
    started: Cell<Option<Started>>,
    exceeded: Cell<bool>,
    /// Where the budget ran out.
    place: RefCell<Option<Place>>,
    /// Where a C function last asked for much memory.
    hungry: RefCell<Option<Place>>,
}

#[derive(Clone, Copy)]
struct Started {
    cpu: Duration,
    /// The CPU clock cannot say "used up" before the wall clock reads this.
    not_before: Instant,
}

thread_local! {
    static METER: Meter = const {
        Meter {
            budget: Cell::new(Duration::ZERO),
            started: Cell::new(None),
            exceeded: Cell::new(false),
            place: RefCell::new(None),
            hungry: RefCell::new(None),
        }
    };
}

/// Whether the running callback may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No callback is running on this thread.
    Idle,
    /// There is budget left.
    Within,
    /// The budget is gone: raise.
    Exceeded,
}

pub(crate) fn thread_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

impl Meter {
    fn check(&self) -> Verdict {
        let budget = self.budget.get();
        if budget.is_zero() {
            return Verdict::Idle;
        }
        if self.exceeded.get() {
            return Verdict::Exceeded;
        }
        let now = Instant::now();
        let Some(started) = self.started.get() else {
            let cpu = thread_cpu();
            self.started.set(Some(Started {
                cpu,
                not_before: now + budget,
            }));
            return Verdict::Within;
        };
        if now < started.not_before {
            return Verdict::Within;
        }
        let used = thread_cpu().saturating_sub(started.cpu);
        if used >= budget {
            self.exceeded.set(true);
            return Verdict::Exceeded;
        }
        self.started.set(Some(Started {
            not_before: now + (budget - used),
            ..started
        }));
        Verdict::Within
    }
}

/// Asks the meter. For C functions that work for long without running Lua code.
pub(crate) fn check() -> Verdict {
    METER.with(Meter::check)
}

/// CPU time the callback that runs has used. One too short to be looked at counts as nothing.
pub(crate) fn used() -> Duration {
    METER.with(|m| {
        let started = m.started.get();
        started.map_or(Duration::ZERO, |started| {
            thread_cpu().saturating_sub(started.cpu)
        })
    })
}

/// What a metered run ended with.
pub(crate) struct Metered<T> {
    /// What the callback returned.
    pub(crate) result: mlua::Result<T>,
    /// Set when the budget ran out, with the place if it is known.
    pub(crate) overrun: Option<Option<Place>>,
    /// Where memory was last asked for in bulk, for a run that ended for want of it.
    pub(crate) hungry: Option<Place>,
}

/// Runs `f`, the only callback of this thread while it runs, under a budget of CPU time.
pub(crate) fn run<T>(
    lua: &Lua,
    budget: Duration,
    f: impl FnOnce() -> mlua::Result<T>,
) -> Metered<T> {
    METER.with(|m| {
        m.budget.set(budget.max(Duration::from_nanos(1)));
        m.started.set(None);
        m.exceeded.set(false);
        m.place.replace(None);
        m.hungry.replace(None);
    });
    let result = f();
    METER.with(|m| {
        m.budget.set(Duration::ZERO);
        let overrun = m.exceeded.get().then(|| m.place.take());
        if overrun.is_some() {
            set_hook(lua);
        }
        Metered {
            result,
            overrun,
            hungry: m.hungry.take(),
        }
    })
}

/// Runs `f` once more to find out which line it was on when it ended: Lua says where an error
/// was raised, but not where memory was short. Half as fast as [`run`], under the same budget.
pub(crate) fn trace<T>(
    lua: &Lua,
    budget: Duration,
    f: impl FnOnce() -> mlua::Result<T>,
) -> Option<Place> {
    LAST_LINE.set(None);
    TRACING.set(true);
    hook_with(lua, ffi::LUA_MASKCOUNT | ffi::LUA_MASKLINE);
    let _ = run(lua, budget, f);
    set_hook(lua);
    TRACING.set(false);
    let (name, line) = LAST_LINE.take()?;
    let script = CStr::from_bytes_until_nul(&name).ok()?;
    Some(Place {
        script: script.to_string_lossy().into_owned(),
        line,
    })
}

thread_local! {
    static TRACING: Cell<bool> = const { Cell::new(false) };
    /// A chunk's short name, as `lua_Debug` holds it, and a line.
    static LAST_LINE: Cell<Option<([u8; NAME_BYTES], u32)>> = const { Cell::new(None) };
}

unsafe fn on_line(l: *mut ffi::lua_State, ar: *mut ffi::lua_Debug) {
    unsafe {
        if !TRACING.get() {
            // A coroutine made while tracing.
            ffi::lua_sethook(l, Some(on_hook), ffi::LUA_MASKCOUNT, HOOK_EVERY);
            return;
        }
        ffi::lua_getinfo(l, c"S".as_ptr(), ar);
        let name = (*ar).short_src.map(|c| c as u8);
        LAST_LINE.set(Some((name, (*ar).currentline.max(0) as u32)));
    }
}

/// Puts the hook on a VM. Coroutines inherit it from the thread that creates them.
pub(crate) fn install(lua: &Lua) {
    check_layout(lua);
    set_hook(lua);
}

fn set_hook(lua: &Lua) {
    hook_with(lua, ffi::LUA_MASKCOUNT);
}

fn hook_with(lua: &Lua, mask: i32) {
    // SAFETY: `lua_sethook` neither raises nor touches the stack.
    let done: mlua::Result<()> =
        unsafe { lua.exec_raw((), |l| ffi::lua_sethook(l, Some(on_hook), mask, HOOK_EVERY)) };
    done.expect("setting a hook does not fail");
}

unsafe extern "C-unwind" fn on_hook(l: *mut ffi::lua_State, ar: *mut ffi::lua_Debug) {
    if unsafe { (*ar).event } == ffi::LUA_HOOKLINE {
        return unsafe { on_line(l, ar) };
    }
    match check() {
        Verdict::Exceeded => unsafe {
            // Everything that runs from here on is to be watched, see the module's text.
            l.cast::<u8>().add(ALLOWHOOK).write(1);
            raise(l, 0)
        },
        Verdict::Idle | Verdict::Within => unsafe {
            // A coroutine that lived through an earlier overrun still has the short period.
            if ffi::lua_gethookcount(l) != HOOK_EVERY {
                ffi::lua_sethook(l, Some(on_hook), ffi::LUA_MASKCOUNT, HOOK_EVERY);
            }
        },
    }
}

/// Raises the error of an exceeded budget from a C function at stack level `level`: 0 in a
/// hook, 1 in a C function called from Lua.
///
/// # Safety
/// `l` is a running Lua thread and no frame between here and Lua owns anything.
pub(crate) unsafe fn raise(l: *mut ffi::lua_State, level: i32) -> ! {
    unsafe {
        METER.with(|m| {
            if let Ok(mut place) = m.place.try_borrow_mut()
                && place.is_none()
            {
                *place = current_place(l, level);
            }
        });
        ffi::lua_sethook(l, Some(on_hook), ffi::LUA_MASKCOUNT, 1);
        ffi::luaL_where(l, level);
        ffi::lua_pushliteral(l, c"CPU budget used up");
        ffi::lua_concat(l, 2);
        ffi::lua_error(l)
    }
}

/// The innermost Lua function at or above `level`, and its line.
///
/// # Safety
/// `l` is a running Lua thread.
pub(crate) unsafe fn current_place(l: *mut ffi::lua_State, level: i32) -> Option<Place> {
    for level in level..level + 16 {
        let mut ar: ffi::lua_Debug = unsafe { std::mem::zeroed() };
        if unsafe { ffi::lua_getstack(l, level, &mut ar) } == 0 {
            return None;
        }
        unsafe { ffi::lua_getinfo(l, c"Sl".as_ptr(), &mut ar) };
        if ar.currentline > 0 {
            let script = unsafe { CStr::from_ptr(ar.short_src.as_ptr()) };
            return Some(Place {
                script: script.to_string_lossy().into_owned(),
                line: ar.currentline as u32,
            });
        }
    }
    None
}

/// Lets one hook look at itself: `allowhook` reads 1 outside a hook and 0 inside.
fn check_layout(lua: &Lua) {
    thread_local! { static SEEN: Cell<u8> = const { Cell::new(u8::MAX) }; }
    unsafe extern "C-unwind" fn look(l: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
        SEEN.set(unsafe { l.cast::<u8>().add(ALLOWHOOK).read() });
        unsafe { ffi::lua_sethook(l, None, 0, 0) };
    }
    let mut outside = u8::MAX;
    let seen = &mut outside;
    // SAFETY: reads one byte well inside the live `lua_State`; the chunk below raises nothing.
    let done: mlua::Result<()> = unsafe {
        lua.exec_raw((), |l| {
            *seen = l.cast::<u8>().add(ALLOWHOOK).read();
            ffi::lua_sethook(l, Some(look), ffi::LUA_MASKCOUNT, 1);
            let code = c"local a = 1";
            ffi::luaL_loadbufferx(
                l,
                code.as_ptr(),
                code.count_bytes(),
                c"=layout".as_ptr(),
                c"t".as_ptr(),
            );
            ffi::lua_call(l, 0, 0);
        })
    };
    assert!(
        done.is_ok() && outside == 1 && SEEN.get() == 0,
        "this Lua keeps `allowhook` elsewhere: budgets could not be enforced"
    );
}

/// Remembers where a C function is about to ask for much memory: when that fails, Lua says only
/// that it did.
///
/// # Safety
/// `l` is a running Lua thread.
pub(crate) unsafe fn note_place(l: *mut ffi::lua_State, level: i32) {
    METER.with(|m| {
        if let Ok(mut hungry) = m.hungry.try_borrow_mut() {
            *hungry = unsafe { current_place(l, level) };
        }
    });
}
