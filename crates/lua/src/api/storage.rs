//! `game.storage`: the game's own objects and the players'.

use asobi_game::PlayerId;
use asobi_game::services::{Request, StorageKey, StorageRequest};
use bytes::Bytes;
use mlua::{Lua, Value};

use super::{text, to_json};

/// Largest value, in bytes of its JSON text. The server has a limit of its own; this one keeps
/// a script from encoding megabytes only to be told so.
const VALUE_BYTES: usize = 1 << 20;
/// Objects of one list without a limit of the caller's.
const LISTED: u64 = 100;

type Asked = Result<Request, String>;

pub(super) fn get(_: &Lua, args: &[Value]) -> Asked {
    global(args, "get requires (collection, key)", StorageRequest::Get)
}

pub(super) fn read(_: &Lua, args: &[Value]) -> Asked {
    global(
        args,
        "read requires (collection, key)",
        StorageRequest::Read,
    )
}

pub(super) fn set(lua: &Lua, args: &[Value]) -> Asked {
    const SHAPE: &str = "set requires (collection, key, value[, version])";
    let (place, written) = args.split_at_checked(2).ok_or(SHAPE)?;
    global(place, SHAPE, write(lua, written, SHAPE)?)
}

pub(super) fn delete(_: &Lua, args: &[Value]) -> Asked {
    const SHAPE: &str = "delete requires (collection, key[, version])";
    let (place, rest) = args.split_at_checked(2).ok_or(SHAPE)?;
    let version = optional_version(rest, SHAPE)?;
    global(place, SHAPE, StorageRequest::Delete { version })
}

pub(super) fn list(_: &Lua, args: &[Value]) -> Asked {
    const SHAPE: &str = "list requires (collection[, { limit =, after = }])";
    let (collection, options) = args.split_at_checked(1).ok_or(SHAPE)?;
    listed(None, &collection[0], options, SHAPE)
}

pub(super) fn player_get(_: &Lua, args: &[Value]) -> Asked {
    const SHAPE: &str = "player_get requires (player_id, collection, key)";
    players(args, SHAPE, StorageRequest::Get)
}

pub(super) fn player_read(_: &Lua, args: &[Value]) -> Asked {
    const SHAPE: &str = "player_read requires (player_id, collection, key)";
    players(args, SHAPE, StorageRequest::Read)
}

pub(super) fn player_set(lua: &Lua, args: &[Value]) -> Asked {
    const SHAPE: &str = "player_set requires (player_id, collection, key, value[, version])";
    let (place, written) = args.split_at_checked(3).ok_or(SHAPE)?;
    players(place, SHAPE, write(lua, written, SHAPE)?)
}

pub(super) fn player_delete(_: &Lua, args: &[Value]) -> Asked {
    const SHAPE: &str = "player_delete requires (player_id, collection, key[, version])";
    let (place, rest) = args.split_at_checked(3).ok_or(SHAPE)?;
    let version = optional_version(rest, SHAPE)?;
    players(place, SHAPE, StorageRequest::Delete { version })
}

pub(super) fn player_list(_: &Lua, args: &[Value]) -> Asked {
    const SHAPE: &str = "player_list requires (player_id, collection[, { limit =, after = }])";
    let (place, options) = args.split_at_checked(2).ok_or(SHAPE)?;
    let owner = PlayerId::from(text(&place[0]).ok_or(SHAPE)?);
    listed(Some(owner), &place[1], options, SHAPE)
}

fn global(args: &[Value], shape: &str, request: StorageRequest) -> Asked {
    let [collection, key] = args else {
        return Err(shape.into());
    };
    object(None, collection, key, shape, request)
}

fn players(args: &[Value], shape: &str, request: StorageRequest) -> Asked {
    let [player, collection, key] = args else {
        return Err(shape.into());
    };
    let owner = PlayerId::from(text(player).ok_or(shape)?);
    object(Some(owner), collection, key, shape, request)
}

fn object(
    owner: Option<PlayerId>,
    collection: &Value,
    key: &Value,
    shape: &str,
    request: StorageRequest,
) -> Asked {
    let key = StorageKey {
        owner,
        collection: text(collection).ok_or(shape)?,
        key: text(key).ok_or(shape)?,
    };
    Ok(Request::Storage(key, request))
}

/// A value and perhaps the version the object must have.
fn write(lua: &Lua, args: &[Value], shape: &str) -> Result<StorageRequest, String> {
    let (value, rest) = args.split_first().ok_or(shape)?;
    let json = to_json(lua, value, VALUE_BYTES, true).map_err(|e| format!("value: {e}"))?;
    Ok(StorageRequest::Set {
        value: Bytes::from(json),
        version: optional_version(rest, shape)?,
    })
}

fn optional_version(args: &[Value], shape: &str) -> Result<Option<i32>, String> {
    match args {
        [] | [Value::Nil] => Ok(None),
        [Value::Integer(version)] => Ok(Some(i32::try_from(*version).map_err(|_| shape)?)),
        [Value::Number(version)] if version.fract() == 0.0 && version.abs() < 1e9 => {
            Ok(Some(*version as i32))
        }
        _ => Err(shape.into()),
    }
}

fn listed(owner: Option<PlayerId>, collection: &Value, options: &[Value], shape: &str) -> Asked {
    let (limit, after) = match options {
        [] | [Value::Nil] => (None, None),
        [Value::Table(options)] => {
            let get = |name| options.raw_get::<Value>(name).unwrap_or(Value::Nil);
            (
                number(&get("limit"), shape)?,
                optional_text(&get("after"), shape)?,
            )
        }
        _ => return Err(shape.into()),
    };
    Ok(Request::StorageList {
        owner,
        collection: text(collection).ok_or(shape)?,
        limit: limit.unwrap_or(LISTED),
        after,
    })
}

fn number(value: &Value, shape: &str) -> Result<Option<u64>, String> {
    match value {
        Value::Nil => Ok(None),
        Value::Integer(number) => Ok(Some(u64::try_from(*number).map_err(|_| shape)?)),
        _ => Err(shape.into()),
    }
}

fn optional_text(value: &Value, shape: &str) -> Result<Option<String>, String> {
    match value {
        Value::Nil => Ok(None),
        value => text(value).map(Some).ok_or_else(|| shape.into()),
    }
}
