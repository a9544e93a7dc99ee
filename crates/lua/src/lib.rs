//! Lua as one implementation of the game traits.
//!
//! A game is a folder of scripts. Start with [`ScriptSource`], which reads it, and
//! [`load_manifest`], which says what modes it has; [`LuaFactory`] makes the matches of one
//! mode. Inside, `match_logic` is a match, `sandbox` the VM it runs in, and `budget` what keeps
//! a script from taking the server with it.
//!
//! This crate knows no socket and no storage: what a script wants from outside leaves as an
//! `Effect`.

mod api;
mod backoff;
mod bots;
mod budget;
mod context;
mod decode;
mod factory;
mod fault;
mod globals;
mod hooks;
mod json;
mod match_logic;
mod modes;
mod names;
mod patterns;
mod phases;
mod ptrmap;
mod random;
mod reload;
mod require;
mod rollback;
mod rpc;
mod sandbox;
mod saved;
mod settings;
mod snapshot;
mod source;
mod spatial;
mod stdlib;
mod step;
mod strategy;
mod strings;
mod views;
mod vote;
mod waiting;
mod watch;

pub use factory::LuaFactory;
pub use hooks::{Filtered, Hooks};
pub use modes::{LoadedManifest, load_manifest};
pub use rpc::{Called, Rpc};
pub use settings::LuaSettings;
pub use source::{ScriptSet, ScriptSource, SourceError};
pub use strategy::Strategist;
pub use watch::ScriptWatcher;

#[cfg(test)]
mod codec_tests;
#[cfg(test)]
mod measure;
