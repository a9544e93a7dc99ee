//! The join context a client sends with `match.join`: handed to the game untouched, within
//! bounds. A flat object of at most 8 short scalars, so that a client cannot make a script
//! walk something huge.

use asobi_wire::{ApiError, json};
use serde_json::Value;
use serde_json::value::RawValue;

const MAX_KEYS: usize = 8;
const MAX_KEY_BYTES: usize = 64;
const MAX_VALUE_BYTES: usize = 256;

/// Checks a context. The reasons are those of the protocol guide.
pub fn check(ctx: Option<&RawValue>) -> Result<Box<RawValue>, ApiError> {
    let Some(ctx) = ctx else { return Ok(empty()) };
    match json::read(ctx.get().as_bytes()) {
        Ok(Value::Object(fields)) => check_fields(&fields).map_err(ApiError::from_reason)?,
        _ => return Err(ApiError::from_reason("invalid_join_ctx")),
    }
    Ok(ctx.to_owned())
}

fn check_fields(fields: &serde_json::Map<String, Value>) -> Result<(), &'static str> {
    if fields.len() > MAX_KEYS {
        return Err("join_ctx_too_many_keys");
    }
    for (key, value) in fields {
        if key.is_empty() {
            return Err("invalid_join_ctx_key");
        }
        if key.len() > MAX_KEY_BYTES {
            return Err("join_ctx_key_too_long");
        }
        match value {
            Value::String(text) if text.len() > MAX_VALUE_BYTES => {
                return Err("join_ctx_value_too_long");
            }
            Value::String(_) | Value::Bool(_) => {}
            Value::Number(number) if !number.is_f64() => {}
            _ => return Err("invalid_join_ctx_value"),
        }
    }
    Ok(())
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".into()).expect("an empty object is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(ctx: &str) -> Option<String> {
        let ctx = RawValue::from_string(ctx.into()).expect("JSON");
        check(Some(&ctx))
            .err()
            .map(|error| error.reason().to_owned())
    }

    #[test]
    fn short_flat_scalars_pass() {
        assert_eq!(reason(r#"{"code":"AB12","level":3,"vip":true}"#), None);
        assert!(check(None).is_ok());
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let keys: Vec<String> = (0..9).map(|n| format!("\"k{n}\":1")).collect();
        let nine = format!("{{{}}}", keys.join(","));
        assert_eq!(reason(&nine).as_deref(), Some("join_ctx_too_many_keys"));
        assert_eq!(reason("[]").as_deref(), Some("invalid_join_ctx"));
        assert_eq!(reason(r#"{"":1}"#).as_deref(), Some("invalid_join_ctx_key"));
        assert_eq!(
            reason(r#"{"a":{}}"#).as_deref(),
            Some("invalid_join_ctx_value")
        );
        assert_eq!(
            reason(r#"{"a":1.5}"#).as_deref(),
            Some("invalid_join_ctx_value")
        );
        let long_key = format!("{{\"{}\":1}}", "k".repeat(65));
        assert_eq!(reason(&long_key).as_deref(), Some("join_ctx_key_too_long"));
        let long_value = format!("{{\"a\":\"{}\"}}", "v".repeat(257));
        assert_eq!(
            reason(&long_value).as_deref(),
            Some("join_ctx_value_too_long")
        );
    }
}
