//! What a player may change about themselves, and to what.

use axum::http::Uri;
use serde_json::{Map, Value};

use crate::db::Document;
use crate::edge::error::Outcome;
use crate::edge::fields::Fields;
use crate::text;

/// Longest display name in characters. From the original.
const MAX_NAME: usize = 64;

/// Longest avatar URL in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// Largest metadata in bytes of JSON. From the original.
const MAX_METADATA_BYTES: usize = 16 * 1024;

/// The fields of a profile that change. None: it stays.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    pub(super) display_name: Option<String>,
    pub(super) avatar_url: Option<Option<String>>,
    pub(super) metadata: Option<Document>,
}

impl Change {
    /// Reads and checks the fields that are there; others than a profile's are passed over.
    ///
    /// # Errors
    /// `validation_failed`
    pub(super) fn read(body: &Map<String, Value>) -> Outcome<Self> {
        let mut fields = Fields::default();
        let mut change = Self::default();
        if let Some(value) = body.get("display_name") {
            change.display_name = Some(fields.take("display_name", display_name(value)));
        }
        if let Some(value) = body.get("avatar_url") {
            change.avatar_url = Some(fields.take("avatar_url", avatar_url(value)));
        }
        if let Some(value) = body.get("metadata") {
            let checked = Document::object(value, MAX_METADATA_BYTES);
            change.metadata = fields.take("metadata", checked.map(Some));
        }
        fields.finish()?;
        Ok(change)
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn display_name(value: &Value) -> Result<String, &'static str> {
    let name = value.as_str().ok_or("must be text")?;
    text::name(name, 1, MAX_NAME)
}

/// An address that others may load without a look at it: over HTTPS, of characters that mean
/// nothing in HTML, without a name and password to send along.
fn avatar_url(value: &Value) -> Result<Option<String>, &'static str> {
    if value.is_null() {
        return Ok(None);
    }
    let url = value.as_str().ok_or("must be text or null")?;
    if url.len() > MAX_URL_BYTES {
        return Err("must be 2048 bytes or less");
    }
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let uri: Uri = match url.bytes().all(plain) {
        true => url.parse().map_err(|_| "must be an https URL")?,
        false => return Err("must be an https URL"),
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let is_https = uri.scheme_str() == Some("https");
    match is_https && uri.host().is_some_and(|host| !host.is_empty()) && !authority.contains('@') {
        true => Ok(Some(url.to_owned())),
        false => Err("must be an https URL"),
    }
}

#[cfg(test)]
mod tests {
    use asobi_wire::Code;
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Outcome<Change> {
        Change::read(body.as_object().unwrap())
    }

    #[test]
    fn what_is_not_there_stays() {
        assert!(read(json!({})).unwrap().is_empty());
        assert!(
            read(json!({"username": "eve", "id": 7}))
                .unwrap()
                .is_empty()
        );
        let change = read(json!({"avatar_url": null})).unwrap();
        assert_eq!(change.avatar_url, Some(None));
        assert_eq!(change.display_name, None);
    }

    #[test]
    fn every_bad_field_is_named() {
        let error = read(json!({"display_name": "", "avatar_url": 7, "metadata": []})).unwrap_err();
        assert_eq!(error.code, Code::ValidationFailed);
        for field in ["display_name", "avatar_url", "metadata"] {
            assert!(error.details()["errors"][field][0].is_string(), "{field}");
        }
    }

    #[test]
    fn avatars_come_over_https() {
        let longest = format!("https://a.b/{}", "x".repeat(2_036));
        for good in [
            "https://a.b/c.png?d=e#f",
            "https://[::1]:8443/",
            "HTTPS://A.B",
            &longest,
        ] {
            assert_eq!(
                avatar_url(&json!(good)),
                Ok(Some(good.to_owned())),
                "{good}"
            );
        }
        let too_long = format!("{longest}x");
        for bad in [
            "",
            "http://a.b/",
            "//a.b/c",
            "/c.png",
            "a.b",
            "https://",
            "https:///c",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "https://ada:pw@a.b/",
            "https://a.b/\0",
            "https://a.b/\" onload=\"x",
            "https://a.b/<b>",
            "https://a.b/ä",
            " https://a.b",
            &too_long,
        ] {
            assert!(avatar_url(&json!(bad)).is_err(), "{bad}");
        }
    }
}
