//! The `game` table a match script sees.
//!
//! A call with the wrong arguments answers `{ error = "..." }` naming the right ones, whatever
//! it answers otherwise. Namespaces that are not here (economy, ...) are `nil`, so a script can
//! ask whether they exist. What has to wait for the server is made by [`crate::waiting`].

mod notify;
mod phase;
mod storage;
mod timer;

use std::rc::Rc;

use asobi_game::PlayerId;
use asobi_game::bots::is_bot_name;
use asobi_game::logic::{Effect, LogLevel};
use asobi_wire::event::{EventNameError, RESERVED_EVENT_NAMES, check_event_name};
use bytes::Bytes;
use mlua::{Lua, MultiValue, Table, Value};

use crate::context::Context;
use crate::fault::clip;
use crate::json::{self, JsonError, Shape};
use crate::{spatial, waiting};

/// Characters of a log message.
const LOG_CHARS: usize = 500;
/// Bytes of a log line's structured part.
const META_BYTES: usize = 2048;
/// Bytes of a broadcast or a message to one player.
const MESSAGE_BYTES: usize = asobi_wire::MAX_BROADCAST_BYTES;

/// Gives the VM its `game`; `game.storage` only where there is one.
pub(crate) fn install(lua: &Lua, context: &Rc<Context>, storage: bool) -> mlua::Result<()> {
    let game = lua.create_table()?;
    game.raw_set(
        "id",
        lua.create_function(|_, _: MultiValue| Ok(uuid::Uuid::now_v7().to_string()))?,
    )?;
    effect(lua, &game, "log", context, log)?;
    effect(lua, &game, "broadcast", context, broadcast)?;
    effect(lua, &game, "send", context, send)?;
    let matches = lua.create_table()?;
    effect(lua, &matches, "set_joinable", context, set_joinable)?;
    game.raw_set("match", matches)?;
    let bots = lua.create_table()?;
    effect(lua, &bots, "add", context, add_bot)?;
    effect(lua, &bots, "remove", context, remove_bot)?;
    game.raw_set("bots", bots)?;
    game.raw_set("timer", timer::table(lua, context)?)?;
    game.raw_set("phase", phase::table(lua, context)?)?;
    game.raw_set("spatial", spatial::table(lua)?)?;
    let chat = lua.create_table()?;
    effect(lua, &chat, "send", context, say)?;
    game.raw_set("chat", chat)?;
    install_waiting(lua, &game, context, storage)?;
    lua.globals().raw_set("game", game)
}

fn install_waiting(
    lua: &Lua,
    game: &Table,
    context: &Rc<Context>,
    has_storage: bool,
) -> mlua::Result<()> {
    let waiting = waiting::install(lua)?;
    let add = |table: &Table, name, read| waiting::add(lua, &waiting, table, name, context, read);
    add(game, "notify", notify::one)?;
    add(game, "notify_many", notify::many)?;
    if !has_storage {
        return Ok(());
    }
    let storage = lua.create_table()?;
    add(&storage, "get", storage::get)?;
    add(&storage, "read", storage::read)?;
    add(&storage, "set", storage::set)?;
    add(&storage, "delete", storage::delete)?;
    add(&storage, "list", storage::list)?;
    add(&storage, "player_get", storage::player_get)?;
    add(&storage, "player_read", storage::player_read)?;
    add(&storage, "player_set", storage::player_set)?;
    add(&storage, "player_delete", storage::player_delete)?;
    add(&storage, "player_list", storage::player_list)?;
    game.raw_set("storage", storage)
}

/// What a call did: `Ok(what it answers)`, or what is wrong with its arguments.
type Answer = Result<bool, String>;

/// Adds a function with an effect. In an inert VM it does nothing and answers `false`.
fn effect(
    lua: &Lua,
    table: &Table,
    name: &str,
    context: &Rc<Context>,
    act: fn(&Lua, &Context, &[Value]) -> Answer,
) -> mlua::Result<()> {
    let context = context.clone();
    let function = lua.create_function(move |lua, args: MultiValue| {
        if context.is_inert() {
            return Ok(Value::Boolean(false));
        }
        let args: Vec<Value> = args.into_iter().collect();
        match act(lua, &context, &args) {
            Ok(answer) => Ok(Value::Boolean(answer)),
            Err(message) => error_table(lua, &message),
        }
    })?;
    table.raw_set(name, function)
}

/// `{ error = message }`.
pub(crate) fn error_table(lua: &Lua, message: &str) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    table.raw_set("error", message)?;
    Ok(Value::Table(table))
}

/// A string argument as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.to_string_lossy()),
        _ => None,
    }
}

// --- game.log -----------------------------------------------------------------------------

fn log(lua: &Lua, context: &Context, args: &[Value]) -> Answer {
    let (level, message, meta) = match args {
        [level, message] | [level, message, Value::Nil] => (level, message, None),
        [level, message, meta @ Value::Table(_)] => (level, message, Some(meta)),
        _ => return Err("log requires (level, message[, meta_table])".into()),
    };
    let level = match text(level).as_deref() {
        Some("debug") => LogLevel::Debug,
        Some("info") => LogLevel::Info,
        Some("warn" | "warning") => LogLevel::Warn,
        Some("error") => LogLevel::Error,
        Some(_) => return Err("log level must be debug|info|warn|warning|error".into()),
        None => return Err("log requires (level, message[, meta_table])".into()),
    };
    Ok(context.log(
        level,
        log_message(lua, message),
        meta.map(|meta| log_meta(lua, meta)),
    ))
}

fn log_message(lua: &Lua, message: &Value) -> String {
    let rendered = text(message).unwrap_or_else(|| {
        to_json(lua, message, 16 << 10, true)
            .unwrap_or_else(|_| format!("({})", message.type_name()))
    });
    // Control characters would let a script write whole lines of its own into a plain log.
    let safe: String = rendered
        .chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect();
    clip(&safe, LOG_CHARS)
}

fn log_meta(lua: &Lua, meta: &Value) -> String {
    match to_json(lua, meta, META_BYTES, true) {
        Ok(json) => json,
        Err(JsonError::TooLarge(_)) => r#"{"_truncated":true}"#.into(),
        Err(JsonError::Lua(_)) => r#"{"_unencodable":true}"#.into(),
    }
}

fn to_json(
    lua: &Lua,
    value: &Value,
    limit: usize,
    empty_object: bool,
) -> Result<String, JsonError> {
    let mut out = Vec::new();
    json::encode(
        lua,
        value,
        Shape {
            limit,
            empty_object,
        },
        &mut out,
    )?;
    Ok(String::from_utf8(out).expect("the encoder writes UTF-8"))
}

// --- messages -----------------------------------------------------------------------------

fn broadcast(lua: &Lua, context: &Context, args: &[Value]) -> Answer {
    let (event, payload) = match args {
        [event] => (event, &Value::Nil),
        [event, payload] => (event, payload),
        _ => return Err("broadcast requires (event, payload)".into()),
    };
    let event = text(event).ok_or("broadcast requires (event, payload)")?;
    check_event_name(&event).map_err(|error| match error {
        EventNameError::Reserved => {
            let reserved = RESERVED_EVENT_NAMES.join(", ");
            format!("broadcast event name \"{event}\" is reserved by asobi ({reserved})")
        }
        EventNameError::Length | EventNameError::Character => {
            "broadcast event name must be 1-64 chars of [A-Za-z0-9_-]".into()
        }
    })?;
    // A payload is an object: a list or a scalar cannot become one.
    let payload = match payload {
        Value::Table(_) => to_json(lua, payload, MESSAGE_BYTES, false)
            .map_err(|e| format!("broadcast payload: {e}"))
            .map(|json| {
                if json.starts_with('{') {
                    json
                } else {
                    "{}".into()
                }
            })?,
        _ => "{}".into(),
    };
    context.push(Effect::Broadcast {
        event,
        payload: Bytes::from(payload),
    });
    Ok(true)
}

fn send(lua: &Lua, context: &Context, args: &[Value]) -> Answer {
    let [to, message] = args else {
        return Err("send requires (player_id, message)".into());
    };
    let to = text(to).ok_or("send requires (player_id, message)")?;
    let message =
        to_json(lua, message, MESSAGE_BYTES, true).map_err(|e| format!("send message: {e}"))?;
    context.push(Effect::Send {
        to: PlayerId::from(to),
        message: Bytes::from(message),
    });
    Ok(true)
}

fn say(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    const SHAPE: &str = "chat.send requires (channel_id, sender_id, content)";
    let [channel, sender, content] = args else {
        return Err(SHAPE.into());
    };
    context.push(Effect::Chat {
        channel: text(channel).ok_or(SHAPE)?,
        sender: text(sender).ok_or(SHAPE)?,
        content: text(content).ok_or(SHAPE)?,
    });
    Ok(true)
}

// --- game.match, game.bots ----------------------------------------------------------------

fn set_joinable(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    let [Value::Boolean(open)] = args else {
        return Err("match.set_joinable requires (boolean)".into());
    };
    context.push(Effect::SetJoinable(*open));
    Ok(true)
}

fn add_bot(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    let [name] = args else {
        return Err("bots.add requires (name)".into());
    };
    let name = text(name).ok_or("bots.add requires (name)")?;
    if !is_bot_name(&name) {
        return Err("bot name must be 1-32 chars of [A-Za-z0-9_-]".into());
    }
    context.push(Effect::AddBot(name));
    Ok(true)
}

fn remove_bot(_: &Lua, context: &Context, args: &[Value]) -> Answer {
    let [id] = args else {
        return Err("bots.remove requires (bot_id)".into());
    };
    let id = text(id).ok_or("bots.remove requires (bot_id)")?;
    context.push(Effect::RemoveBot(id));
    Ok(true)
}
