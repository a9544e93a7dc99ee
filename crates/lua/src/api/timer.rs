//! `game.timer`: named timers. What a timer does is in the script's `on_timer(name, data, state)`,
//! because a function given away would not survive a restart.

use std::rc::Rc;

use asobi_game::logic::Effect;
use asobi_game::timers::{
    MAX_AFTER_MS, MAX_DATA_BYTES, MAX_NAME_BYTES, MAX_TIMERS, MIN_EVERY_MS, Timer, TimerKey,
};
use mlua::{Lua, MultiValue, Table, Value};
use serde_json::value::RawValue;

use super::{Answer, effect, error_table, text, to_json};
use crate::context::Context;

pub(super) fn table(lua: &Lua, context: &Rc<Context>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    starting(lua, &table, "after", context, 0)?;
    starting(lua, &table, "every", context, MIN_EVERY_MS)?;
    effect(lua, &table, "cancel", context, cancel)?;
    Ok(table)
}

/// Adds a function that starts a timer and answers its id.
fn starting(
    lua: &Lua,
    table: &Table,
    name: &'static str,
    context: &Rc<Context>,
    least: u64,
) -> mlua::Result<()> {
    let context = context.clone();
    let function = lua.create_function(move |lua, args: MultiValue| {
        if context.is_inert() {
            return Ok(Value::Boolean(false));
        }
        let args: Vec<Value> = args.into_iter().collect();
        match start(lua, &context, name, least, &args) {
            Ok(id) => Ok(Value::Integer(id as i64)),
            Err(message) => error_table(lua, &message),
        }
    })?;
    table.raw_set(name, function)
}

fn start(
    lua: &Lua,
    context: &Context,
    call: &str,
    least: u64,
    args: &[Value],
) -> Result<u64, String> {
    let (ms, name, data) = match args {
        [_, Value::Function(_), ..] => {
            return Err(format!(
                "timer.{call} takes a name, not a function, which would not survive a restart: \
                 on_timer(name, data, state) is called"
            ));
        }
        [ms, Value::String(name)] => (ms, name, None),
        [ms, Value::String(name), data] => (ms, name, Some(data)),
        _ => return Err(format!("timer.{call} requires (ms, name[, data])")),
    };
    let name = name.to_string_lossy();
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(format!("timer name must be 1-{MAX_NAME_BYTES} bytes"));
    }
    let due = milliseconds(ms, least).ok_or_else(|| {
        format!("timer.{call}: ms must be a number from {least} to {MAX_AFTER_MS}")
    })?;
    let data = match data {
        None | Some(Value::Nil) => None,
        Some(data) => {
            let json =
                to_json(lua, data, MAX_DATA_BYTES, true).map_err(|e| format!("timer data: {e}"))?;
            Some(RawValue::from_string(json).map_err(|e| format!("timer data: {e}"))?)
        }
    };
    let id = context
        .new_timer()
        .ok_or_else(|| format!("at most {MAX_TIMERS} timers at once"))?;
    context.push(Effect::StartTimer(Timer {
        id,
        name,
        due,
        every: (least > 0).then_some(due),
        data,
    }));
    Ok(id)
}

fn milliseconds(value: &Value, least: u64) -> Option<u64> {
    let ms = match value {
        Value::Integer(i) => *i as f64,
        Value::Number(n) => *n,
        _ => return None,
    };
    (least as f64..=MAX_AFTER_MS as f64)
        .contains(&ms)
        .then_some(ms.ceil() as u64)
}

fn cancel(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    const SHAPE: &str = "timer.cancel requires (id or name)";
    let [key] = args else {
        return Err(SHAPE.into());
    };
    let key = match key {
        Value::Integer(id) => TimerKey::Id(u64::try_from(*id).map_err(|_| SHAPE)?),
        // A state that went through JSON may hold it as a float.
        Value::Number(id) if *id >= 0.0 && id.fract() == 0.0 => TimerKey::Id(*id as u64),
        other => TimerKey::Name(text(other).ok_or(SHAPE)?),
    };
    context.push(Effect::CancelTimer(key));
    Ok(true)
}
