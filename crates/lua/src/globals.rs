//! Reading what a script declares about itself in globals.
//!
//! Reads are raw: a metatable a script put on `_G` does not run here.

use asobi_game::logic::{FaultKind, ScriptFault};
use mlua::{Table, Value};

use crate::fault::{Failure, clip};

/// A script's globals (or a table among them), and what was wrong with those read so far.
pub(crate) struct Declared<'a> {
    table: Table,
    script: &'a str,
    /// Put before names in warnings: `bots.`.
    prefix: &'static str,
    pub(crate) warnings: Vec<ScriptFault>,
}

impl<'a> Declared<'a> {
    pub(crate) fn new(globals: Table, script: &'a str) -> Self {
        Self {
            table: globals,
            script,
            prefix: "",
            warnings: Vec::new(),
        }
    }

    /// The table in global `name`, whose own entries are read the same way.
    pub(crate) fn table(
        &mut self,
        name: &'static str,
        prefix: &'static str,
    ) -> Option<Declared<'a>> {
        match self.get(name) {
            Value::Nil | Value::Boolean(false) => None,
            Value::Table(table) => Some(Declared {
                table,
                script: self.script,
                prefix,
                warnings: Vec::new(),
            }),
            other => {
                self.warn(name, &other, "a table");
                None
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Value {
        self.table.raw_get(name).unwrap_or(Value::Nil)
    }

    /// A number of at least `least`, fractions cut off.
    pub(crate) fn integer(&mut self, name: &str, least: i64) -> Option<i64> {
        let value = self.get(name);
        let number = match value {
            Value::Nil => return None,
            Value::Integer(i) => Some(i),
            Value::Number(n) if n.is_finite() => Some(n as i64),
            _ => None,
        };
        let fits = number.filter(|n| *n >= least);
        if fits.is_none() {
            self.warn(name, &value, &format!("a number of at least {least}"));
        }
        fits
    }

    /// A number from 0 to `most`.
    pub(crate) fn number(&mut self, name: &str, most: f64) -> Option<f64> {
        let value = self.get(name);
        let number = match value {
            Value::Nil => return None,
            Value::Integer(i) => i as f64,
            Value::Number(n) => n,
            _ => -1.0,
        };
        let fits = (0.0..=most).contains(&number);
        if !fits {
            self.warn(name, &value, &format!("a number from 0 to {most}"));
        }
        fits.then_some(number)
    }

    /// A span of time given in seconds, in milliseconds.
    pub(crate) fn seconds(&mut self, name: &str) -> Option<u64> {
        let value = self.get(name);
        let seconds = match value {
            Value::Nil => return None,
            Value::Integer(i) => i as f64,
            Value::Number(n) => n,
            _ => -1.0,
        };
        if (0.0..=1e9).contains(&seconds) {
            return Some((seconds * 1000.0) as u64);
        }
        self.warn(name, &value, "a number of seconds");
        None
    }

    /// A boolean and nothing that merely counts as one: `0` is true in Lua.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.get(name) {
            Value::Nil => None,
            Value::Boolean(value) => Some(value),
            other => {
                self.warn(name, &other, "true or false");
                None
            }
        }
    }

    pub(crate) fn string(&mut self, name: &str) -> Option<String> {
        match self.get(name) {
            Value::Nil => None,
            Value::String(text) => Some(text.to_string_lossy()),
            other => {
                self.warn(name, &other, "a string");
                None
            }
        }
    }

    /// One of `choices`.
    pub(crate) fn choice(&mut self, name: &str, choices: &[&'static str]) -> Option<&'static str> {
        let value = self.get(name);
        let chosen = match &value {
            Value::Nil => return None,
            Value::String(text) => choices.iter().find(|c| text == **c).copied(),
            _ => None,
        };
        if chosen.is_none() {
            self.warn(
                name,
                &value,
                &format!("one of \"{}\"", choices.join("\", \"")),
            );
        }
        chosen
    }

    /// A list of strings; what else it holds is warned about.
    pub(crate) fn names(&mut self, name: &'static str) -> Vec<String> {
        let Some(list) = self.table(name, "") else {
            return Vec::new();
        };
        let mut names = Vec::new();
        for value in list.table.sequence_values::<Value>().flatten() {
            match value {
                Value::String(text) => names.push(text.to_string_lossy()),
                other => self.warn(name, &other, "strings only"),
            }
        }
        names
    }

    /// A table of name to whole seconds; what else it holds is warned about.
    pub(crate) fn seconds_by_name(&mut self, name: &'static str) -> Vec<(String, u64)> {
        let Some(list) = self.table(name, "") else {
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for pair in list.table.pairs::<Value, Value>().flatten() {
            match pair {
                (Value::String(key), Value::Integer(seconds @ 0..=86_400)) => {
                    pairs.push((key.to_string_lossy(), seconds.unsigned_abs()));
                }
                (_, value) => self.warn(name, &value, "names and seconds, 0 to 86400"),
            }
        }
        pairs.sort();
        pairs
    }

    pub(crate) fn warn(&mut self, name: &str, value: &Value, expected: &str) {
        let prefix = self.prefix;
        let text = format!(
            "{prefix}{name} = {}: expected {expected}; the default applies",
            describe(value)
        );
        self.say(text);
    }

    pub(crate) fn say(&mut self, text: String) {
        let failure = Failure::new(FaultKind::LoadError, text);
        self.warnings
            .push(failure.into_fault("config", self.script, None));
    }
}

/// A value as a warning shows it: its size is the script's choice.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", clip(&text.to_string_lossy(), 60)),
        Value::Nil | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => value
            .to_string()
            .unwrap_or_else(|_| value.type_name().to_owned()),
        other => format!("a {}", other.type_name()),
    }
}

/// `path`, from the folder of `script` or from the game's root, if it is a plain relative path.
pub(crate) fn resolve(script: &str, path: &str) -> Option<String> {
    let plain = !path.is_empty()
        && path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains(char::is_control));
    let folder = script.rfind('/').map_or("", |slash| &script[..=slash]);
    plain.then(|| format!("{folder}{path}"))
}
