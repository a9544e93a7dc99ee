//! Erasure and retention, looked at from behind the edge. What a client sees of them is in
//! `tests/e2e/players.rs`.

use asobi_game::PlayerId;
use asobi_wire::Code;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::accounts::{NewPlayer, SignedIn};
use crate::app::Services;
use crate::clock::db_now;
use crate::config::Config;
use crate::storage::{Address, ObjectChange};
use crate::test_server::TestServer;

const PASSWORD: &str = "correct horse";

struct Server(TestServer);

impl Server {
    async fn start() -> Self {
        let quick = |config: &mut Config| {
            config.auth.hash_memory_kib = 64;
            config.auth.hash_passes = 1;
            config.limits.erase_per_minute = 0;
        };
        Self(TestServer::with(quick).await)
    }

    fn services(&self) -> &Services {
        &self.0.services
    }

    async fn register(&self, username: &str) -> SignedIn {
        let new = NewPlayer {
            username: username.into(),
            password: PASSWORD.into(),
            display_name: None,
        };
        self.services().accounts.register(new).await.unwrap()
    }

    async fn guest(&self, device: &str) -> SignedIn {
        let secret = "A".repeat(44);
        let accounts = &self.services().accounts;
        accounts.guest(device, &secret).await.unwrap()
    }

    /// Runs statements behind the server's back; `$p` stands for `player`.
    async fn sql(&self, player: &SignedIn, statements: &str) {
        let statements = statements.replace("$p", &player.player_id);
        for statement in statements.split(';').filter(|one| !one.trim().is_empty()) {
            self.0.sql(statement).await;
        }
    }

    async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let db = self.services().db.read();
        let sql = Statement::from_string(db.get_database_backend(), sql);
        let rows = db.query_all_raw(sql).await.unwrap();
        let row = |row: sea_orm::QueryResult| {
            let columns = row.column_names().len();
            (0..columns)
                .map(|at| row.try_get_by_index::<String>(at).unwrap_or_default())
                .collect()
        };
        rows.into_iter().map(row).collect()
    }

    /// Every `table.column` that says something of a player.
    async fn mentions(&self, player: &SignedIn) -> Vec<String> {
        let columns = match self.services().db.read().get_database_backend() {
            DbBackend::Postgres => {
                "SELECT CAST(table_name AS text), CAST(column_name AS text) \
                 FROM information_schema.columns WHERE table_schema = 'public'"
            }
            _ => {
                "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table'"
            }
        };
        let mut found = Vec::new();
        for column in self.rows(columns).await {
            let [table, column] = &column[..] else {
                panic!()
            };
            let sql = format!(
                "SELECT 'x' FROM \"{table}\" WHERE CAST(\"{column}\" AS text) LIKE '%{}%' LIMIT 1",
                player.player_id
            );
            if !self.rows(&sql).await.is_empty() {
                found.push(format!("{table}.{column}"));
            }
        }
        found.sort();
        found
    }
}

fn id(player: &SignedIn) -> PlayerId {
    PlayerId::from(player.player_id.as_str())
}

/// Tables that have rows of no player, or that only the simulation reads.
const NOT_OF_PLAYERS: [&str; 5] = [
    "audit_entries",
    "match_snapshots",
    "revoked_families",
    "seaql_migrations",
    "sqlite_sequence",
];

/// What keeps a bare id of somebody who is gone.
const KEEPS_IDS: [&str; 5] = [
    "audit_entries.actor_id",
    "audit_entries.target_id",
    "group_invites.invited_by",
    "match_records.players",
    "votes.votes_cast",
];

/// Whoever adds a table with rows of players adds a row here, and learns whether an erasure
/// reaches it.
const ROWS: &str = "
    INSERT INTO friendships VALUES ('f1', '$p', '$o', 'accepted', 1, 1);
    INSERT INTO friendships VALUES ('f2', '$o', '$p', 'blocked', 1, 1);
    INSERT INTO groups (id, name, max_members, open, creator_id, metadata, inserted_at, updated_at)
        VALUES ('g1', 'knights', 9, true, '$p', '{}', 1, 1);
    INSERT INTO group_members VALUES ('m1', 'g1', '$p', 'owner', 1);
    INSERT INTO group_members VALUES ('m2', 'g1', '$o', 'member', 2);
    INSERT INTO group_invites VALUES ('i1', 'g1', '$p', '$o', 1);
    INSERT INTO group_invites VALUES ('i2', 'g1', '$o', '$p', 1);
    INSERT INTO chat_messages VALUES ('c1', 'room', 'lobby', '$p', 'hello', 1, NULL, NULL);
    INSERT INTO chat_messages VALUES ('c2', 'dm', 'dm', '$o', 'psst', 1, '$p', NULL);
    INSERT INTO chat_messages VALUES ('c3', 'room', 'lobby', '$o', 'hi', 1, NULL, NULL);
    INSERT INTO notifications VALUES ('n1', '$p', 'news', 'subject', '{}', false, 1, NULL);
    INSERT INTO notifications VALUES ('n2', '$o', 'deed', 'of', '{\"by\":\"$p\"}', false, 1, '$p');
    INSERT INTO cloud_saves VALUES ('s1', '$p', 'slot', '{}', 1, 1);
    INSERT INTO storage_objects VALUES ('o1', 'c', 'k', '$p', '$p', '{}', 1, 'owner', 'owner', 1);
    INSERT INTO match_records VALUES ('r1', 'm', 'finished', '[\"$p\"]', '{}', 1, 1, 1);
    INSERT INTO votes VALUES ('v1', 'r1', 't', 'plurality', '[]', '{\"$p\":\"a\"}', '{}', '{}', 1, 1, 1, 1, 1, 1)";

#[tokio::test]
async fn an_erased_player_leaves_nothing_but_bare_ids() {
    let server = Server::start().await;
    let other = server.register("other").await;
    let player = server.guest("phone").await;
    let rows = ROWS.replace("$o", &other.player_id);
    server.sql(&player, &rows).await;
    let before = server.mentions(&player).await;
    let tables = match server.services().db.read().get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = 'public'"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    for table in server.rows(tables).await.concat() {
        let is_mentioned = |column: &String| column.starts_with(&format!("{table}."));
        assert!(
            NOT_OF_PLAYERS.contains(&table.as_str()) || before.iter().any(is_mentioned),
            "give `{table}` a row in ROWS"
        );
    }

    let players = &server.services().players;
    players.erase_self(&id(&player), None).await.unwrap();
    assert_eq!(server.mentions(&player).await, KEEPS_IDS);
    let others = server.mentions(&other).await;
    assert!(others.contains(&"chat_messages.sender_id".into()));
    let audit = "SELECT actor_id, actor_display, actor_source, action, target_type, target_id, \
                 outcome FROM audit_entries WHERE actor_attested";
    let by = player.player_id.as_str();
    assert_eq!(
        server.rows(audit).await,
        [[by, "self", "player", "players.erase", "player", by, "ok"]]
    );
    let heir = "SELECT player_id FROM group_members WHERE role = 'owner'";
    assert_eq!(server.rows(heir).await, [[other.player_id.as_str()]]);
    let creator = "SELECT id FROM groups WHERE creator_id IS NULL";
    assert_eq!(server.rows(creator).await, [["g1"]]);

    let players = &server.services().players;
    let again = players.erase_self(&id(&player), None).await.unwrap_err();
    assert_eq!(again.code, Code::Unauthenticated);
    players
        .erase_self(&id(&other), Some(PASSWORD))
        .await
        .unwrap();
    assert!(server.rows("SELECT id FROM groups").await.is_empty());
    assert!(server.rows("SELECT id FROM chat_messages").await.is_empty());
}

#[tokio::test]
async fn an_erasure_that_fails_deletes_nothing() {
    let server = Server::start().await;
    let player = server.register("ada").await;
    server
        .sql(&player, "ALTER TABLE audit_entries RENAME TO away")
        .await;
    let players = &server.services().players;
    let error = players.erase_self(&id(&player), Some(PASSWORD)).await;
    assert_eq!(error.unwrap_err().code, Code::PlayerEraseFailed);
    let accounts = &server.services().accounts;
    assert!(accounts.verify(&player.access_token).is_ok());
    accounts.refresh(&player.refresh_token).await.unwrap();
    server
        .sql(&player, "ALTER TABLE away RENAME TO audit_entries")
        .await;
    let players = &server.services().players;
    players
        .erase_self(&id(&player), Some(PASSWORD))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_changed_since_it_was_confirmed_is_not_erased() {
    let server = Server::start().await;
    let services = server.services();
    let confirm = async |player: &SignedIn, password: Option<&str>| {
        let accounts = &services.accounts;
        accounts
            .confirm_password(&id(player), password)
            .await
            .unwrap()
    };
    let erase = async |player: &SignedIn, confirmed| {
        services
            .players
            .erase_confirmed(&id(player), &confirmed)
            .await
    };
    let ada = server.register("ada").await;
    let confirmed = confirm(&ada, Some(PASSWORD)).await;
    server
        .sql(
            &ada,
            "UPDATE players SET password_hash = 'x' WHERE id = '$p'",
        )
        .await;
    let error = erase(&ada, confirmed).await.unwrap_err();
    assert_eq!(error.code, Code::PlayerCredentialsChanged);

    let guest = server.guest("phone").await;
    let confirmed = confirm(&guest, None).await;
    let accounts = &services.accounts;
    accounts
        .upgrade(&guest.player_id, "bob", PASSWORD)
        .await
        .unwrap();
    let error = erase(&guest, confirmed).await.unwrap_err();
    assert_eq!(error.code, Code::PlayerCredentialsChanged);
    services.players.profile(&guest.player_id).await.unwrap();
}

/// Whatever else goes on about a player, they are erased whole, and everybody gets an answer
/// that is in the book.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_in_the_middle_of_things() {
    let server = Server::start().await;
    let services = server.services();
    for round in 0..6 {
        let player = server.guest(&format!("phone {round}")).await;
        let me = id(&player);
        let write = |n: u32| {
            let (me, player) = (me.clone(), player.clone());
            async move {
                let slot = format!("slot {}", n % 4);
                let at = Address {
                    collection: "c",
                    key: &slot,
                    owner: None,
                };
                let change = ObjectChange {
                    value: json!(n),
                    read_perm: None,
                    write_perm: None,
                    expected: None,
                };
                let fields = json!({ "display_name": slot });
                let fields = fields.as_object().unwrap();
                let (storage, players) = (&services.storage, &services.players);
                let answers = match n % 5 {
                    0 => storage
                        .put_save(&me, &slot, &json!(n), None)
                        .await
                        .map(drop),
                    1 => storage.put_object(&me, at, change).await.map(drop),
                    2 => {
                        let set = storage.lua_set(Some(&me), "l", &slot, json!(n), None);
                        set.await.map(drop)
                    }
                    3 => players.update(&me, fields).await.map(drop),
                    _ => services
                        .accounts
                        .refresh(&player.refresh_token)
                        .await
                        .map(drop),
                };
                answers.err().map(|error| error.code)
            }
        };
        let erase = async {
            tokio::time::sleep(std::time::Duration::from_millis(5 * round)).await;
            services.players.erase_self(&me, None).await.unwrap();
        };
        let (codes, ()) = tokio::join!(join_all((0..25).map(write)), erase);
        for code in codes.into_iter().flatten() {
            let known = [Code::PlayerNotFound, Code::Unauthenticated];
            assert!(known.contains(&code), "{code:?}");
        }
        let mut left = server.mentions(&player).await;
        left.retain(|column| !KEEPS_IDS.contains(&column.as_str()));
        assert!(left.is_empty(), "{left:?}");
        assert!(services.accounts.verify(&player.access_token).is_err());
    }
}

#[tokio::test]
async fn fields_changed_at_the_same_time_are_all_kept() {
    let server = Server::start().await;
    let player = server.register("ada").await;
    let update = |fields: Value| {
        let players = &server.services().players;
        let me = id(&player);
        async move {
            players
                .update(&me, fields.as_object().unwrap())
                .await
                .unwrap()
        }
    };
    for n in 0..10 {
        let name = format!("Ada {n}");
        let url = format!("https://a.b/{n}");
        let metadata = json!({ "n": n, "nul": "a\u{0}b" });
        tokio::join!(
            update(json!({ "display_name": name })),
            update(json!({ "avatar_url": url })),
            update(json!({ "metadata": metadata })),
        );
        let profile = server.services().players.profile(&player.player_id).await;
        let profile = serde_json::to_value(profile.unwrap()).unwrap();
        assert_eq!(profile["display_name"], name);
        assert_eq!(profile["avatar_url"], url);
        assert_eq!(profile["metadata"], metadata);
    }
}

#[tokio::test]
async fn only_guests_who_stay_away_are_reaped() {
    let server = Server::start().await;
    let services = server.services();
    let (away, seen, claimed, linked) = (
        server.guest("away").await,
        server.guest("seen").await,
        server.guest("claimed").await,
        server.guest("linked").await,
    );
    let player = server.register("ada").await;
    let accounts = &services.accounts;
    accounts
        .upgrade(&claimed.player_id, "bob", PASSWORD)
        .await
        .unwrap();
    server
        .sql(
            &linked,
            "INSERT INTO player_identities VALUES ('i', '$p', 'steam', '1', '{}', 1, 1);
             UPDATE player_identities SET updated_at = 1",
        )
        .await;
    // Whoever refreshes is there, if without their device.
    accounts.refresh(&seen.refresh_token).await.unwrap();
    let since = db_now() - 60_000;
    assert_eq!(services.players.reap(since).await.unwrap(), 1);
    for kept in [&seen, &claimed, &linked, &player] {
        services.players.profile(&kept.player_id).await.unwrap();
    }
    let gone = services.players.profile(&away.player_id).await.unwrap_err();
    assert_eq!(gone.code, Code::PlayerNotFound);
    assert!(accounts.verify(&away.access_token).is_err());
    assert!(server.mentions(&away).await.is_empty());
    assert!(server.rows("SELECT id FROM audit_entries").await.is_empty());
    assert_eq!(services.players.reap(since).await.unwrap(), 0);

    // The device begins anew.
    let again = server.guest("away").await;
    assert!(again.created && again.player_id != away.player_id);

    // While the game takes no guests, none can come back, so none stays away.
    server
        .sql(&again, "UPDATE player_identities SET updated_at = 1")
        .await;
    accounts.set_game(false, None);
    assert_eq!(services.players.reap(since).await.unwrap(), 0);
}

#[tokio::test]
async fn a_guest_who_comes_back_in_time_stays() {
    let server = Server::start().await;
    let services = server.services();
    let guest = server.guest("phone").await;
    server
        .sql(&guest, "UPDATE player_identities SET updated_at = 1")
        .await;
    let since = db_now() - 60_000;
    let stale = services.accounts.stale_guests(since, 10).await.unwrap();
    assert_eq!(stale, [id(&guest)]);
    server.guest("phone").await;
    assert!(!services.players.reap_one(&stale[0], since).await.unwrap());

    server
        .sql(&guest, "UPDATE player_identities SET updated_at = 1")
        .await;
    let accounts = &services.accounts;
    accounts
        .upgrade(&guest.player_id, "ada", PASSWORD)
        .await
        .unwrap();
    assert!(!services.players.reap_one(&stale[0], since).await.unwrap());
    services.players.profile(&guest.player_id).await.unwrap();
}
