//! What a game may ask of the server and wait for.
//!
//! A callback that asks holds up its own match and no other: the simulation thread runs on while
//! the answer is on its way. What needs no answer is an [`crate::logic::Effect`] instead.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::ids::PlayerId;

/// What comes back: the JSON text of the answer, or one word or sentence of what went wrong, as
/// the script reads it (`not_found`, `value_too_large`).
pub type Answer = Result<Bytes, String>;

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The server, as a game that asks sees it.
pub trait Services: Send + Sync {
    /// Carries out a request. Called on a simulation thread: the work is done elsewhere.
    fn ask(&self, request: Request) -> Answering;

    /// Whether there is a storage to ask for.
    fn has_storage(&self) -> bool {
        true
    }
}

/// Something a game asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// An object of the game's storage.
    Storage(StorageKey, StorageRequest),
    /// The objects of a collection, by key.
    StorageList {
        /// Whose; none for the game's own.
        owner: Option<PlayerId>,
        /// Which collection.
        collection: String,
        /// Most objects.
        limit: u64,
        /// Only those after this key.
        after: Option<String>,
    },
    /// Notifications for players. The answer lists those who got one.
    Notify {
        /// The addressees.
        to: Vec<PlayerId>,
        /// What kind, for clients to branch on.
        kind: String,
        /// One line.
        subject: String,
        /// JSON text of an object.
        content: Bytes,
        /// Whether the answer is the list of those reached, or the one notification.
        many: bool,
    },
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageKey {
    /// Whose it is; none for the game's own.
    pub owner: Option<PlayerId>,
    /// Its collection.
    pub collection: String,
    /// Its key in there.
    pub key: String,
}

/// What to do with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum StorageRequest {
    /// Its value.
    Get,
    /// Its value and its version.
    Read,
    /// Writes it; the answer is the new version.
    Set {
        /// JSON text.
        value: Bytes,
        /// The version it must have; 0 if it must not exist yet. None: whatever it is.
        version: Option<i32>,
    },
    /// Deletes it; the answer tells whether there was one.
    Delete {
        /// The version it must have.
        version: Option<i32>,
    },
}

/// No server: whatever is asked fails. For tests, and for scripts that are only looked at.
pub struct NoServices;

impl Services for NoServices {
    fn ask(&self, _request: Request) -> Answering {
        Box::pin(async { Err("not available here".to_owned()) })
    }
}
