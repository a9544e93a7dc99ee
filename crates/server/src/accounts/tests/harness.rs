//! A server with nothing but accounts, and a client of it.
//!
//! Where it keeps its data: [`crate::db::scratch`].

use std::net::SocketAddr;

use asobi_wire::Code;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::accounts::entities::{player_identities, players};
use crate::accounts::{Accounts, routes, store};
use crate::config::Config;
use crate::db::Db;
use crate::db::scratch::Scratch;

pub(super) const PASSWORD: &str = "correct horse";

/// A running server.
pub(super) struct Server {
    pub(super) accounts: Accounts,
    pub(super) db: Db,
    config: Config,
    address: SocketAddr,
    _disk: Option<Scratch>,
}

/// An answer, as the client sees it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Server {
    /// A server whose game declares guests.
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings.
    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let disk = Scratch::new();
        let mut config = Config::default();
        config.auth.token_secret = "k".repeat(32).into();
        config.auth.hash_memory_kib = 64;
        config.auth.hash_passes = 1;
        config.guest.pepper = "p".repeat(32).into();
        config.database.url = disk.url.clone().into();
        change(&mut config);
        Self::open(config, Some(disk)).await
    }

    /// Another process on the same database.
    pub(super) async fn restarted(&self) -> Self {
        Self::open(self.config.clone(), None).await
    }

    /// The same, with other settings.
    pub(super) async fn restarted_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        Self::open(config, None).await
    }

    async fn open(config: Config, disk: Option<Scratch>) -> Self {
        let db = Db::open(&config.database, &std::env::temp_dir())
            .await
            .unwrap();
        let accounts = Accounts::open(db.clone(), &config).await.unwrap();
        accounts.set_game(true, None);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .nest("/api/v1", routes::routes(accounts.clone()).into())
            .layer(middleware::from_fn_with_state(accounts.clone(), identify));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            accounts,
            db,
            config,
            address,
            _disk: disk,
        }
    }

    /// Posts to a path below `/api/v1/auth`.
    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(path, None, &body.to_string()).await
    }

    /// Posts with an access token.
    pub(super) async fn post_as(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(path, Some(token), &body.to_string()).await
    }

    /// Posts whatever text.
    pub(super) async fn send(&self, path: &str, token: Option<&str>, body: &str) -> Answer {
        self.request("POST", path, token, body).await
    }

    /// The same, by any method.
    pub(super) async fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> Answer {
        let authorization = token.map_or_else(String::new, |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        let request = format!(
            "{method} /api/v1/auth/{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             {authorization}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    pub(super) async fn register(&self, username: &str) -> Answer {
        self.post("register", credentials(username)).await
    }

    pub(super) async fn login(&self, username: &str) -> Answer {
        self.post("login", credentials(username)).await
    }

    pub(super) async fn refresh(&self, signed_in: &Value) -> Answer {
        let token = &signed_in["refresh_token"];
        self.post("refresh", json!({ "refresh_token": token }))
            .await
    }

    pub(super) async fn guest(&self, device: Value) -> Answer {
        self.post("guest", device).await
    }

    /// Whether an access token is accepted.
    pub(super) fn accepts(&self, signed_in: &Value) -> bool {
        let token = signed_in["access_token"].as_str().unwrap();
        self.accounts.verify(token).is_ok()
    }

    pub(super) async fn player(&self, signed_in: &Value) -> store::Player {
        let id = signed_in["player_id"].as_str().unwrap();
        store::player(self.db.read(), id).await.unwrap().unwrap()
    }

    pub(super) async fn identity(&self, signed_in: &Value) -> store::Identity {
        let id = signed_in["player_id"].as_str().unwrap();
        player_identities::Entity::find()
            .filter(player_identities::Column::PlayerId.eq(id))
            .one(self.db.read())
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) async fn count_players(&self) -> u64 {
        players::Entity::find().count(self.db.read()).await.unwrap()
    }

    /// Changes the database behind the server's back.
    pub(super) async fn sql(&self, statement: &str) {
        let tx = self.db.write().await.unwrap();
        tx.execute_unprepared(statement).await.unwrap();
        tx.commit().await.unwrap();
    }
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub(super) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The body of a refusal, which must have this code and its status.
    #[track_caller]
    pub(super) fn refused(self, code: Code) -> Value {
        assert_eq!(self.body["error"]["code"], code.as_str(), "{}", self.body);
        assert_eq!(self.status, code.status());
        self.body
    }
}

/// A body for register, login and upgrade.
pub(super) fn credentials(username: &str) -> Value {
    json!({ "username": username, "password": PASSWORD })
}

/// A device credential; the secret is 32 times `byte`.
pub(super) fn device(id: &str, byte: u8) -> Value {
    json!({ "device_id": id, "device_secret": STANDARD.encode([byte; 32]) })
}

/// What the edge does for every request: reads the access token.
async fn identify(State(accounts): State<Accounts>, mut request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if let Some(Ok(caller)) = token.map(|token| accounts.verify(token)) {
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}
