//! What usernames, passwords, display names and device credentials may look like.

use asobi_wire::{ApiError, Code};
use serde_json::{Map, Value};

use crate::edge::error::Outcome;

/// Errors by field, for a form to show beside its inputs.
#[derive(Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Checks one field. A problem is a sentence that reads on from the field's name.
    pub(super) fn check(&mut self, field: &str, result: Result<(), &'static str>) {
        if let Err(problem) = result {
            self.0.insert(field.to_owned(), Value::from(vec![problem]));
        }
    }

    /// `validation_failed` with every field that did not pass.
    pub(super) fn finish(self) -> Outcome<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(ApiError::from(Code::ValidationFailed).with("fields", self.0))
    }
}

/// A new account's username and password.
pub(super) fn credentials(name: &str, secret: &str) -> Fields {
    let mut fields = Fields::default();
    fields.check("username", username(name));
    fields.check("password", password(secret));
    fields
}

/// 3 to 32 of letters, digits, `_` and `-`, all ASCII. From the original.
pub(super) fn username(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.chars().all(allowed) {
        return Err("may have only letters, digits, _ and -");
    }
    if !(3..=32).contains(&name.len()) {
        return Err("must be 3 to 32 characters long");
    }
    Ok(())
}

/// 8 to 128 characters. From the original.
fn password(secret: &str) -> Result<(), &'static str> {
    if !(8..=128).contains(&secret.chars().count()) {
        return Err("must be 8 to 128 characters long");
    }
    Ok(())
}

/// 1 to 64 characters that show, already trimmed. What others see next to their own names must
/// not break lines or turn the text around it.
pub(super) fn display_name(name: &str) -> Result<(), &'static str> {
    if name.chars().any(is_invisible_control) {
        return Err("may not have control characters");
    }
    if !(1..=64).contains(&name.chars().count()) {
        return Err("must be 1 to 64 characters long");
    }
    Ok(())
}

/// Control characters, line and paragraph separators, and the marks that change the direction
/// of text.
fn is_invisible_control(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames() {
        for good in ["ada", "Ada_Lovelace-1815", &"x".repeat(32)] {
            assert!(username(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "a b c", "ädä", "ada\0", "ada\n", &"x".repeat(33)] {
            assert!(username(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_are_measured_in_characters() {
        assert!(password(&"ä".repeat(8)).is_ok());
        assert!(password(&"ä".repeat(128)).is_ok());
        assert!(password(&"ä".repeat(129)).is_err());
        assert!(password("1234567").is_err());
    }

    #[test]
    fn display_names_show_and_do_not_turn_their_surroundings() {
        for good in ["A", "Ada Lovelace", "エイダ", "عايدة", "🦊"] {
            assert!(display_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a\nb",
            "a\0",
            "\u{202E}ada",
            "\u{2066}ada",
            &"x".repeat(65),
        ] {
            assert!(display_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_bad_field_is_named() {
        let error = credentials("x", "y").finish().expect_err("both are bad");
        assert_eq!(error.code, Code::ValidationFailed);
        assert!(error.details()["fields"]["username"][0].is_string());
        assert!(error.details()["fields"]["password"][0].is_string());
        assert!(credentials("ada", "correct horse").finish().is_ok());
    }
}
