//! What a ticket says about its players: a flat object of a few plain values.

use asobi_game::strategy::DEFAULT_SKILL;
use asobi_wire::{ApiError, Code};
use serde_json::{Map, Value};

use crate::edge::error::Outcome;
use crate::text::is_key;

/// Most entries.
pub const MAX_KEYS: usize = 16;
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 64;
/// Longest string, in bytes.
pub const MAX_STRING_BYTES: usize = 256;
/// Longest `region`, in bytes.
pub const MAX_REGION_BYTES: usize = 64;
/// Skills lie between this and its negative.
pub const MAX_SKILL: f64 = 1e9;

/// Properties that were checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Properties {
    /// `skill`, or the default.
    pub skill: f64,
    /// `region`.
    pub region: Option<String>,
    /// All of them.
    pub all: Value,
}

impl Properties {
    /// Checks what a client sent.
    ///
    /// # Errors
    /// `invalid_payload` if it is no object, as the original; `matchmaker.invalid_properties`
    /// with a `reason` (`too_many_keys`, `invalid_key`, `nested`, `too_long`, `invalid_skill`,
    /// `invalid_region`) and, where there is one, the `key`.
    pub fn check(properties: Value) -> Outcome<Self> {
        let Value::Object(fields) = &properties else {
            return Err(ApiError::from_reason("invalid_payload"));
        };
        if fields.len() > MAX_KEYS {
            return Err(invalid("too_many_keys"));
        }
        for (key, value) in fields {
            if !is_key(key, MAX_KEY_BYTES) {
                return Err(invalid("invalid_key"));
            }
            check_value(value).map_err(|reason| invalid(reason).with("key", key.as_str()))?;
        }
        Ok(Self {
            skill: skill(fields)?,
            region: region(fields)?,
            all: properties,
        })
    }
}

fn invalid(reason: &'static str) -> ApiError {
    ApiError::from(Code::MatchmakerInvalidProperties).with("reason", reason)
}

fn check_value(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Array(_) | Value::Object(_) => Err("nested"),
        Value::String(text) if text.len() > MAX_STRING_BYTES => Err("too_long"),
        _ => Ok(()),
    }
}

fn skill(fields: &Map<String, Value>) -> Outcome<f64> {
    let Some(skill) = fields.get("skill") else {
        return Ok(DEFAULT_SKILL);
    };
    let skill = skill.as_f64().filter(|skill| skill.abs() <= MAX_SKILL);
    skill.ok_or_else(|| invalid("invalid_skill").with("key", "skill"))
}

fn region(fields: &Map<String, Value>) -> Outcome<Option<String>> {
    match fields.get("region") {
        None => Ok(None),
        Some(Value::String(region)) if is_key(region, MAX_REGION_BYTES) => Ok(Some(region.clone())),
        Some(_) => Err(invalid("invalid_region").with("key", "region")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_values_pass() {
        let good =
            json!({"skill": 1200.5, "region": "eu", "class": "mage", "vip": true, "x": null});
        let properties = Properties::check(good.clone()).expect("good");
        assert_eq!(properties.skill, 1200.5);
        assert_eq!(properties.region.as_deref(), Some("eu"));
        assert_eq!(properties.all, good);
        assert_eq!(
            Properties::check(json!({})).expect("none").skill,
            DEFAULT_SKILL
        );
    }

    #[test]
    fn what_is_wrong_has_a_name() {
        let keys: Map<String, Value> = (0..17).map(|n| (n.to_string(), json!(n))).collect();
        for (bad, reason) in [
            (Value::Object(keys), "too_many_keys"),
            (json!({"": 1}), "invalid_key"),
            (json!({"a\0": 1}), "invalid_key"),
            (json!({"k".repeat(65): 1}), "invalid_key"),
            (json!({"a": {}}), "nested"),
            (json!({"a": [1]}), "nested"),
            (json!({"a": "x".repeat(257)}), "too_long"),
            (json!({"skill": "good"}), "invalid_skill"),
            (json!({"skill": null}), "invalid_skill"),
            (json!({"skill": 1e300}), "invalid_skill"),
            (json!({"region": 7}), "invalid_region"),
            (json!({"region": "x".repeat(65)}), "invalid_region"),
            (json!({"region": "e\nu"}), "invalid_region"),
        ] {
            let error = Properties::check(bad.clone()).expect_err("bad");
            assert_eq!(error.code, Code::MatchmakerInvalidProperties, "{bad}");
            assert_eq!(error.details()["reason"], reason, "{bad}");
        }
        for bad in [json!(7), json!(null), json!("x"), json!([])] {
            let error = Properties::check(bad).expect_err("bad");
            assert_eq!(error.code, Code::InvalidPayload);
        }
    }
}
