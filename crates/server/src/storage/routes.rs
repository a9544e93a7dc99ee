//! `/api/v1/saves/...` and `/api/v1/storage/...`.

use asobi_wire::Code;
use axum::Json;
use axum::extract::State;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::edge::caller::Caller;
use crate::edge::error::{Failure, Outcome};
use crate::edge::json::Body;
use crate::edge::openapi::{Failures, Success};
use crate::edge::params::{Page, Path, Query};

use super::{Address, ObjectChange, Objects, Perm, Save, SaveSummary, Storage, StoredObject};

type Answer<T> = Result<Json<T>, Failure>;

/// The domain's routes, below `/api/v1`.
pub fn routes(storage: Storage) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(saves))
        .routes(routes!(save, put_save, delete_save))
        .routes(routes!(objects))
        .routes(routes!(object, put_object, delete_object))
        .with_state(storage)
}

/// The caller's slots.
#[derive(Serialize, ToSchema)]
struct Saves {
    saves: Vec<SaveSummary>,
}

/// Which slots hold something.
#[utoipa::path(
    get,
    path = "/saves",
    tag = "storage",
    responses((status = 200, body = Saves), Failures)
)]
async fn saves(State(storage): State<Storage>, caller: Caller) -> Answer<Saves> {
    let saves = storage.saves(&caller.player).await?;
    Ok(Json(Saves { saves }))
}

/// What a slot holds.
#[utoipa::path(
    get,
    path = "/saves/{slot}",
    tag = "storage",
    params(("slot" = String, Path)),
    responses((status = 200, body = Save), Failures)
)]
async fn save(
    State(storage): State<Storage>,
    caller: Caller,
    Path(slot): Path<String>,
) -> Answer<Save> {
    Ok(Json(storage.save(&caller.player, &slot).await?))
}

#[derive(Deserialize, ToSchema)]
struct SaveBody {
    /// Any JSON, up to 256 KiB; an empty object without it.
    #[serde(default = "empty")]
    data: Value,
    /// The version the writer knows. 0 or null: the slot is empty. Without it the last to write
    /// wins.
    #[serde(default, deserialize_with = "version")]
    version: Option<i64>,
}

/// Writes a slot.
#[utoipa::path(
    put,
    path = "/saves/{slot}",
    tag = "storage",
    params(("slot" = String, Path)),
    request_body = SaveBody,
    responses((status = 200, body = Save), Failures)
)]
async fn put_save(
    State(storage): State<Storage>,
    caller: Caller,
    Path(slot): Path<String>,
    Body(body): Body<SaveBody>,
) -> Answer<Save> {
    let save = storage
        .put_save(&caller.player, &slot, &body.data, body.version)
        .await?;
    Ok(Json(save))
}

/// Empties a slot.
#[utoipa::path(
    delete,
    path = "/saves/{slot}",
    tag = "storage",
    params(("slot" = String, Path)),
    responses((status = 200, body = Success), Failures)
)]
async fn delete_save(
    State(storage): State<Storage>,
    caller: Caller,
    Path(slot): Path<String>,
) -> Answer<Success> {
    storage.delete_save(&caller.player, &slot).await?;
    Ok(Success::json())
}

/// The objects of a collection that the caller may read, newest first.
#[utoipa::path(
    get,
    path = "/storage/{collection}",
    tag = "storage",
    params(("collection" = String, Path), Page),
    responses((status = 200, body = Objects), Failures)
)]
async fn objects(
    State(storage): State<Storage>,
    caller: Caller,
    Path(collection): Path<String>,
    Query(page): Query<Page>,
) -> Answer<Objects> {
    let objects = storage.objects(&caller.player, &collection, &page).await?;
    Ok(Json(objects))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// Whose object is meant; `me` is whoever asks. Without it: one's own, or else the oldest
    /// one may use.
    player_id: Option<String>,
}

impl Whose {
    fn owner<'a>(&'a self, caller: &'a Caller) -> Option<&'a str> {
        match self.player_id.as_deref() {
            Some("me") => Some(caller.player.as_str()),
            other => other,
        }
    }
}

/// An object.
#[utoipa::path(
    get,
    path = "/storage/{collection}/{key}",
    tag = "storage",
    params(("collection" = String, Path), ("key" = String, Path), Whose),
    responses((status = 200, body = StoredObject), Failures)
)]
async fn object(
    State(storage): State<Storage>,
    caller: Caller,
    Path((collection, key)): Path<(String, String)>,
    Query(whose): Query<Whose>,
) -> Answer<StoredObject> {
    let at = Address {
        collection: &collection,
        key: &key,
        owner: whose.owner(&caller),
    };
    Ok(Json(storage.object(&caller.player, at).await?))
}

#[derive(Deserialize, ToSchema)]
struct ObjectBody {
    /// Any JSON, up to 256 KiB; an empty object without it.
    #[serde(default = "empty")]
    value: Value,
    /// `public` or `owner`.
    #[serde(default)]
    #[schema(value_type = Option<Perm>)]
    read_perm: Value,
    /// `public` or `owner`.
    #[serde(default)]
    #[schema(value_type = Option<Perm>)]
    write_perm: Value,
    /// The version the writer knows. 0 or null: there is no such object yet. Without it the
    /// last to write wins.
    #[serde(default, deserialize_with = "version")]
    version: Option<i64>,
}

/// Writes an object.
#[utoipa::path(
    put,
    path = "/storage/{collection}/{key}",
    tag = "storage",
    params(("collection" = String, Path), ("key" = String, Path), Whose),
    request_body = ObjectBody,
    responses((status = 200, body = StoredObject), Failures)
)]
async fn put_object(
    State(storage): State<Storage>,
    caller: Caller,
    Path((collection, key)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    body: Result<Body<ObjectBody>, Failure>,
) -> Answer<StoredObject> {
    let Body(body) = body.map_err(own_code)?;
    let change = ObjectChange {
        read_perm: perm(&body.read_perm)?,
        write_perm: perm(&body.write_perm)?,
        value: body.value,
        expected: body.version,
    };
    let at = Address {
        collection: &collection,
        key: &key,
        owner: whose.owner(&caller),
    };
    let object = storage.put_object(&caller.player, at, change).await?;
    Ok(Json(object))
}

/// Deletes an object.
#[utoipa::path(
    delete,
    path = "/storage/{collection}/{key}",
    tag = "storage",
    params(("collection" = String, Path), ("key" = String, Path), Whose),
    responses((status = 200, body = Success), Failures)
)]
async fn delete_object(
    State(storage): State<Storage>,
    caller: Caller,
    Path((collection, key)): Path<(String, String)>,
    Query(whose): Query<Whose>,
) -> Answer<Success> {
    let at = Address {
        collection: &collection,
        key: &key,
        owner: whose.owner(&caller),
    };
    storage.delete_object(&caller.player, at).await?;
    Ok(Success::json())
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// The original has a code of its own for a body that is no object, here and nowhere else.
fn own_code(failure: Failure) -> Failure {
    match failure.0.code {
        Code::InvalidPayload => Code::StorageInvalidRequest.into(),
        _ => failure,
    }
}

fn perm(value: &Value) -> Outcome<Option<Perm>> {
    if value.is_null() {
        return Ok(None);
    }
    match Perm::deserialize(value) {
        Ok(perm) => Ok(Some(perm)),
        Err(_) => Err(Code::StorageInvalidPerm.into()),
    }
}

/// A version as clients send it: null for 0, and 3.0 for 3 where a language knows no integers.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else {
        return Ok(Some(0));
    };
    if let Some(version) = number.as_i64() {
        return Ok(Some(version));
    }
    match number.as_f64() {
        // The cast saturates, and no version is that high.
        Some(version) if version.fract() == 0.0 => Ok(Some(version as i64)),
        _ => Err(D::Error::custom("`version` must be a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_whole_numbers_however_written() {
        let read = |text: &str| serde_json::from_str::<SaveBody>(text).map(|body| body.version);
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"version":null}"#).unwrap(), Some(0));
        assert_eq!(read(r#"{"version":3}"#).unwrap(), Some(3));
        assert_eq!(read(r#"{"version":3.0}"#).unwrap(), Some(3));
        assert_eq!(read(r#"{"version":-1}"#).unwrap(), Some(-1));
        assert_eq!(read(r#"{"version":1e30}"#).unwrap(), Some(i64::MAX));
        for bad in ["1.5", "\"1\"", "true", "[]", "{}"] {
            assert!(read(&format!(r#"{{"version":{bad}}}"#)).is_err(), "{bad}");
        }
    }
}
