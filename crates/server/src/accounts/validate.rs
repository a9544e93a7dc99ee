//! What usernames, passwords, display names and device credentials may look like.

use crate::edge::fields::Fields;

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

/// 1 to 64 characters that show, normalised.
pub(super) fn display_name(name: &str) -> Result<String, &'static str> {
    crate::text::name(name, 1, 64)
}

#[cfg(test)]
mod tests {
    use asobi_wire::Code;

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
    fn every_bad_field_is_named() {
        let error = credentials("x", "y").finish().expect_err("both are bad");
        assert_eq!(error.code, Code::ValidationFailed);
        assert!(error.details()["fields"]["username"][0].is_string());
        assert!(error.details()["fields"]["password"][0].is_string());
        assert!(credentials("ada", "correct horse").finish().is_ok());
    }
}
