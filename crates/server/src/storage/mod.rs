//! Storage: what a game keeps of its players, and for itself.
//!
//! - **Cloud saves** ([`saves`]): a player's own, in a few named slots. A version tells a device
//!   that another one wrote in between.
//! - **Objects** ([`objects`]): a value at a collection and a key, owned by a player, with
//!   permissions for the others. This is what REST sees.
//! - The same for scripts ([`scripts`]), past all permissions, and the game's own objects, which
//!   belong to nobody and which REST never sees.
//!
//! Slots, sizes and who may do what are the original's.

mod entities;
mod objects;
pub mod routes;
mod saves;
mod scripts;
mod store;

#[cfg(test)]
mod tests;

use asobi_wire::{ApiError, Code};
use serde_json::Value;

use crate::config::StorageConfig;
use crate::db::{Db, Document, MAX_DEPTH, Unfit};
use crate::edge::error::Outcome;
use crate::text::is_key;

pub use objects::{Address, ObjectChange, Objects, Perm, StoredObject};
pub use saves::{Save, SaveSummary};
pub use scripts::{ListedObject, StoredValue, StoredVersion};

/// Largest save or value in bytes of JSON. From the original.
const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Longest collection or key in bytes.
const MAX_KEY_BYTES: usize = 128;

/// Storage. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    db: Db,
    enabled: bool,
    max_objects: u64,
}

impl Storage {
    /// The storage of a database.
    pub fn new(db: Db, config: &StorageConfig) -> Self {
        Self {
            db,
            enabled: config.enabled,
            max_objects: config.max_objects_per_player,
        }
    }

    /// Whether there is any storage. Without it every verb finds nothing.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn objects_enabled(&self) -> Outcome<()> {
        match self.enabled {
            true => Ok(()),
            false => Err(Code::StorageNotFound.into()),
        }
    }
}

/// `current_version` 0: there is nothing.
fn conflict(code: Code, current: i32) -> ApiError {
    ApiError::from(code).with("current_version", current)
}

/// The value as it is stored.
fn encode(value: &Value, too_large: Code) -> Outcome<Document> {
    Document::within(value, MAX_VALUE_BYTES).map_err(|unfit| match unfit {
        Unfit::TooDeep => ApiError::from(too_large).with("max_depth", MAX_DEPTH),
        Unfit::TooLarge => ApiError::from(too_large).with("max_bytes", MAX_VALUE_BYTES),
    })
}

/// A collection or a key.
fn check_key(text: &str) -> Outcome<()> {
    match is_key(text, MAX_KEY_BYTES) {
        true => Ok(()),
        false => Err(Code::StorageInvalidKey.into()),
    }
}
