//! Storage without the edge: what scripts do, and many at once. What a client sees is in
//! `tests/e2e/storage.rs`.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Address, ObjectChange, Perm, Storage};
use crate::config::StorageConfig;
use crate::db::Db;
use crate::db::scratch::{Scratch, add_players};

struct Server {
    storage: Storage,
    db: Db,
    _disk: Scratch,
}

impl Server {
    async fn start() -> Self {
        Self::with(StorageConfig::default()).await
    }

    async fn with(config: StorageConfig) -> Self {
        let disk = Scratch::new();
        let db = disk.open().await;
        Self {
            storage: Storage::new(db.clone(), &config),
            db,
            _disk: disk,
        }
    }

    async fn player(&self) -> PlayerId {
        add_players(&self.db, 1).await.remove(0)
    }

    async fn put(
        &self,
        caller: &PlayerId,
        key: &str,
        change: ObjectChange,
    ) -> Result<Value, ApiError> {
        let object = self.storage.put_object(caller, at(key), change).await?;
        Ok(serde_json::to_value(object).unwrap())
    }
}

fn at(key: &str) -> Address<'_> {
    Address {
        collection: "c",
        key,
        owner: None,
    }
}

fn set(value: Value) -> ObjectChange {
    ObjectChange {
        value,
        read_perm: None,
        write_perm: None,
        expected: None,
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> Code {
    result.unwrap_err().code
}

#[tokio::test]
async fn scripts_read_what_they_wrote() {
    let server = Server::start().await;
    let (storage, ada) = (&server.storage, server.player().await);
    let values = [
        json!(null),
        json!(5),
        json!(-0.5),
        json!("text \u{0} and \u{1F98A}"),
        json!({"\u{0}": ["\u{0}", 1e300, u64::MAX, i64::MIN], "": {}}),
    ];
    for owner in [None, Some(&ada)] {
        assert_eq!(
            code(storage.lua_get(owner, "c", "k").await),
            Code::StorageNotFound
        );
        for (n, value) in (1..).zip(&values) {
            let written = storage.lua_set(owner, "c", "k", value.clone(), None).await;
            assert_eq!(written.unwrap().version, n);
            let read = storage.lua_get(owner, "c", "k").await.unwrap();
            assert_eq!(read.version, n);
            let read: Value = serde_json::from_str(read.value.get()).unwrap();
            assert_eq!(read, *value);
        }
    }
    // The game's and a player's are two.
    assert!(storage.lua_delete(None, "c", "k", None).await.unwrap());
    assert!(!storage.lua_delete(None, "c", "k", None).await.unwrap());
    storage.lua_get(Some(&ada), "c", "k").await.unwrap();
}

#[tokio::test]
async fn a_script_may_insist_on_a_version() {
    let server = Server::start().await;
    let (storage, ada) = (&server.storage, server.player().await);
    let write = |owner, expected| storage.lua_set(owner, "c", "k", json!(1), expected);
    for owner in [None, Some(&ada)] {
        let missing = write(owner, Some(1)).await.unwrap_err();
        assert_eq!(missing.code, Code::StorageVersionConflict);
        assert_eq!(missing.details()["current_version"], 0);
        assert_eq!(write(owner, Some(0)).await.unwrap().version, 1);
        let there = write(owner, Some(0)).await.unwrap_err();
        assert_eq!(there.details()["current_version"], 1);
        assert_eq!(write(owner, Some(1)).await.unwrap().version, 2);
        assert_eq!(
            code(write(owner, Some(1)).await),
            Code::StorageVersionConflict
        );
        let delete = |version| storage.lua_delete(owner, "c", "k", Some(version));
        let stale = delete(1).await.unwrap_err();
        assert_eq!(stale.details()["current_version"], 2);
        assert!(delete(2).await.unwrap());
        assert!(!delete(2).await.unwrap());
    }
}

#[tokio::test]
async fn scripts_are_told_what_is_wrong() {
    let server = Server::start().await;
    let storage = &server.storage;
    for bad in ["", "a\0b", "\u{202E}x", &"x".repeat(129)] {
        let (set, get) = (
            storage.lua_set(None, "c", bad, json!(1), None).await,
            storage.lua_get(None, bad, "k").await,
        );
        assert_eq!(code(set), Code::StorageInvalidKey, "{bad:?}");
        assert_eq!(code(get), Code::StorageInvalidKey, "{bad:?}");
        assert_eq!(
            code(storage.lua_delete(None, bad, "k", None).await),
            Code::StorageInvalidKey
        );
        assert_eq!(
            code(storage.lua_list(None, bad, 1, None).await),
            Code::StorageInvalidKey
        );
        assert_eq!(
            code(storage.lua_list(None, "c", 1, Some(bad)).await),
            Code::StorageInvalidKey
        );
    }
    let nobody = PlayerId::from(uuid::Uuid::now_v7().to_string());
    for stranger in [nobody, "bot_ada_01".into(), "a\0b".into(), "".into()] {
        let owner = Some(&stranger);
        let set = storage.lua_set(owner, "c", "k", json!(1), None).await;
        assert_eq!(code(set), Code::PlayerNotFound);
        let get = storage.lua_get(owner, "c", "k").await;
        assert_eq!(code(get), Code::StorageNotFound);
        assert!(!storage.lua_delete(owner, "c", "k", None).await.unwrap());
        assert!(
            storage
                .lua_list(owner, "c", 10, None)
                .await
                .unwrap()
                .is_empty()
        );
    }
    let largest = json!("x".repeat(256 * 1024 - 2));
    storage
        .lua_set(None, "c", "k", largest, None)
        .await
        .unwrap();
    let too_large = json!("x".repeat(256 * 1024 - 1));
    let deep = (0..101).fold(json!(1), |inner, _| json!([inner]));
    let flat = (0..100).fold(json!(1), |inner, _| json!({ "a": inner }));
    for bad in [too_large, deep] {
        let set = storage.lua_set(None, "c", "k", bad, None).await;
        assert_eq!(code(set), Code::StorageValueTooLarge);
    }
    storage
        .lua_set(None, "c", "k", flat.clone(), None)
        .await
        .unwrap();
    let read = storage.lua_get(None, "c", "k").await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(read.value.get()).unwrap(),
        flat
    );
}

#[tokio::test]
async fn scripts_list_by_key() {
    let server = Server::start().await;
    let (storage, ada) = (&server.storage, server.player().await);
    for n in 0..7 {
        let key = format!("k{n}");
        storage
            .lua_set(None, "c", &key, json!(n), None)
            .await
            .unwrap();
        storage
            .lua_set(None, "other", &key, json!(n), None)
            .await
            .unwrap();
        storage
            .lua_set(Some(&ada), "c", &key, json!("hers"), None)
            .await
            .unwrap();
    }
    let mut after: Option<String> = None;
    let mut all = Vec::new();
    loop {
        let page = storage
            .lua_list(None, "c", 3, after.as_deref())
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        all.extend(
            page.into_iter()
                .map(|object| (object.key, object.value.get().to_owned())),
        );
    }
    let expected: Vec<_> = (0..7).map(|n| (format!("k{n}"), n.to_string())).collect();
    assert_eq!(all, expected);
    assert_eq!(storage.lua_list(None, "c", 0, None).await.unwrap().len(), 1);
    assert_eq!(
        storage
            .lua_list(Some(&ada), "c", u64::MAX, None)
            .await
            .unwrap()
            .len(),
        7
    );
}

/// Large values come in several portions, and none is lost between them.
#[tokio::test]
async fn a_listing_stays_of_bearable_size() {
    let server = Server::start().await;
    let (storage, ada) = (&server.storage, server.player().await);
    let large = json!("x".repeat(250 * 1024));
    for n in 0..50 {
        server
            .put(&ada, &format!("k{n:02}"), set(large.clone()))
            .await
            .unwrap();
    }
    let mut page = crate::edge::params::Page::default();
    let mut sizes = Vec::new();
    loop {
        let objects = storage.objects(&ada, "c", &page).await.unwrap();
        sizes.push(objects.objects.len());
        page.before = objects.next_before;
        if page.before.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [32, 18]);
    let first = storage.lua_list(Some(&ada), "c", 200, None).await.unwrap();
    assert_eq!(first.len(), 32);
    let rest = storage
        .lua_list(Some(&ada), "c", 200, Some(&first[31].key))
        .await
        .unwrap();
    assert_eq!(rest.len(), 18);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_one_of_many_writes_counts() {
    let server = Server::start().await;
    let (storage, ada) = (&server.storage, server.player().await);
    for owner in [None, Some(&ada)] {
        let write = |n: i32| storage.lua_set(owner, "c", "k", json!(n), None);
        let mut versions: Vec<i32> = join_all((0..20).map(write))
            .await
            .into_iter()
            .map(|written| written.unwrap().version)
            .collect();
        versions.sort_unstable();
        assert_eq!(versions, (1..=20).collect::<Vec<_>>());

        let insist = |n: i32| storage.lua_set(owner, "c", "k", json!(n), Some(20));
        let (won, lost) = split(join_all((0..20).map(insist)).await);
        assert_eq!((won, lost), (1, vec![Code::StorageVersionConflict; 19]));
        let first = |n: i32| storage.lua_set(owner, "c", "new", json!(n), Some(0));
        let (won, lost) = split(join_all((0..20).map(first)).await);
        assert_eq!((won, lost), (1, vec![Code::StorageVersionConflict; 19]));
        let delete = |_| storage.lua_delete(owner, "c", "k", Some(21));
        let deleted = join_all((0..5).map(delete)).await;
        assert_eq!(
            deleted.into_iter().filter(|one| *one == Ok(true)).count(),
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_saves_of_one_version_one_wins() {
    let server = Server::start().await;
    let (storage, ada) = (&server.storage, server.player().await);
    for version in 0..3 {
        let data = json!({ "version": version });
        let save = |_| storage.put_save(&ada, "slot", &data, Some(version));
        let (won, lost) = split(join_all((0..20).map(save)).await);
        assert_eq!((won, lost), (1, vec![Code::SaveVersionConflict; 19]));
    }
    let data = json!(0);
    let save = |_| storage.put_save(&ada, "slot", &data, None);
    let (won, _) = split(join_all((0..20).map(save)).await);
    assert_eq!(won, 20);
    let saves = serde_json::to_value(storage.saves(&ada).await.unwrap()).unwrap();
    assert_eq!(saves[0]["version"], 23);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rush_gets_past_a_limit() {
    let server = Server::with(StorageConfig {
        max_objects_per_player: 7,
        ..StorageConfig::default()
    })
    .await;
    let (storage, ada) = (&server.storage, server.player().await);
    let keys: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let data = json!(1);
    let saves = keys
        .iter()
        .map(|key| storage.put_save(&ada, key, &data, None));
    let (won, lost) = split(join_all(saves).await);
    assert_eq!((won, lost), (10, vec![Code::SaveSlotLimitReached; 10]));
    let puts = keys.iter().map(|key| server.put(&ada, key, set(json!(1))));
    let (won, lost) = split(join_all(puts).await);
    assert_eq!((won, lost), (7, vec![Code::StorageLimitReached; 13]));
    // Scripts may, and what is there can still be written.
    storage
        .lua_set(Some(&ada), "c", "more", json!(1), None)
        .await
        .unwrap();
    server.put(&ada, "more", set(json!(2))).await.unwrap();
}

/// At a key nobody has yet, one player is first; to the others it is somebody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_players_at_a_new_key_one_is_first() {
    let server = Server::start().await;
    let players = join_all((0..10).map(|_| server.player())).await;
    let puts = players
        .iter()
        .map(|player| server.put(player, "k", set(json!(1))));
    let (won, lost) = split(join_all(puts).await);
    assert_eq!((won, lost), (1, vec![Code::StorageForbidden; 9]));

    let public = |_| ObjectChange {
        write_perm: Some(Perm::Public),
        ..set(json!(1))
    };
    let puts = players
        .iter()
        .map(|player| server.put(player, "open", public(player)));
    let mut versions: Vec<_> = join_all(puts)
        .await
        .into_iter()
        .map(|object| object.unwrap()["version"].as_i64().unwrap())
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=10).collect::<Vec<_>>());
}

/// A script may give each player theirs; a player then finds their own, or else the oldest they
/// may use.
#[tokio::test]
async fn of_several_at_a_key_ones_own_comes_first_and_then_the_oldest_open_one() {
    let server = Server::start().await;
    let storage = &server.storage;
    let (ada, bob, eve) = (
        server.player().await,
        server.player().await,
        server.player().await,
    );
    let get = async |caller: &PlayerId, owner: Option<&PlayerId>| {
        let at = Address {
            owner: owner.map(PlayerId::as_str),
            ..at("k")
        };
        let object = storage.object(caller, at).await;
        object.map(|object| serde_json::to_value(object).unwrap()["value"].clone())
    };
    storage
        .lua_set(None, "c", "k", json!("the game's"), None)
        .await
        .unwrap();
    assert_eq!(code(get(&eve, None).await), Code::StorageNotFound);
    storage
        .lua_set(Some(&ada), "c", "k", json!("ada's"), None)
        .await
        .unwrap();
    storage
        .lua_set(Some(&bob), "c", "k", json!("bob's"), None)
        .await
        .unwrap();
    assert_eq!(get(&ada, None).await, Ok(json!("ada's")));
    assert_eq!(get(&bob, None).await, Ok(json!("bob's")));
    assert_eq!(code(get(&eve, None).await), Code::StorageForbidden);
    assert_eq!(code(get(&eve, Some(&ada)).await), Code::StorageForbidden);
    assert_eq!(code(get(&eve, Some(&eve)).await), Code::StorageNotFound);

    let open = |value: &str| ObjectChange {
        read_perm: Some(Perm::Public),
        ..set(json!(value))
    };
    server.put(&bob, "k", open("bob's, open")).await.unwrap();
    assert_eq!(get(&eve, None).await, Ok(json!("bob's, open")));
    server.put(&ada, "k", open("ada's, open")).await.unwrap();
    assert_eq!(get(&eve, None).await, Ok(json!("ada's, open")));
    assert_eq!(get(&eve, Some(&bob)).await, Ok(json!("bob's, open")));
    // To read is not to write.
    assert_eq!(
        code(server.put(&eve, "k", set(json!(1))).await),
        Code::StorageForbidden
    );
    let delete = |caller| storage.delete_object(caller, at("k"));
    assert_eq!(code(delete(&eve).await), Code::StorageForbidden);
    delete(&ada).await.unwrap();
    delete(&bob).await.unwrap();
    assert_eq!(code(delete(&eve).await), Code::StorageNotFound);
    storage.lua_get(None, "c", "k").await.unwrap();
}

#[tokio::test]
async fn without_storage_nothing_is_found() {
    let server = Server::with(StorageConfig {
        enabled: false,
        ..StorageConfig::default()
    })
    .await;
    let (storage, ada) = (&server.storage, server.player().await);
    let found = [
        code(storage.lua_get(None, "c", "k").await),
        code(storage.lua_set(None, "c", "k", json!(1), None).await),
        code(storage.lua_delete(None, "c", "k", None).await),
        code(storage.lua_list(None, "c", 1, None).await),
        code(server.put(&ada, "k", set(json!(1))).await),
        code(storage.object(&ada, at("k")).await),
    ];
    assert_eq!(found, [Code::StorageNotFound; 6]);
    assert_eq!(code(storage.saves(&ada).await), Code::SaveNotFound);
}

/// How many succeeded, and how the others failed.
fn split<T>(results: Vec<Result<T, ApiError>>) -> (usize, Vec<Code>) {
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let codes = lost.into_iter().filter_map(Result::err);
    (won.len(), codes.map(|error| error.code).collect())
}
