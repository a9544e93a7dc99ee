//! What `vote_requested` returned, and a script's `vote_templates`, as the objects that
//! `asobi_game::votes::request` reads votes from.

use asobi_game::logic::FaultKind;
use asobi_game::votes::{VoteAsk, VoteRequest};
use mlua::{Lua, Table, Value};

use crate::fault::Failure;
use crate::globals::{Declared, describe};
use crate::json::{self, Shape};

/// Most bytes of one request as JSON: weights for a thousand players fit.
const LIMIT: usize = 256 << 10;

/// The global with the script's templates.
const TEMPLATES: &str = "vote_templates";

/// The vote a script asks for, laid over its own template of that name. An empty table asks for
/// none.
pub(crate) fn read(lua: &Lua, asked: &Table) -> Result<Option<VoteAsk>, Failure> {
    if asked.is_empty() {
        return Ok(None);
    }
    let ask = object(lua, asked)?;
    let name = asked.raw_get("template").unwrap_or(Value::Nil);
    let Some(template) = template(lua, name) else {
        return Ok(Some(ask));
    };
    let mut whole = object(lua, &template)?;
    whole.extend(ask);
    Ok(Some(whole))
}

fn template(lua: &Lua, name: Value) -> Option<Table> {
    let Ok(Value::Table(templates)) = lua.globals().raw_get(TEMPLATES) else {
        return None;
    };
    let name = match name {
        Value::Nil => return templates.raw_get("default").ok(),
        name => name,
    };
    templates.raw_get(name).ok()
}

fn object(lua: &Lua, table: &Table) -> Result<VoteAsk, Failure> {
    let failure = |text: String| Failure::new(FaultKind::RuntimeError, text);
    let shape = Shape {
        limit: LIMIT,
        empty_object: false,
    };
    let mut text = Vec::new();
    json::encode(lua, table, shape, &mut text).map_err(|e| failure(format!("a vote: {e}")))?;
    serde_json::from_slice(&text)
        .map_err(|_| failure("a vote is a table with names, such as { options = ... }".into()))
}

/// Warns of what is wrong with a script's templates.
pub(crate) fn check_templates(lua: &Lua, declared: &mut Declared<'_>) {
    let templates = match declared.get(TEMPLATES) {
        Value::Nil => return,
        Value::Table(templates) => templates,
        other => return declared.warn(TEMPLATES, &other, "a table of templates by name"),
    };
    for (name, template) in templates.pairs::<Value, Value>().flatten() {
        let place = format!("{TEMPLATES}[{}]", describe(&name));
        let Value::Table(table) = &template else {
            declared.warn(&place, &template, "a table");
            continue;
        };
        let complaints = match object(lua, table) {
            Ok(template) => VoteRequest::complaints_about(&template),
            Err(failure) => vec![failure.text],
        };
        for complaint in complaints {
            declared.say(format!("{place}: {complaint}"));
        }
    }
}
