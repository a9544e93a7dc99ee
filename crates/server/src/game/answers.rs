//! What scripts ask of the server and wait for, carried out.
//!
//! A request comes from a simulation thread and is worked on by the server's own: the script's
//! match waits, its thread does not.

use std::time::Duration;

use asobi_game::PlayerId;
use asobi_game::services::{Answer, Answering, Request, Services, StorageKey, StorageRequest};
use asobi_wire::ApiError;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::db::Db;
use crate::notifications::Notifications;
use crate::storage::Storage;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers scripts from the server's domains. Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    runtime: Handle,
    db: Db,
    storage: Storage,
    notifications: Notifications,
}

impl Answers {
    /// Answers from these domains, on the runtime this is called in.
    pub fn new(db: Db, storage: Storage, notifications: Notifications) -> Self {
        Self {
            runtime: Handle::current(),
            db,
            storage,
            notifications,
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        match request {
            Request::Storage(key, request) => self.object(&key, request).await,
            Request::StorageList {
                owner,
                collection,
                limit,
                after,
            } => {
                let owner = owner.as_ref();
                let list = self
                    .storage
                    .lua_list(owner, &collection, limit, after.as_deref());
                let listed = list.await.map_err(|error| reason(&error))?;
                let listed = listed.iter().map(|object| Listed {
                    key: &object.key,
                    value: &object.value,
                    version: object.version,
                });
                Ok(json_text(&listed.collect::<Vec<_>>()))
            }
            Request::Notify {
                to,
                kind,
                subject,
                content,
                many,
            } => self.notify(&to, &kind, &subject, &content, many).await,
        }
    }

    async fn object(&self, key: &StorageKey, request: StorageRequest) -> Answer {
        let (owner, collection, key) = (key.owner.as_ref(), &key.collection, &key.key);
        let storage = &self.storage;
        let answer = match request {
            StorageRequest::Get => {
                let found = storage.lua_get(owner, collection, key).await;
                found.map(|found| json_text(&found.value))
            }
            StorageRequest::Read => {
                let found = storage.lua_get(owner, collection, key).await;
                found.map(|found| {
                    json_text(&Read {
                        value: &found.value,
                        version: found.version,
                    })
                })
            }
            StorageRequest::Set { value, version } => {
                let value = parse(&value)?;
                let set = storage.lua_set(owner, collection, key, value, version);
                let written = set.await;
                written.map(|written| json_text(&json!({ "version": written.version })))
            }
            StorageRequest::Delete { version } => {
                let deleted = storage.lua_delete(owner, collection, key, version).await;
                deleted.map(|deleted| json_text(&deleted))
            }
        };
        answer.map_err(|error| reason(&error))
    }

    async fn notify(
        &self,
        to: &[PlayerId],
        kind: &str,
        subject: &str,
        content: &[u8],
        many: bool,
    ) -> Answer {
        let content = parse(content)?;
        let sent = self.notifications.send(to, kind, subject, content).await;
        let reached = sent.map_err(|error| reason(&error))?;
        match (many, reached.first()) {
            (true, _) => Ok(json_text(&reached)),
            (false, Some(player)) => Ok(json_text(&json!({ "player_id": player }))),
            (false, None) => Err("player_not_found".into()),
        }
    }
}

impl Services for Answers {
    fn ask(&self, request: Request) -> Answering {
        // A match that asks stands still until it is answered.
        if self.db.is_away() {
            return Box::pin(async { Err("not_ready".into()) });
        }
        let answers = self.clone();
        let work = self
            .runtime
            .spawn(async move { tokio::time::timeout(PATIENCE, answers.answer(request)).await });
        Box::pin(async move {
            match work.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err("timeout".into()),
                Err(_) => Err("internal".into()),
            }
        })
    }

    fn has_storage(&self) -> bool {
        self.storage.is_enabled()
    }
}

#[derive(Serialize)]
struct Read<'a> {
    value: &'a RawValue,
    version: i32,
}

#[derive(Serialize)]
struct Listed<'a> {
    key: &'a str,
    value: &'a RawValue,
    version: i32,
}

/// A failure as a script reads it: the code without its domain, as the original's `not_found`.
fn reason(error: &ApiError) -> String {
    let code = error.code.as_str();
    let bare = code.strip_prefix("storage.").unwrap_or(code);
    match error.details().get("fields") {
        Some(fields) => format!("{bare}: {fields}"),
        None => bare.replace('.', "_"),
    }
}

fn parse(json: &[u8]) -> Result<Value, String> {
    asobi_wire::json::read(json).map_err(|error| error.to_string())
}

fn json_text<T: Serialize + ?Sized>(value: &T) -> Bytes {
    serde_json::to_vec(value)
        .expect("plain data with string keys")
        .into()
}
