//! `game.notify` and `game.notify_many`.

use asobi_game::PlayerId;
use asobi_game::services::Request;
use bytes::Bytes;
use mlua::{Lua, Table, Value};

use super::{text, to_json};

/// Most addressees of one call.
const MOST: usize = 10_000;
/// Largest structured part, in bytes of its JSON text.
const CONTENT_BYTES: usize = 16 << 10;

pub(super) fn one(lua: &Lua, args: &[Value]) -> Result<Request, String> {
    const SHAPE: &str = "notify requires (player_id, type, subject[, data])";
    let (player, message) = args.split_first().ok_or(SHAPE)?;
    let to = vec![PlayerId::from(text(player).ok_or(SHAPE)?)];
    notify(lua, to, message, false, SHAPE)
}

pub(super) fn many(lua: &Lua, args: &[Value]) -> Result<Request, String> {
    const SHAPE: &str = "notify_many requires (player_ids, type, subject[, data])";
    let Some((Value::Table(players), message)) = args.split_first() else {
        return Err(SHAPE.into());
    };
    notify(lua, addressees(players)?, message, true, SHAPE)
}

/// The strings of a list; what else it holds is nobody.
fn addressees(players: &Table) -> Result<Vec<PlayerId>, String> {
    let length = players.raw_len();
    if length > MOST {
        return Err(format!("notify_many takes at most {MOST} players"));
    }
    let ids = (1..=length).filter_map(|i| text(&players.raw_get::<Value>(i).ok()?));
    Ok(ids.map(PlayerId::from).collect())
}

fn notify(
    lua: &Lua,
    to: Vec<PlayerId>,
    message: &[Value],
    many: bool,
    shape: &str,
) -> Result<Request, String> {
    let (kind, subject, data) = match message {
        [kind, subject] | [kind, subject, Value::Nil] => (kind, subject, None),
        [kind, subject, data] => (kind, subject, Some(data)),
        _ => return Err(shape.into()),
    };
    Ok(Request::Notify {
        to,
        kind: text(kind).ok_or(shape)?,
        subject: text(subject).ok_or(shape)?,
        content: content(lua, data)?,
        many,
    })
}

/// An object: a list or a scalar cannot become one.
fn content(lua: &Lua, data: Option<&Value>) -> Result<Bytes, String> {
    let json = match data {
        Some(data @ Value::Table(_)) => {
            to_json(lua, data, CONTENT_BYTES, true).map_err(|e| format!("data: {e}"))?
        }
        _ => "{}".into(),
    };
    let is_object = json.starts_with('{');
    Ok(Bytes::from(if is_object { json } else { "{}".into() }))
}
