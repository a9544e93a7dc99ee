//! Cloud saves and collections over REST.

use asobi_wire::Code;
use serde_json::{Value, json};

use crate::rest::{Answer, Guest};
use crate::server::{GAME, Player, Server};

/// Bodies that are wrong for any of the routes that take one, and what they are answered with.
fn wrong_bodies(field: &str) -> Vec<(String, Code)> {
    let deep = format!(
        "{{\"{field}\":{}{}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    vec![
        ("{".into(), Code::InvalidJson),
        (format!("{{\"{field}\":}}"), Code::InvalidJson),
        (format!("{{\"{field}\":\"\\ud800\"}}"), Code::InvalidJson),
        (format!("{{\"{field}\":1e400}}"), Code::InvalidJson),
        (deep, Code::InvalidJson),
        (
            format!("{{\"{field}\":1,\"version\":\"1\"}}"),
            Code::MissingField,
        ),
        (
            format!("{{\"{field}\":1,\"version\":1.5}}"),
            Code::MissingField,
        ),
        (
            format!("{{\"{field}\":1,\"version\":{{}}}}"),
            Code::MissingField,
        ),
        (" ".repeat(2 * 1024 * 1024), Code::PayloadTooLarge),
    ]
}

fn of(server: &Server, player: &Player) -> Guest {
    let [guest] = server.guests_of([player]);
    guest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_is_there_after_a_crash_and_nobody_elses() {
    let mut server = Server::start();
    let (ada, bob) = (server.guest().await, server.guest().await);
    let data =
        json!({"level": 3, "nul": "a\u{0}b\u{1F98A}", "": [null, -0.5, 18446744073709551615_u64]});
    let saved = of(&server, &ada)
        .put("/saves/slot%201", json!({ "data": data }))
        .await
        .ok();
    assert_eq!(saved["slot"], "slot 1");
    assert_eq!(saved["player_id"], ada.id.as_str());
    assert_eq!(saved["version"], 1);
    assert_eq!(saved["data"], data);
    server.kill_and_restart();
    let hers = of(&server, &ada);
    assert_eq!(hers.get("/saves/slot%201").await.ok(), saved);
    let listed = hers.get("/saves").await.ok();
    let summary = json!({"slot": "slot 1", "version": 1, "updated_at": saved["updated_at"]});
    assert_eq!(listed, json!({ "saves": [summary] }));

    let his = of(&server, &bob);
    assert_eq!(his.get("/saves").await.ok(), json!({"saves": []}));
    his.get("/saves/slot%201").await.refused(Code::SaveNotFound);
    his.delete("/saves/slot%201")
        .await
        .refused(Code::SaveNotFound);
    assert_eq!(
        hers.delete("/saves/slot%201").await.ok(),
        json!({"success": true})
    );
    hers.get("/saves/slot%201")
        .await
        .refused(Code::SaveNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_tells_a_device_that_another_wrote() {
    let server = Server::start();
    let ada = server.guest().await;
    let hers = of(&server, &ada);
    let put = async |body: Value| hers.put("/saves/a", body).await;
    let conflict = |answer: Answer, current: i32| {
        assert_eq!(answer.status, 409);
        let details = answer.refused(Code::SaveVersionConflict);
        assert_eq!(details["current_version"], current);
    };
    assert_eq!(put(json!({})).await.ok()["data"], json!({}));
    assert_eq!(
        put(json!({"data": null, "version": 1})).await.ok()["version"],
        2
    );
    conflict(put(json!({"data": 1, "version": 1})).await, 2);
    for there_must_be_none in [json!(0), json!(null)] {
        conflict(put(json!({"version": there_must_be_none})).await, 2);
    }
    conflict(put(json!({"version": -1})).await, 2);
    conflict(put(json!({"version": 1e300})).await, 2);
    assert_eq!(
        put(json!({"data": 3, "version": 2.0})).await.ok()["version"],
        3
    );
    assert_eq!(put(json!({"data": 4})).await.ok()["version"], 4);
    // An empty slot takes any.
    for (slot, version) in [("b", json!(0)), ("c", json!(null)), ("d", json!(7))] {
        let path = format!("/saves/{slot}");
        let saved = hers.put(&path, json!({ "version": version })).await.ok();
        assert_eq!(saved["version"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_devices_with_one_version_one_saves() {
    let server = Server::start();
    let ada = server.guest().await;
    let hers = of(&server, &ada);
    hers.put("/saves/a", json!({"data": 0})).await.ok();
    let puts = (0..20).map(|n| hers.put("/saves/a", json!({"data": n, "version": 1})));
    let answers = futures_util::future::join_all(puts).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|one| one.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        let body = answer.refused(Code::SaveVersionConflict);
        assert_eq!(body["current_version"], 2);
    }
    assert_eq!(hers.get("/saves/a").await.ok()["data"], won[0].body["data"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn saves_that_are_wrong_are_told_why() {
    let server = Server::start();
    let ada = server.guest().await;
    let hers = of(&server, &ada);
    for (body, code) in wrong_bodies("data") {
        hers.put("/saves/a", body).await.refused(code);
    }
    for body in ["[]", "null", "7", "\"text\""] {
        hers.put("/saves/a", body)
            .await
            .refused(Code::InvalidPayload);
    }
    for slot in ["%00", "a%0Ab", "%E2%80%AEx", &"x".repeat(65)] {
        let path = format!("/saves/{slot}");
        hers.put(&path, "{}").await.refused(Code::SaveInvalidSlot);
        hers.get(&path).await.refused(Code::SaveInvalidSlot);
        hers.delete(&path).await.refused(Code::SaveInvalidSlot);
    }
    hers.put("/saves/%FF", "{}").await.refused(Code::NotFound);
    let data = |bytes: usize| json!({ "data": "x".repeat(bytes - 2) });
    let large = hers.put("/saves/a", data(256 * 1024 + 1)).await;
    assert_eq!(large.status, 413);
    large.refused(Code::SaveTooLarge);
    assert_eq!(hers.get("/saves").await.ok(), json!({"saves": []}));
    hers.put("/saves/a", data(256 * 1024)).await.ok();
    for n in 1..10 {
        hers.put(&format!("/saves/{n}"), "{}").await.ok();
    }
    let full = hers.put("/saves/b", "{}").await;
    assert_eq!(full.status, 409);
    full.refused(Code::SaveSlotLimitReached);
    hers.put("/saves/a", "{}").await.ok();
    hers.delete("/saves/9").await.ok();
    hers.put("/saves/b", "{}").await.ok();
    for (method, path) in [
        ("GET", "/saves"),
        ("GET", "/saves/a"),
        ("PUT", "/saves/a"),
        ("DELETE", "/saves/a"),
        ("GET", "/storage/c"),
        ("GET", "/storage/c/k"),
        ("PUT", "/storage/c/k"),
        ("DELETE", "/storage/c/k"),
    ] {
        server
            .rest(method, path, "", "{}")
            .await
            .refused(Code::Unauthenticated);
        server
            .rest(method, path, "nonsense", "{}")
            .await
            .refused(Code::Unauthenticated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_its_owners_unless_it_says_otherwise() {
    let server = Server::start();
    let (ada, bob) = (server.guest().await, server.guest().await);
    let (hers, his) = (of(&server, &ada), of(&server, &bob));
    let value = json!({"nul": "a\u{0}b", "n": 1.5});
    let made = hers
        .put("/storage/c/k", json!({ "value": value }))
        .await
        .ok();
    for (field, expected) in [
        ("collection", json!("c")),
        ("key", json!("k")),
        ("player_id", json!(ada.id)),
        ("value", value),
        ("version", json!(1)),
        ("read_perm", json!("owner")),
        ("write_perm", json!("owner")),
    ] {
        assert_eq!(made[field], expected, "{field}");
    }
    assert_eq!(hers.get("/storage/c/k").await.ok(), made);
    his.get("/storage/c/k")
        .await
        .refused(Code::StorageForbidden);
    his.put("/storage/c/k", "{}")
        .await
        .refused(Code::StorageForbidden);
    let denied = his.delete("/storage/c/k").await;
    assert_eq!(denied.status, 403);
    denied.refused(Code::StorageForbidden);

    let readable = json!({"value": 2, "read_perm": "public"});
    hers.put("/storage/c/k", readable).await.ok();
    assert_eq!(his.get("/storage/c/k").await.ok()["value"], 2);
    his.put("/storage/c/k", "{}")
        .await
        .refused(Code::StorageForbidden);
    // As in the original, what is not given is the owner's alone again.
    hers.put("/storage/c/k", json!({"value": 3})).await.ok();
    his.get("/storage/c/k")
        .await
        .refused(Code::StorageForbidden);

    let open = json!({"value": 4, "read_perm": "public", "write_perm": "public"});
    hers.put("/storage/c/k", open).await.ok();
    let grab = json!({"value": 5, "read_perm": "owner", "write_perm": "owner"});
    let written = his.put("/storage/c/k", grab).await.ok();
    assert_eq!(written["player_id"], ada.id.as_str());
    assert_eq!(written["version"], 5);
    assert_eq!(written["read_perm"], "public");
    assert_eq!(written["write_perm"], "public");
    let kept = hers.put("/storage/c/k", json!({"value": 6})).await.ok();
    assert_eq!(kept["write_perm"], "public");
    hers.put("/storage/c/k", json!({"value": 7, "write_perm": "owner"}))
        .await
        .ok();
    his.delete("/storage/c/k")
        .await
        .refused(Code::StorageForbidden);
    let open = json!({"write_perm": "public"});
    hers.put("/storage/c/k", open).await.ok();
    assert_eq!(
        his.delete("/storage/c/k").await.ok(),
        json!({"success": true})
    );
    hers.get("/storage/c/k")
        .await
        .refused(Code::StorageNotFound);
    hers.delete("/storage/c/k")
        .await
        .refused(Code::StorageNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_can_be_named() {
    let server = Server::start();
    let (ada, bob) = (server.guest().await, server.guest().await);
    let (hers, his) = (of(&server, &ada), of(&server, &bob));
    let open = json!({"value": "ada's", "read_perm": "public", "write_perm": "public"});
    hers.put("/storage/c/k", open).await.ok();
    let named = |id: &str| format!("/storage/c/k?player_id={id}");
    his.get(&named("me")).await.refused(Code::StorageNotFound);
    his.put(&named("me"), json!({"value": "bob's"})).await.ok();
    assert_eq!(his.get("/storage/c/k").await.ok()["value"], "bob's");
    assert_eq!(his.get(&named(&ada.id)).await.ok()["value"], "ada's");
    assert_eq!(
        his.put(&named(&ada.id), json!({"value": 1})).await.ok()["player_id"],
        ada.id.as_str()
    );
    hers.get(&named(&bob.id))
        .await
        .refused(Code::StorageForbidden);
    hers.put(&named(&bob.id), "{}")
        .await
        .refused(Code::StorageForbidden);
    hers.delete(&named(&bob.id))
        .await
        .refused(Code::StorageForbidden);
    // One makes objects for oneself only.
    let other = format!("/storage/c/new?player_id={}", bob.id);
    hers.put(&other, "{}").await.refused(Code::StorageNotFound);
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    for id in [nobody, "", "x", "%00", "..", &ada.id.to_uppercase()] {
        hers.get(&named(id)).await.refused(Code::StorageNotFound);
        hers.put(&named(id), "{}")
            .await
            .refused(Code::StorageNotFound);
        hers.delete(&named(id)).await.refused(Code::StorageNotFound);
    }
    hers.get("/storage/c/k?player_id=%FF")
        .await
        .refused(Code::StorageNotFound);
    his.delete(&named(&bob.id)).await.ok();
    his.get("/storage/c/k").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_wrong_are_told_why() {
    let server = Server::with(GAME, &[("ASOBI_STORAGE__MAX_OBJECTS_PER_PLAYER", "3")]);
    let ada = server.guest().await;
    let hers = of(&server, &ada);
    for (body, code) in wrong_bodies("value") {
        hers.put("/storage/c/k", body).await.refused(code);
    }
    for body in ["[]", "null", "7", "\"text\""] {
        hers.put("/storage/c/k", body)
            .await
            .refused(Code::StorageInvalidRequest);
    }
    for perm in [
        json!("everyone"),
        json!(""),
        json!(1),
        json!({}),
        json!("Public"),
        json!(["public"]),
    ] {
        for field in ["read_perm", "write_perm"] {
            let body = json!({ field: perm });
            hers.put("/storage/c/k", body)
                .await
                .refused(Code::StorageInvalidPerm);
        }
    }
    for bad in ["%00", "a%0Ab", "%E2%80%AEx", &"x".repeat(129)] {
        for path in [format!("/storage/{bad}/k"), format!("/storage/c/{bad}")] {
            hers.get(&path).await.refused(Code::StorageInvalidKey);
            hers.put(&path, "{}").await.refused(Code::StorageInvalidKey);
            hers.delete(&path).await.refused(Code::StorageInvalidKey);
        }
        hers.get(&format!("/storage/{bad}"))
            .await
            .refused(Code::StorageInvalidKey);
    }
    let value = |bytes: usize| json!({ "value": "x".repeat(bytes - 2) });
    let large = hers.put("/storage/c/k", value(256 * 1024 + 1)).await;
    assert_eq!(large.status, 413);
    large.refused(Code::StorageValueTooLarge);
    hers.get("/storage/c/k")
        .await
        .refused(Code::StorageNotFound);

    let missing = hers.put("/storage/c/k", json!({"version": 1})).await;
    assert_eq!(
        missing.refused(Code::StorageVersionConflict)["current_version"],
        0
    );
    hers.put("/storage/c/k", json!({"version": 0})).await.ok();
    let stale = hers.put("/storage/c/k", json!({"version": null})).await;
    assert_eq!(stale.status, 409);
    assert_eq!(
        stale.refused(Code::StorageVersionConflict)["current_version"],
        1
    );
    hers.put("/storage/c/k", json!({"version": 1})).await.ok();

    hers.put("/storage/c/k2", value(256 * 1024)).await.ok();
    hers.put("/storage/c/k3", "{}").await.ok();
    let full = hers.put("/storage/c/k4", "{}").await;
    assert_eq!(full.status, 409);
    full.refused(Code::StorageLimitReached);
    hers.put("/storage/c/k3", "{}").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_lists_what_one_may_read_newest_first() {
    let server = Server::start();
    let (ada, bob) = (server.guest().await, server.guest().await);
    let (hers, his) = (of(&server, &ada), of(&server, &bob));
    for n in 0..6 {
        let perm = if n % 2 == 0 { "public" } else { "owner" };
        let body = json!({"value": n, "read_perm": perm});
        hers.put(&format!("/storage/c/ada{n}"), body).await.ok();
        his.put(&format!("/storage/c/bob{n}"), json!({ "value": n }))
            .await
            .ok();
    }
    hers.put("/storage/other/k", json!({"read_perm": "public"}))
        .await
        .ok();
    let keys = |body: &Value| -> Vec<String> {
        let objects = body["objects"].as_array().unwrap();
        objects
            .iter()
            .map(|object| object["key"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = his.get("/storage/c").await.ok();
    assert_eq!(
        keys(&all),
        [
            "bob5", "bob4", "ada4", "bob3", "bob2", "ada2", "bob1", "bob0", "ada0"
        ]
    );
    assert_eq!(all["next_before"], Value::Null);
    assert_eq!(all["objects"][2], his.get("/storage/c/ada4").await.ok());

    let mut seen = Vec::new();
    let mut path = "/storage/c?limit=4".to_owned();
    loop {
        let page = his.get(&path).await.ok();
        seen.extend(keys(&page));
        let Some(before) = page["next_before"].as_str() else {
            break;
        };
        path = format!("/storage/c?limit=4&before={before}");
    }
    assert_eq!(seen, keys(&all));
    assert_eq!(keys(&his.get("/storage/c?limit=0").await.ok()).len(), 1);
    assert_eq!(keys(&his.get("/storage/c?limit=abc").await.ok()).len(), 9);
    assert!(keys(&his.get("/storage/none").await.ok()).is_empty());
    for bad in ["x", "%00", "", "01890A5D-AC96-774B-BCCE-B302099A8057"] {
        let path = format!("/storage/c?before={bad}");
        his.get(&path).await.refused(Code::InvalidPayload);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_storage_there_is_nothing_to_find() {
    let server = Server::with(GAME, &[("ASOBI_STORAGE__ENABLED", "false")]);
    let ada = server.guest().await;
    let hers = of(&server, &ada);
    for path in ["/saves", "/saves/a", "/saves/%00"] {
        hers.get(path).await.refused(Code::SaveNotFound);
    }
    hers.put("/saves/a", "{}").await.refused(Code::SaveNotFound);
    hers.delete("/saves/a").await.refused(Code::SaveNotFound);
    for path in ["/storage/c", "/storage/c/k"] {
        hers.get(path).await.refused(Code::StorageNotFound);
    }
    hers.put("/storage/c/k", "{}")
        .await
        .refused(Code::StorageNotFound);
    hers.delete("/storage/c/k")
        .await
        .refused(Code::StorageNotFound);
}
