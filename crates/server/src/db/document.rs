//! JSON as it lies in a `json` column.

use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, Value, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, QueryResult, TryGetError, TryGetable};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

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
