//! What `vote_requested` returned, as a vote.

use asobi_game::logic::{VoteOption, VoteRequest};
use mlua::{Table, Value};

/// Reads a vote request. What is missing or of the wrong type takes its default; whether the
/// method exists and the options suffice is for the match to say.
pub(crate) fn parse(table: &Table) -> VoteRequest {
    let default = VoteRequest::default();
    VoteRequest {
        template: string(table, "template").unwrap_or(default.template),
        vote_id: string(table, "vote_id"),
        options: options(table),
        method: string(table, "method").unwrap_or(default.method),
        window_ms: number(table, "window_ms").unwrap_or(default.window_ms),
        visibility: string(table, "visibility").unwrap_or(default.visibility),
        tie_breaker: string(table, "tie_breaker").unwrap_or(default.tie_breaker),
        max_revotes: number(table, "max_revotes")
            .map_or(default.max_revotes, |n| n.min(u32::MAX.into()) as u32),
    }
}

fn string(table: &Table, key: &str) -> Option<String> {
    text(table.raw_get(key).ok()?)
}

/// A string, or a number as text: options are often numbered.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.to_string_lossy()),
        Value::Integer(i) => Some(i.to_string()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

fn number(table: &Table, key: &str) -> Option<u64> {
    match table.raw_get(key).ok()? {
        Value::Integer(i) => u64::try_from(i).ok(),
        Value::Number(n) if n >= 0.0 => Some(n as u64),
        _ => None,
    }
}

/// A list of `{ id, label }` or of plain ids.
fn options(table: &Table) -> Vec<VoteOption> {
    let Ok(Value::Table(list)) = table.raw_get("options") else {
        return Vec::new();
    };
    let option = |value| match value {
        Value::Table(option) => Some(VoteOption {
            id: string(&option, "id")?,
            label: string(&option, "label"),
        }),
        other => text(other).map(|id| VoteOption { id, label: None }),
    };
    list.sequence_values::<Value>()
        .flatten()
        .filter_map(option)
        .collect()
}
