//! `game.phase`: what a script says to its match's phases.

use std::rc::Rc;

use asobi_game::PlayerId;
use asobi_game::logic::Effect;
use asobi_game::phases::PhaseSignal;
use mlua::{Lua, MultiValue, Table, Value};

use super::{Answer, effect, text};
use crate::context::Context;

pub(super) fn table(lua: &Lua, context: &Rc<Context>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    effect(lua, &table, "event", context, event)?;
    effect(lua, &table, "ready", context, ready)?;
    effect(lua, &table, "all_ready", context, all_ready)?;
    effect(lua, &table, "skip", context, skip)?;
    let context = context.clone();
    let current = lua.create_function(move |lua, _: MultiValue| current(lua, &context))?;
    table.raw_set("current", current)?;
    Ok(table)
}

fn signal(context: &Context, signal: PhaseSignal) -> Answer {
    if !context.has_phases() {
        return Err("this match has no phases".into());
    }
    context.push(Effect::Phase(signal));
    Ok(true)
}

fn event(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    let [name] = args else {
        return Err("phase.event requires (name)".into());
    };
    let name = text(name).ok_or("phase.event requires (name)")?;
    signal(context, PhaseSignal::Event(name))
}

fn ready(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    const SHAPE: &str = "phase.ready requires (player_id[, ready])";
    let (player, ready) = match args {
        [player] | [player, Value::Nil] => (player, true),
        [player, Value::Boolean(ready)] => (player, *ready),
        _ => return Err(SHAPE.into()),
    };
    let player = PlayerId::from(text(player).ok_or(SHAPE)?);
    signal(context, PhaseSignal::Ready(player, ready))
}

fn all_ready(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    match args {
        [] => signal(context, PhaseSignal::AllReady),
        _ => Err("phase.all_ready requires ()".into()),
    }
}

fn skip(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    match args {
        [] => signal(context, PhaseSignal::Skip),
        _ => Err("phase.skip requires ()".into()),
    }
}

fn current(lua: &Lua, context: &Context) -> mlua::Result<Option<Table>> {
    context.phase(|phase, now| {
        let table = lua.create_table()?;
        table.raw_set("phase", phase.name.as_deref())?;
        table.raw_set("status", phase.status)?;
        let remaining = phase.ends_at.map(|at| at.saturating_sub(now));
        table.raw_set("remaining_ms", remaining)?;
        Ok(table)
    })
}
