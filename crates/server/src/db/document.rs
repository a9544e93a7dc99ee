//! JSON as it lies in a `json` column.

use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, Value, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, QueryResult, TryGetError, TryGetable};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Deepest nesting of a document that strangers have a say in. A deeper one could be written, but
/// not read: JSON parsers stop at 128 levels, and what comes over REST is wrapped.
pub const MAX_DEPTH: usize = 100;

/// Why a value is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It nests deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It has more bytes than it may.
    TooLarge,
}

/// A JSON document, encoded once.
///
/// Use it for the `json` column of an entity wherever a player or a script has a say in what is
/// in it. SeaORM's own `Json` reaches PostgreSQL as `jsonb`, which refuses the escape `\u0000`
/// in a string; this reaches it as text, so every document SQLite takes PostgreSQL takes too.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Document(Box<RawValue>);

impl Document {
    /// Encodes a value.
    pub fn new(value: &serde_json::Value) -> Self {
        let text = value.to_string();
        Self(RawValue::from_string(text).expect("what was just encoded is JSON"))
    }

    /// Encodes a value of at most `most` bytes of JSON.
    pub fn within(value: &serde_json::Value, most: usize) -> Result<Self, Unfit> {
        if !is_flat(value, MAX_DEPTH) {
            return Err(Unfit::TooDeep);
        }
        let document = Self::new(value);
        match document.size() <= most {
            true => Ok(document),
            false => Err(Unfit::TooLarge),
        }
    }

    /// As [`Self::within`], for a field of a form that must be an object.
    pub fn object(value: &serde_json::Value, most: usize) -> Result<Self, &'static str> {
        if !value.is_object() {
            return Err("must be an object");
        }
        Self::within(value, most).map_err(|unfit| match unfit {
            Unfit::TooDeep => "is nested too deep",
            Unfit::TooLarge => "is too large",
        })
    }

    /// The document as JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Its encoded length in bytes.
    pub fn size(&self) -> usize {
        self.text().len()
    }

    /// The document as JSON text of its own.
    pub fn into_raw(self) -> Box<RawValue> {
        self.0
    }
}

/// Whether a value nests no deeper than `levels`.
fn is_flat(value: &serde_json::Value, levels: usize) -> bool {
    let is_flatter = |item| levels > 0 && is_flat(item, levels - 1);
    match value {
        serde_json::Value::Array(items) => levels > 0 && items.iter().all(is_flatter),
        serde_json::Value::Object(fields) => levels > 0 && fields.values().all(is_flatter),
        _ => true,
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// Through a value, so that what cannot be read back (text that is no Unicode, a thousand
/// brackets) does not get in.
impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&serde_json::Value::deserialize(deserializer)?))
    }
}

impl From<Document> for Value {
    fn from(document: Document) -> Self {
        Self::String(Some(document.text().to_owned()))
    }
}

impl TryGetable for Document {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let text = String::try_get_by(row, index)?;
        RawValue::from_string(text)
            .map(Self)
            .map_err(|error| TryGetError::DbErr(sea_orm::DbErr::Json(error.to_string())))
    }
}

impl ValueType for Document {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        let Value::String(Some(text)) = value else {
            return Err(ValueTypeErr);
        };
        RawValue::from_string(text)
            .map(Self)
            .map_err(|_| ValueTypeErr)
    }

    fn type_name() -> String {
        "Document".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::String
    }

    /// For PostgreSQL alone SeaORM casts what it binds to a column of an "enum" to that type, and
    /// what it reads to text. That is what is wanted here, with `json` for the enum.
    fn column_type() -> ColumnType {
        ColumnType::Enum {
            name: "json".into(),
            variants: Vec::new(),
        }
    }
}

impl Nullable for Document {
    fn null() -> Value {
        Value::String(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deep(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }))
    }

    #[test]
    fn a_document_is_measured_encoded() {
        let value = json!({"a": [1, "b\0", null]});
        let bytes = value.to_string().len();
        assert!(Document::within(&value, bytes).is_ok());
        assert_eq!(Document::within(&value, bytes - 1), Err(Unfit::TooLarge));
        assert!(Document::object(&value, bytes).is_ok());
        assert!(Document::object(&json!([]), 100).is_err());
        assert!(Document::object(&json!("{}"), 100).is_err());
    }

    #[test]
    fn a_document_can_be_read_back_wherever_it_is_shown() {
        assert!(Document::within(&deep(MAX_DEPTH), 1_000).is_ok());
        assert_eq!(
            Document::within(&deep(MAX_DEPTH + 1), 1_000),
            Err(Unfit::TooDeep)
        );
    }
}
