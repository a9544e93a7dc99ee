//! Errors of a form, field by field.

use asobi_wire::{ApiError, Code};
use serde_json::{Map, Value};

use super::error::Outcome;

/// Errors by field, for a form to show beside its inputs.
#[derive(Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Checks one field. A problem is a sentence that reads on from the field's name.
    pub fn check(&mut self, field: &str, result: Result<(), &'static str>) {
        if let Err(problem) = result {
            self.0.insert(field.to_owned(), Value::from(vec![problem]));
        }
    }

    /// The value of one field; its problem is noted and its default given otherwise.
    pub fn take<T: Default>(&mut self, field: &str, result: Result<T, &'static str>) -> T {
        result.unwrap_or_else(|problem| {
            self.check(field, Err(problem));
            T::default()
        })
    }

    /// `validation_failed` with every field that did not pass. The original calls the list
    /// `fields` in some places and `errors` in others; both are there.
    pub fn finish(self) -> Outcome<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let error = ApiError::from(Code::ValidationFailed);
        Err(error.with("errors", self.0.clone()).with("fields", self.0))
    }
}
