//! Reading JSON text that a stranger wrote, or that holds what a stranger wrote.
//!
//! serde_json hands raw text to itself in an object with one key of its own, and takes that key
//! from anybody: where a `serde_json::Value` is read, the text under it is parsed in place, and
//! may hold the same again. Each level begins with a fresh recursion limit, so that a few
//! kilobytes overflow the stack and end the process. No client means that key. Whatever becomes
//! a `Value` is therefore read by [`read`].

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::IgnoredAny};

/// serde_json's own key.
const RAW: &str = "$serde_json::private::RawValue";

/// Reads JSON.
///
/// # Errors
/// Those of serde_json. Text with serde_json's own key is data of the wrong shape.
pub fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    check(json)?;
    serde_json::from_slice(json)
}

fn check(json: &[u8]) -> Result<(), serde_json::Error> {
    // The key is plain ASCII: who hides it writes one of its characters as an escape.
    let may_have_key = [RAW, "\\u00"]
        .iter()
        .any(|part| memmem::find(json, part.as_bytes()).is_some());
    if !may_have_key {
        return Ok(());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Plain.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Looks at every key. Any other visitor than that of `Value` reads serde_json's key as a key.
struct Plain;

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Plain)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(key) = fields.next_key::<Cow<str>>()? {
            if key == RAW {
                // Said only after all of it was seen to be JSON as far as here.
                fields.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom("this key is nobody's to use"));
            }
            fields.next_value_seed(Plain)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn nested(levels: usize) -> String {
        let escape = |text: &str| text.replace('\\', "\\u005c").replace('"', "\\u0022");
        let mut text = "[]".to_owned();
        for _ in 0..levels {
            let hidden = escape(&text);
            text = format!(
                "{}{{\"{RAW}\":\"{hidden}\"}}{}",
                "[".repeat(100),
                "]".repeat(100)
            );
        }
        text
    }

    #[test]
    fn json_is_read_as_it_is() {
        for text in [
            r#"{"a":[1,-1,1.5,true,null,"\u0041\u00e4\ud83e\udd8a"],"\u0061":{}}"#,
            "\"$serde_json::private::RawValue\"",
            "[\"$serde_json::private::RawValue\",\"\\u0000\"]",
            r#"{"$serde_json::private::Number":"1"}"#,
        ] {
            let plain: Value = serde_json::from_str(text).expect(text);
            assert_eq!(read::<Value>(text.as_bytes()).expect(text), plain);
        }
    }

    #[test]
    fn text_is_not_parsed_inside_of_text() {
        let hidden = [
            nested(1),
            nested(300),
            format!("{{\"{RAW}\":7}}"),
            format!("[{{\"a\":1,\"{RAW}\":\"[]\"}}]"),
            "{\"$serde_json::private::RawValu\\u0065\":\"{}\"}".into(),
            "{\"\\u0024serde_json::private::RawValue\":\"{}\"}".into(),
        ];
        for text in hidden {
            let error = read::<Value>(text.as_bytes()).expect_err(&text);
            assert!(error.is_data(), "{error}");
        }
    }

    #[test]
    fn what_is_no_json_or_too_deep_says_so() {
        let deep = format!("{}\"\\u0041\"{}", "[".repeat(200), "]".repeat(200));
        let texts: [&[u8]; 4] = [
            deep.as_bytes(),
            b"{\"\\u0041\":1,",
            b"{\"\xff\":\"\\u0041\"}",
            b"{\"$serde_json::private::RawValue\":",
        ];
        for text in texts {
            let error = read::<Value>(text).expect_err("broken");
            assert!(error.is_syntax() || error.is_eof(), "{error}");
        }
        assert_eq!(read::<Value>(b"{\"a\":1}").ok(), Some(json!({"a": 1})));
    }
}
