//! A whole server in the test's own process, and clients of it: for tests that speak to it as a
//! client would and also reach behind it.
//!
//! The database is SQLite in a temporary folder. With `ASOBI_TEST_DATABASE_URL` set to a
//! PostgreSQL server it is a database of its own there, dropped when the test is over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use asobi_client::{Api, Client, Device, Error, Event};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::app::{App, Services};
use crate::config::Config;
use crate::db::scratch::Scratch;

/// How long anything may take that takes a moment.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A game of two who have nothing to do.
const GAME: &str = "
match_size = 2
guest_auth = true
tick_rate = 50
function init(config) return {} end
function join(id, state) return state end
function leave(id, state) return state end
function handle_input(id, input, state) state._finished = input.finish; return state end
function tick(state) return state end
function get_state(id, state) return {} end
";

/// A running server.
pub(crate) struct TestServer {
    pub(crate) services: Arc<Services>,
    url: String,
    game: PathBuf,
    _disk: Scratch,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with other settings. The tests' own turn the edge's limits off.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let disk = Scratch::new();
        let game = folder("game");
        std::fs::write(game.join("match.lua"), GAME).unwrap();
        let mut config = Config::default();
        config.server.host = "127.0.0.1".into();
        config.server.port = 0;
        config.database.url = disk.url.clone().into();
        config.auth.token_secret = "k".repeat(32).into();
        config.guest.pepper = "p".repeat(32).into();
        config.guest.creations_per_second = 0;
        config.limits.auth_per_second = 0;
        config.limits.ws_connects_per_second = 0;
        config.limits.ws_messages_per_second = 0;
        config.limits.api_per_second = 0;
        config.matchmaker.tick_interval_ms = 50;
        config.chat.messages_per_second = 0;
        change(&mut config);
        let app = App::start(config, &game).await.unwrap();
        let (services, url) = (
            Arc::clone(app.services()),
            format!("http://{}", app.address()),
        );
        tokio::spawn(app.serve(std::future::pending()));
        Self {
            services,
            url,
            game,
            _disk: disk,
        }
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&self.url).unwrap()
    }

    /// A new guest, connected.
    pub(crate) async fn guest(&self) -> Guest {
        let session = self.api().guest(&Device::generate()).await.unwrap();
        let client = self.connect(&session.access_token).await;
        Guest {
            id: session.player_id,
            token: session.access_token,
            client,
        }
    }

    /// Another connection of a player.
    pub(crate) async fn connect(&self, token: &str) -> Client {
        Client::connect(&self.url, token).await.unwrap()
    }

    /// A connection that has not signed in.
    pub(crate) async fn open(&self) -> Client {
        Client::open(&self.url, Default::default()).await.unwrap()
    }

    /// `GET` below `/api/v1`, as a player.
    pub(crate) async fn get(&self, player: &Guest, path: &str) -> Result<Value, Error> {
        let path = format!("/api/v1{path}");
        self.api().get(&path, Some(&player.token)).await
    }

    /// `POST` below `/api/v1`, as a player.
    pub(crate) async fn post(
        &self,
        player: &Guest,
        path: &str,
        body: Value,
    ) -> Result<Value, Error> {
        let path = format!("/api/v1{path}");
        self.api().post(&path, Some(&player.token), &body).await
    }

    /// Changes the database behind the server's back.
    pub(crate) async fn sql(&self, statement: &str) {
        let tx = self.services.db.write().await.unwrap();
        tx.execute_unprepared(statement).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Makes one player something to another: `accepted` or `blocked`.
    pub(crate) async fn relate(&self, player: &Guest, other: &Guest, status: &str) {
        let id = uuid::Uuid::now_v7();
        self.sql(&format!(
            "INSERT INTO friendships VALUES ('{id}', '{}', '{}', '{status}', 0, 0)",
            player.id, other.id
        ))
        .await;
    }

    /// A group of these players.
    pub(crate) async fn group(&self, players: &[&Guest]) -> String {
        let group = uuid::Uuid::now_v7().to_string();
        self.sql(&format!(
            "INSERT INTO \"groups\" (id, name, max_members, open, metadata, inserted_at, updated_at) \
             VALUES ('{group}', 'g', 50, false, '{{}}', 0, 0)"
        ))
        .await;
        for player in players {
            let id = uuid::Uuid::now_v7();
            self.sql(&format!(
                "INSERT INTO group_members VALUES ('{id}', '{group}', '{}', 'member', 0)",
                player.id
            ))
            .await;
        }
        group
    }

    /// Takes a player out of a group, in the database only.
    pub(crate) async fn kick(&self, group: &str, player: &Guest) {
        let id = &player.id;
        let delete = "DELETE FROM group_members WHERE group_id";
        self.sql(&format!("{delete} = '{group}' AND player_id = '{id}'"))
            .await;
    }

    /// Two guests in a match, and its id.
    pub(crate) async fn pair(&self) -> (Guest, Guest, String) {
        let (a, b) = (self.guest().await, self.guest().await);
        for player in [&a, &b] {
            player.client.matchmaker_add("default").await.unwrap();
        }
        let matched = a.next("match.matched").await;
        b.next("match.matched").await;
        let id = matched["match_id"].as_str().unwrap().to_owned();
        (a, b, id)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.game);
    }
}

/// A guest with a connection.
pub(crate) struct Guest {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) client: Client,
}

impl Guest {
    /// The answer to a frame.
    pub(crate) async fn ask(&self, kind: &str, payload: Value) -> Value {
        self.client.request(kind, &payload).await.unwrap().json()
    }

    /// The code, reason and details of a frame's refusal.
    pub(crate) async fn refused(&self, kind: &str, payload: Value) -> Value {
        let answer = self.client.request(kind, &payload).await;
        let error = answer.expect_err(kind);
        let error = error.server().unwrap();
        json!({ "code": error.code, "reason": error.reason, "details": error.details })
    }

    /// The next event of a kind.
    pub(crate) async fn next(&self, kind: &str) -> Value {
        next(&self.client, kind).await
    }

    /// The events of a kind that have come so far.
    pub(crate) async fn heard(&self, kind: &str) -> Vec<Value> {
        heard(&self.client, kind).await
    }
}

/// The next event of a kind.
pub(crate) async fn next(client: &Client, kind: &str) -> Value {
    client.next_of(kind, SOON).await.unwrap().json()
}

/// The events of a kind that have come so far; the others are dropped. Whatever the server has
/// sent before comes before the answer to a heartbeat.
pub(crate) async fn heard(client: &Client, kind: &str) -> Vec<Value> {
    client.heartbeat().await.unwrap();
    let events = client.take_events().into_iter();
    let wanted = events.filter(|event| event.kind == kind);
    wanted.map(|event: Event| event.json()).collect()
}

/// The code of a refused request.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.unwrap_err().code().unwrap().to_owned()
}

fn folder(name: &str) -> PathBuf {
    let name = format!("asobi_{name}_{}", uuid::Uuid::now_v7().simple());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).unwrap();
    folder
}
