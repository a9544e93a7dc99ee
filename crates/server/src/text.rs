//! Text that people write and others see: what it may hold.
//!
//! PostgreSQL refuses a NUL byte in text; nobody else should have to look at one either.

use unicode_normalization::UnicodeNormalization;

/// A name others see beside their own: composed (NFC), trimmed, of `least` to `most`
/// characters that show. What breaks lines or turns the text around it is refused.
pub fn name(text: &str, least: usize, most: usize) -> Result<String, &'static str> {
    // Normalising only grows text so far; what is far too long is not looked at.
    if text.len() > most * 16 {
        return Err("is too long");
    }
    let name: String = text.trim().nfc().collect();
    if name.chars().any(is_invisible_control) {
        return Err("may not have control characters");
    }
    let length = name.chars().count();
    if length < least {
        return Err("is too short");
    }
    if length > most {
        return Err("is too long");
    }
    Ok(name)
}

/// Whether text is fit to be stored and shown as prose: no control characters but line breaks
/// and tabs.
pub fn is_prose(text: &str) -> bool {
    text.chars()
        .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

/// Whether text is a key: 1 to `most` bytes without control characters.
pub fn is_key(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(is_invisible_control)
}

/// Whether a database can hold text at all. What it cannot hold it holds nothing of, and need not
/// be asked for.
pub fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// Whether text is an id as this server writes them: a UUID in lower case with hyphens.
/// Anything else names nothing, and need not be looked up.
pub fn is_id(text: &str) -> bool {
    text.len() == 36
        && !text.bytes().any(|byte| byte.is_ascii_uppercase())
        && uuid::Uuid::try_parse(text).is_ok()
}

/// A fresh id, as [`is_id`] knows them. UUIDv7, so ids sort by creation time.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
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
    fn names_show_and_do_not_turn_their_surroundings() {
        for good in ["A", "Ada Lovelace", "エイダ", "عايدة", "🦊"] {
            assert_eq!(name(good, 1, 64).as_deref(), Ok(good));
        }
        let long = "x".repeat(65);
        for bad in ["", "  ", "a\nb", "a\0", "\u{202E}ada", "\u{2066}ada", &long] {
            assert!(name(bad, 1, 64).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_that_look_alike_are_alike() {
        assert_eq!(name("e\u{301}", 1, 1).as_deref(), Ok("\u{e9}"));
        assert_eq!(name(" ada ", 1, 3).as_deref(), Ok("ada"));
    }

    #[test]
    fn ids_are_uuids_as_we_write_them() {
        assert!(is_id("0197a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"));
        for bad in [
            "",
            "0197A3C4-5B6D-7E8F-9A0B-1C2D3E4F5A6B",
            "0197a3c45b6d7e8f9a0b1c2d3e4f5a6b",
            "me",
        ] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    #[test]
    fn fresh_ids_are_ids_and_sort_by_age() {
        let ids: Vec<String> = (0..100).map(|_| new_id()).collect();
        assert!(ids.iter().all(|id| is_id(id)));
        assert!(ids.is_sorted());
    }

    #[test]
    fn prose_breaks_lines_but_hides_nothing() {
        assert!(is_prose("two\nlines\tand a tab"));
        assert!(!is_prose("a\0b"));
        assert!(!is_prose("\u{1b}[31mred"));
    }
}
