//! The result: a table for people, a line of JSON for scripts.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::samples::Sorted;

/// What one run has measured.
#[derive(Debug)]
pub(super) struct Report {
    title: String,
    rows: Vec<Row>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Row {
    key: String,
    label: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a figure. `key` names it in JSON, with its unit, as in `latency_p50_ms`.
    pub(super) fn row(&mut self, key: &str, label: &str, value: f64, unit: &'static str) {
        let (key, label) = (key.to_owned(), label.to_owned());
        self.rows.push(Row {
            key,
            label,
            value,
            unit,
        });
    }

    /// Adds percentiles of a duration, in milliseconds: `latency` gives `latency_p50_ms`.
    pub(super) fn percentiles(&mut self, key: &str, label: &str, samples: &Sorted, of: &[u8]) {
        for percent in of {
            let value = samples.percentile_ms(f64::from(*percent));
            let (key, label) = (
                format!("{key}_p{percent}_ms"),
                format!("{label} p{percent}"),
            );
            self.row(&key, &label, value, "ms");
        }
    }

    /// Adds a remark on how far the figures can be trusted.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Takes in the figures of another run under the name `of`.
    pub(super) fn append(&mut self, of: &str, other: Self) {
        let renamed = other.rows.into_iter().map(|row| Row {
            key: format!("{of}_{}", row.key),
            label: format!("{of}: {}", row.label),
            ..row
        });
        self.rows.extend(renamed);
        self.notes
            .extend(other.notes.into_iter().map(|note| format!("{of}: {note}")));
    }

    /// The figure of this key.
    pub(super) fn value(&self, key: &str) -> Option<f64> {
        self.rows
            .iter()
            .find(|row| row.key == key)
            .map(|row| row.value)
    }

    /// Prints it to standard output. Fails when that is closed.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let text = if json {
            self.json().to_string()
        } else {
            self.table()
        };
        Ok(writeln!(std::io::stdout(), "{text}")?)
    }

    fn json(&self) -> Value {
        let mut object: Map<String, Value> = self
            .rows
            .iter()
            .map(|row| (row.key.clone(), json!(row.value)))
            .collect();
        object.insert("bench".into(), json!(self.title));
        object.insert("notes".into(), json!(self.notes));
        Value::Object(object)
    }

    fn table(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|row| row.label.len())
            .max()
            .unwrap_or(0);
        let mut text = format!("{}\n", self.title);
        for row in &self.rows {
            let value = readable(row.value);
            text += &format!("  {:width$}  {value:>12} {}\n", row.label, row.unit);
        }
        for note in &self.notes {
            text += &format!("  note: {note}\n");
        }
        text.trim_end().to_owned()
    }
}

/// Three or so digits that mean something.
fn readable(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("heartbeat");
        report.row("cpu_us", "CPU per round trip", 4.125, "us");
        report.note("short");
        report
    }

    #[test]
    fn people_get_a_table_and_scripts_get_json() {
        assert_eq!(
            report().table(),
            "heartbeat\n  CPU per round trip          4.12 us\n  note: short"
        );
        assert_eq!(report().json()["cpu_us"], 4.125);
    }

    #[test]
    fn figures_of_two_runs_keep_apart() {
        let mut both = report();
        both.append("bare", report());
        assert_eq!(both.value("bare_cpu_us"), Some(4.125));
    }
}
