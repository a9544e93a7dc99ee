//! `phases`: the list of a mode's phases, a global table or a function that returns it.
//!
//! Two spellings are read. In the one of today `duration` is in milliseconds and `start` says
//! when a phase begins; in the first published one `start_condition` does, and every time of the
//! list is in seconds. Nothing is guessed: what is wrong is an error that names file and line.

use std::time::Duration;

use asobi_game::logic::FaultKind;
use asobi_game::phases::timer::TimerKind;
use asobi_game::phases::{Condition, End, MAX_DURATION_MS, MAX_PHASES, PhaseDef, TimerDef};
use mlua::{Function, Table, Value};

use crate::budget::Place;
use crate::fault::Failure;
use crate::globals::describe;
use crate::json::{self, Shape};
use crate::sandbox::Vm;

const PHASES: &str = "phases";
/// Most timers of one phase.
const MAX_TIMERS: usize = 64;
/// Longest name of a phase, a timer or an event, in bytes.
const MAX_NAME: usize = 64;
/// Largest `config` of one phase, in bytes of its JSON text: it is in every `phase_changed`.
const CONFIG_BYTES: usize = 4 << 10;

/// The phases a script declares, and the functions that end them, in the same order.
#[derive(Default)]
pub(crate) struct Declared {
    pub(crate) list: Vec<PhaseDef>,
    pub(crate) ends: Vec<(String, Function)>,
}

/// Reads the phases; none when the script declares none.
pub(crate) fn read(
    vm: &Vm,
    mode: &str,
    match_id: &str,
    budget_ms: u64,
) -> Result<Declared, Failure> {
    let global: Value = vm
        .lua()
        .globals()
        .raw_get(PHASES)
        .map_err(|e| Failure::from_error(&e))?;
    let (value, line) = match global {
        Value::Nil | Value::Boolean(false) => return Ok(Declared::default()),
        Value::Function(function) => {
            let line = function
                .info()
                .line_defined
                .and_then(|n| u32::try_from(n).ok());
            let config = vm.lua().create_table().and_then(|config| {
                config.raw_set("match_id", match_id)?;
                config.raw_set("mode", mode)?;
                Ok(config)
            });
            let config = config.map_err(|e| Failure::from_error(&e))?;
            let values = vm.call(PHASES, Duration::from_millis(budget_ms), config);
            let values = values.map_err(|failure| match failure.kind {
                FaultKind::RuntimeError => Failure {
                    kind: FaultKind::LoadError,
                    ..failure
                },
                _ => failure,
            })?;
            (values.into_iter().next().unwrap_or(Value::Nil), line)
        }
        other => (other, None),
    };
    let mut reader = Reader {
        vm,
        at: String::new(),
        seconds: false,
        ends: Vec::new(),
    };
    match reader.list(&value) {
        Ok(list) => Ok(Declared {
            list,
            ends: reader.ends,
        }),
        Err(text) => Err(Failure {
            kind: FaultKind::LoadError,
            place: place(vm, line, &reader.at),
            text: format!("phases{}{text}", reader.at),
        }),
    }
}

/// Where the list is declared: the line that names the phase in question, as well as that can
/// be told from the text.
fn place(vm: &Vm, line: Option<u32>, at: &str) -> Option<Place> {
    let set = vm.modules().borrow().scripts().clone();
    let text = String::from_utf8_lossy(set.get(vm.main())?).into_owned();
    let lines = || text.lines().enumerate();
    let declared = |line: &str| {
        line.trim_start()
            .strip_prefix(PHASES)
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let first = match line {
        Some(line) => (line as usize).checked_sub(1)?,
        None => lines().find(|(_, line)| declared(line))?.0,
    };
    let name = at.split('"').nth(1);
    let named = name.and_then(|name| {
        let quoted = [format!("\"{name}\""), format!("'{name}'")];
        let named = |line: &str| quoted.iter().any(|name| line.contains(name));
        lines().skip(first).find(|(_, line)| named(line))
    });
    let line = named.map_or(first, |(line, _)| line) + 1;
    Some(Place {
        script: vm.main().to_owned(),
        line: u32::try_from(line).ok()?,
    })
}

type Read<T> = Result<T, String>;

struct Reader<'a> {
    vm: &'a Vm,
    /// What is being read, for messages: `[2] ("combat")`.
    at: String,
    /// Whether times are in seconds.
    seconds: bool,
    ends: Vec<(String, Function)>,
}

impl Reader<'_> {
    fn list(&mut self, value: &Value) -> Read<Vec<PhaseDef>> {
        let Value::Table(table) = value else {
            return Err(format!(
                " must be a list of phases, not {}",
                describe(value)
            ));
        };
        let entries = list(table).ok_or(" must be a list: { {...}, {...} }")?;
        if entries.len() > MAX_PHASES {
            return Err(format!(
                " has {} entries, {MAX_PHASES} at most",
                entries.len()
            ));
        }
        let spelled = |key: &str| {
            entries.iter().any(|entry| match entry {
                Value::Table(entry) => !get(entry, key).is_nil(),
                _ => false,
            })
        };
        self.seconds = spelled("start_condition");
        if self.seconds && spelled("start") {
            return Err(" mixes start and start_condition: use one of them".into());
        }
        let mut list = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            self.at = format!("[{}]", i + 1);
            let Value::Table(entry) = entry else {
                return Err(format!(" = {}: expected a table", describe(entry)));
            };
            list.push(self.phase(entry)?);
        }
        Ok(list)
    }

    fn phase(&mut self, entry: &Table) -> Read<PhaseDef> {
        let name = self.name(entry, "name")?;
        self.at = format!("{} (\"{name}\")", self.at);
        known(
            entry,
            &[
                "name",
                "duration",
                "start",
                "start_condition",
                "end_condition",
                "config",
                "timers",
            ],
        )?;
        let duration_ms = match get(entry, "duration") {
            Value::Nil => None,
            // How a script says "for ever" in either spelling.
            Value::Number(n) if n == f64::INFINITY => None,
            value => Some(self.time("duration", &value)?),
        };
        let start = match get(
            entry,
            if self.seconds {
                "start_condition"
            } else {
                "start"
            },
        ) {
            Value::Nil => Condition::PrevEnded,
            value if self.seconds => self.first_spelling("start_condition", &value)?,
            value => self.condition("start", &value)?,
        };
        let end = match get(entry, "end_condition") {
            Value::Nil => None,
            value => Some(self.end(&name, &value)?),
        };
        Ok(PhaseDef {
            start,
            end,
            duration_ms,
            config: self.config(entry)?,
            timers: self.timers(entry)?,
            name,
        })
    }

    fn name(&self, table: &Table, key: &str) -> Read<String> {
        name_of(key, &get(table, key))
    }

    /// A time of at least a millisecond.
    fn time(&self, key: &str, value: &Value) -> Read<u64> {
        let unit = if self.seconds {
            "seconds"
        } else {
            "milliseconds"
        };
        let number = match value {
            Value::Integer(i) => *i as f64,
            Value::Number(n) => *n,
            _ => f64::NAN,
        };
        let ms = if self.seconds {
            number * 1000.0
        } else {
            number
        };
        if (1.0..=MAX_DURATION_MS as f64).contains(&ms) {
            return Ok(ms as u64);
        }
        Err(format!(
            ": {key} = {}: expected a number of {unit}, more than 0 and at most 30 days",
            describe(value)
        ))
    }

    fn condition(&self, key: &str, value: &Value) -> Read<Condition> {
        const EXPECTED: &str = "expected \"prev_ended\", \"all_ready\", milliseconds, \
            { players = n }, { players_ratio = r }, { timer = ms } or { event = \"name\" }";
        match value {
            Value::String(word) if word == "prev_ended" => Ok(Condition::PrevEnded),
            Value::String(word) if word == "all_ready" => Ok(Condition::AllReady),
            Value::Integer(_) | Value::Number(_) => Ok(Condition::Timer(self.time(key, value)?)),
            Value::Table(table) => {
                let (what, value) = only(table).ok_or_else(|| format!(": {key}: {EXPECTED}"))?;
                let path = format!("{key}.{what}");
                match what.as_str() {
                    "players" => Ok(Condition::Players(count(&path, &value)?)),
                    "players_ratio" => Ok(Condition::PlayersRatio(share(&path, &value)?)),
                    "timer" => Ok(Condition::Timer(self.time(&path, &value)?)),
                    "event" => Ok(Condition::Event(name_of(&path, &value)?)),
                    _ => Err(format!(": {key}: {EXPECTED}")),
                }
            }
            other => Err(format!(": {key} = {}: {EXPECTED}", describe(other))),
        }
    }

    /// `{ type = "player_count", min = 4 }`.
    fn first_spelling(&self, key: &str, value: &Value) -> Read<Condition> {
        const EXPECTED: &str = "expected a table whose type is \"player_count\" (with min), \
            \"players_ratio\" (with min), \"all_ready\", \"timer\" (with seconds), \"event\" (with \
            name) or \"prev_ended\"";
        let Value::Table(table) = value else {
            return Err(format!(": {key} = {}: {EXPECTED}", describe(value)));
        };
        let field = |name| (format!("{key}.{name}"), get(table, name));
        let kind = match get(table, "type") {
            Value::String(kind) => kind.to_string_lossy(),
            _ => String::new(),
        };
        match kind.as_str() {
            "prev_ended" => Ok(Condition::PrevEnded),
            "all_ready" => Ok(Condition::AllReady),
            "player_count" => {
                let (path, min) = field("min");
                Ok(Condition::Players(count(&path, &min)?))
            }
            "players_ratio" => {
                let (path, min) = field("min");
                Ok(Condition::PlayersRatio(share(&path, &min)?))
            }
            "timer" => {
                let (path, seconds) = field("seconds");
                Ok(Condition::Timer(self.time(&path, &seconds)?))
            }
            "event" => {
                let (path, name) = field("name");
                Ok(Condition::Event(name_of(&path, &name)?))
            }
            _ => Err(format!(": {key}: {EXPECTED}")),
        }
    }

    fn end(&mut self, phase: &str, value: &Value) -> Read<End> {
        const KEY: &str = "end_condition";
        match value {
            Value::Function(function) => {
                self.ends.push((phase.to_owned(), function.clone()));
                Ok(End::Asked)
            }
            Value::Table(table) if !get(table, "players_below").is_nil() => {
                let least = get(table, "players_below");
                Ok(End::PlayersBelow(count(
                    "end_condition.players_below",
                    &least,
                )?))
            }
            Value::String(word) if word == "all_ready" => Ok(End::When(Condition::AllReady)),
            Value::Table(_) => match self.condition(KEY, value)? {
                condition @ (Condition::Players(_)
                | Condition::PlayersRatio(_)
                | Condition::Event(_)) => Ok(End::When(condition)),
                _ => Err(format!(": {KEY}: use duration for a time")),
            },
            other => Err(format!(
                ": {KEY} = {}: expected a function of the state, \"all_ready\", {{ event = \"name\" }}, \
                 {{ players = n }} or {{ players_below = n }}",
                describe(other)
            )),
        }
    }

    fn config(&self, entry: &Table) -> Read<serde_json::Value> {
        let empty = || serde_json::Value::Object(serde_json::Map::new());
        let config = match get(entry, "config") {
            Value::Nil => return Ok(empty()),
            Value::Table(config) => config,
            other => return Err(format!(": config = {}: expected a table", describe(&other))),
        };
        let shape = Shape {
            limit: CONFIG_BYTES,
            empty_object: true,
        };
        let mut text = Vec::new();
        json::encode(self.vm.lua(), &config, shape, &mut text)
            .map_err(|e| format!(": config: {e}"))?;
        match serde_json::from_slice(&text) {
            Ok(serde_json::Value::Array(list)) if list.is_empty() => Ok(empty()),
            Ok(config @ serde_json::Value::Object(_)) => Ok(config),
            _ => Err(": config: expected a table with names, not a list".into()),
        }
    }

    fn timers(&self, entry: &Table) -> Read<Vec<TimerDef>> {
        let entries = match get(entry, "timers") {
            Value::Nil => return Ok(Vec::new()),
            Value::Table(timers) => list(&timers).ok_or(": timers must be a list")?,
            other => return Err(format!(": timers = {}: expected a list", describe(&other))),
        };
        if entries.len() > MAX_TIMERS {
            return Err(format!(": {MAX_TIMERS} timers at most"));
        }
        let mut timers: Vec<TimerDef> = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let path = format!("timers[{}]", i + 1);
            let Value::Table(entry) = entry else {
                return Err(format!(": {path} = {}: expected a table", describe(entry)));
            };
            let id = name_of(&format!("{path}.id"), &get(entry, "id"))?;
            if timers.iter().any(|timer| timer.id == id) {
                return Err(format!(": {path}.id = \"{id}\" stands twice"));
            }
            let kind = self.timer(&path, entry)?;
            timers.push(TimerDef { id, kind });
        }
        Ok(timers)
    }

    fn timer(&self, path: &str, entry: &Table) -> Read<TimerKind> {
        let time = |key: &str| self.time(&format!("{path}.{key}"), &get(entry, key));
        let kind = match get(entry, "type") {
            Value::Nil => "countdown".into(),
            Value::String(kind) => kind.to_string_lossy(),
            _ => String::new(),
        };
        match kind.as_str() {
            "countdown" => Ok(TimerKind::Countdown {
                duration_ms: time("duration")?,
                warnings: self.warnings(path, entry)?,
            }),
            "conditional" => {
                let key = format!("{path}.start_condition");
                let start = match get(entry, "start_condition") {
                    value if self.seconds => self.first_spelling(&key, &value)?,
                    value => self.condition(&key, &value)?,
                };
                let fallback_ms = match get(entry, "fallback_timeout") {
                    Value::Nil => None,
                    _ => Some(time("fallback_timeout")?),
                };
                Ok(TimerKind::Conditional {
                    start,
                    fallback_ms,
                    duration_ms: time("duration")?,
                    warnings: self.warnings(path, entry)?,
                })
            }
            "cycle" => self.cycle(path, entry),
            "scheduled" => Ok(TimerKind::Scheduled {
                weekday: window(path, entry, "weekday")?,
                weekend: window(path, entry, "weekend")?,
            }),
            _ => Err(format!(
                ": {path}.type: expected \"countdown\", \"conditional\", \"cycle\" or \"scheduled\""
            )),
        }
    }

    fn warnings(&self, path: &str, entry: &Table) -> Read<Vec<u64>> {
        let values = match get(entry, "warnings") {
            Value::Nil => return Ok(Vec::new()),
            Value::Table(values) => list(&values).unwrap_or_default(),
            _ => return Err(format!(": {path}.warnings: expected a list of times")),
        };
        if values.len() > MAX_TIMERS {
            return Err(format!(": {path}.warnings: {MAX_TIMERS} at most"));
        }
        let key = format!("{path}.warnings");
        let times = values.iter().map(|value| self.time(&key, value));
        let mut times = times.collect::<Read<Vec<u64>>>()?;
        times.sort_by(|a, b| b.cmp(a));
        times.dedup();
        Ok(times)
    }

    fn cycle(&self, path: &str, entry: &Table) -> Read<TimerKind> {
        let steps = match get(entry, "phases") {
            Value::Table(steps) => list(&steps).unwrap_or_default(),
            _ => Vec::new(),
        };
        if steps.is_empty() || steps.len() > MAX_TIMERS {
            return Err(format!(
                ": {path}.phases: expected a list of 1 to {MAX_TIMERS} steps"
            ));
        }
        let step = |(i, step): (usize, &Value)| {
            let at = format!("{path}.phases[{}]", i + 1);
            let Value::Table(step) = step else {
                return Err(format!(": {at}: expected a table"));
            };
            let name = name_of(&format!("{at}.name"), &get(step, "name"))?;
            let duration = self.time(&format!("{at}.duration"), &get(step, "duration"))?;
            Ok((name, duration))
        };
        Ok(TimerKind::Cycle {
            steps: steps.iter().enumerate().map(step).collect::<Read<_>>()?,
            repeat: match get(entry, "repeat") {
                Value::Nil => true,
                Value::Boolean(repeat) => repeat,
                _ => return Err(format!(": {path}.repeat: expected true or false")),
            },
        })
    }
}

/// `{ "18:00", "20:30" }` in minutes of the day.
fn window(path: &str, entry: &Table, key: &str) -> Read<Option<(u32, u32)>> {
    let minutes = |value: &Value| {
        let Value::String(text) = value else {
            return None;
        };
        let text = text.to_string_lossy();
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
        (hours <= 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let window = match get(entry, key) {
        Value::Nil => return Ok(None),
        Value::Table(window) => list(&window).unwrap_or_default(),
        _ => Vec::new(),
    };
    match window.as_slice() {
        [from, to] => match (minutes(from), minutes(to)) {
            (Some(from), Some(to)) if from < to => Ok(Some((from, to))),
            _ => Err(format!(
                ": {path}.{key}: expected {{ \"18:00\", \"20:30\" }}"
            )),
        },
        _ => Err(format!(
            ": {path}.{key}: expected {{ \"18:00\", \"20:30\" }}"
        )),
    }
}

fn get(table: &Table, key: &str) -> Value {
    table.raw_get(key).unwrap_or(Value::Nil)
}

/// The entries of a table with the keys 1 to n and no others.
fn list(table: &Table) -> Option<Vec<Value>> {
    let length = table.raw_len();
    // A list far too long is not worth copying.
    if length > MAX_PHASES {
        return Some(vec![Value::Nil; MAX_PHASES + 1]);
    }
    let others = table.pairs::<Value, Value>().count();
    let entries = (1..=length).map(|i| table.raw_get(i).ok());
    (others == length).then(|| entries.collect())?
}

/// The only entry of a table.
fn only(table: &Table) -> Option<(String, Value)> {
    let mut pairs = table.pairs::<Value, Value>().flatten();
    match (pairs.next(), pairs.next()) {
        (Some((Value::String(key), value)), None) => Some((key.to_string_lossy(), value)),
        _ => None,
    }
}

/// A misspelt key would be a phase that silently does something else.
fn known(table: &Table, keys: &[&str]) -> Read<()> {
    for pair in table.pairs::<Value, Value>().flatten() {
        let known = matches!(&pair.0, Value::String(key) if keys.iter().any(|known| key == known));
        if !known {
            let keys = keys.join(", ");
            return Err(format!(": {} is none of {keys}", describe(&pair.0)));
        }
    }
    Ok(())
}

fn name_of(path: &str, value: &Value) -> Read<String> {
    match value {
        Value::String(text) if (1..=MAX_NAME).contains(&text.as_bytes().len()) => {
            let text = text.to_string_lossy();
            if text.chars().any(char::is_control) {
                return Err(format!(": {path}: control characters"));
            }
            Ok(text)
        }
        other => Err(format!(
            ": {path} = {}: expected a string of 1 to {MAX_NAME} bytes",
            describe(other)
        )),
    }
}

fn count(path: &str, value: &Value) -> Read<u32> {
    let number = match value {
        Value::Integer(i) => *i as f64,
        Value::Number(n) => *n,
        _ => f64::NAN,
    };
    if (1.0..=1e6).contains(&number) && number.fract() == 0.0 {
        return Ok(number as u32);
    }
    Err(format!(
        ": {path} = {}: expected a whole number of at least 1",
        describe(value)
    ))
}

fn share(path: &str, value: &Value) -> Read<f64> {
    let number = match value {
        Value::Integer(i) => *i as f64,
        Value::Number(n) => *n,
        _ => f64::NAN,
    };
    if number > 0.0 && number <= 1.0 {
        return Ok(number);
    }
    Err(format!(
        ": {path} = {}: expected a share of the places, up to 1",
        describe(value)
    ))
}
