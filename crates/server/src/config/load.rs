//! Filling the settings: defaults, then `asobi.toml`, then `ASOBI_*`, then flags.

use std::path::{Path, PathBuf};

use anyhow::Context;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use serde::{Deserialize, Deserializer};

use super::{Config, original};

/// Which command the settings are for. `dev` has friendlier defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A developer's machine.
    Dev,
    /// Production.
    Serve,
}

/// What the command line says; `None` leaves a setting to the other sources.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--host`.
    pub host: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--data`.
    pub data_dir: Option<String>,
    /// `--database-url`.
    pub database_url: Option<String>,
}

/// The settings, and where each came from.
pub struct Loaded {
    /// The settings.
    pub config: Config,
    figment: Figment,
}

/// One setting as `asobi config` shows it.
pub struct Shown {
    /// `section.key`.
    pub key: String,
    /// Its value; a secret shows only whether it is set.
    pub value: String,
    /// Where it came from.
    pub source: String,
}

impl Loaded {
    /// Reads all sources. A named file must exist; `asobi.toml` beside the game or in the
    /// working folder is read when it is there.
    pub fn read(
        profile: Profile,
        game_dir: Option<&Path>,
        flags: &Overrides,
    ) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()))
            .merge(named("dev default", profile_defaults(profile)))
            .merge(named(
                "ASOBI_DB_HOST and the like",
                original::database(&variable),
            ));
        for file in files(game_dir, flags)? {
            figment = figment.merge(Toml::file(file));
        }
        let figment = figment
            .merge(environment())
            .merge(aliases())
            .merge(named(
                "ASOBI_GUEST_REAP_AFTER",
                original::reap_after(&variable),
            ))
            .merge(named("flag", of_flags(flags)));
        let config = figment.extract().context("the settings are not valid")?;
        Ok(Self { config, figment })
    }

    /// Every setting with its source, in order.
    pub fn shown(&self) -> Vec<Shown> {
        let sections = serde_json::to_value(&self.config).expect("settings are plain data");
        let mut shown = Vec::new();
        self.show(String::new(), &sections, &mut shown);
        shown
    }

    fn show(&self, key: String, value: &serde_json::Value, shown: &mut Vec<Shown>) {
        if let Some(section) = value.as_object() {
            for (name, value) in section {
                let dot = if key.is_empty() { "" } else { "." };
                self.show(format!("{key}{dot}{name}"), value, shown);
            }
            return;
        }
        shown.push(Shown {
            source: self.source(&key),
            key,
            value: value.to_string(),
        });
    }

    fn source(&self, key: &str) -> String {
        let Some(metadata) = self.figment.find_metadata(key) else {
            return "default".into();
        };
        match &metadata.source {
            Some(figment::Source::File(path)) => path.display().to_string(),
            _ if metadata.name.starts_with("asobi::config") => "default".into(),
            _ => metadata.name.to_string(),
        }
    }
}

fn files(game_dir: Option<&Path>, flags: &Overrides) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(file) = &flags.file {
        anyhow::ensure!(
            file.is_file(),
            "there is no settings file {}",
            file.display()
        );
        return Ok(vec![file.clone()]);
    }
    let beside_game = game_dir.map(|dir| dir.join("asobi.toml"));
    let candidates = beside_game.into_iter().chain([PathBuf::from("asobi.toml")]);
    Ok(candidates.filter(|file| file.is_file()).collect())
}

/// `ASOBI_SECTION__KEY`. Names without the double underscore are not settings of this form.
fn environment() -> Env {
    Env::prefixed("ASOBI_")
        .filter(|name| name.as_str().contains("__"))
        .split("__")
}

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Names the original reads, and the one everybody expects.
fn aliases() -> Env {
    Env::prefixed("ASOBI_")
        .filter(|name| alias(name.as_str()).is_some())
        .map(|name| alias(name.as_str()).unwrap_or_default().into())
        .split(".")
}

fn alias(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "database_url" => Some("database.url"),
        "dev_errors" => Some("lua.dev_errors"),
        "cors_origins" => Some("server.allowed_origins"),
        _ => None,
    }
}

/// A list of texts, or one text with commas between them.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::Many(texts) => texts,
        Texts::One(text) => text
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect(),
    })
}

fn profile_defaults(profile: Profile) -> Vec<(&'static str, Value)> {
    match profile {
        Profile::Serve => Vec::new(),
        Profile::Dev => vec![
            ("server.host", "127.0.0.1".into()),
            ("lua.reload", true.into()),
            ("lua.dev_errors", true.into()),
            ("log.format", "text".into()),
        ],
    }
}

fn of_flags(flags: &Overrides) -> Vec<(&'static str, Value)> {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let settings = [
        ("server.host", text(&flags.host)),
        ("server.port", flags.port.map(Value::from)),
        ("server.data_dir", text(&flags.data_dir)),
        ("database.url", text(&flags.database_url)),
    ];
    settings
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// Settings that carry the name of their source.
struct Named {
    name: &'static str,
    settings: Vec<(&'static str, Value)>,
}

fn named(name: &'static str, settings: Vec<(&'static str, Value)>) -> Named {
    Named { name, settings }
}

impl figment::Provider for Named {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<figment::Profile, Dict>, figment::Error> {
        let mut sections = Dict::new();
        for (path, value) in &self.settings {
            let (section, key) = path.split_once('.').expect("settings are section.key");
            let section = sections
                .entry(section.into())
                .or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, keys) = section {
                keys.insert(key.into(), value.clone());
            }
        }
        Ok(figment::Profile::Default.collect(sections))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_and_say_so() {
        let flags = Overrides {
            port: Some(0),
            ..Overrides::default()
        };
        let loaded = Loaded::read(Profile::Dev, None, &flags).expect("valid");
        assert_eq!(loaded.config.server.port, 0);
        let port = loaded
            .shown()
            .into_iter()
            .find(|s| s.key == "server.port")
            .expect("shown");
        assert_eq!((port.value.as_str(), port.source.as_str()), ("0", "flag"));
    }

    #[test]
    fn dev_is_friendlier_than_serve() {
        let read = |profile| {
            Loaded::read(profile, None, &Overrides::default())
                .expect("valid")
                .config
        };
        assert!(read(Profile::Dev).lua.reload);
        assert!(!read(Profile::Serve).lua.reload);
        assert_eq!(read(Profile::Serve).server.host, "0.0.0.0");
    }

    #[test]
    fn a_misspelt_setting_is_an_error_that_names_it() {
        let dir = std::env::temp_dir().join(format!("asobi-config-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary folder");
        let file = dir.join("asobi.toml");
        std::fs::write(&file, "[server]\nprot = 1\n").expect("written");
        let flags = Overrides {
            file: Some(file),
            ..Overrides::default()
        };
        let Err(error) = Loaded::read(Profile::Dev, None, &flags) else {
            panic!("accepted")
        };
        assert!(format!("{error:#}").contains("prot"), "{error:#}");
    }
}
