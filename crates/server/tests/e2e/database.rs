//! PostgreSQL in particular: several servers, and a database that goes away.
//!
//! These tests are ignored on SQLite, where there is nothing to go away; `cargo xtask test` runs
//! them with `ASOBI_TEST_DATABASE_URL` set.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use asobi_client::Error;
use serde_json::json;

use crate::postgres::Postgres;
use crate::server::{GAME, SOON, Server, folder};

/// A way to a database that can be cut and mended.
struct Way {
    port: u16,
    open: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let way = Self {
            port: listener.local_addr().unwrap().port(),
            open: Arc::new(AtomicBool::new(true)),
            connections: Arc::default(),
        };
        let (open, connections) = (way.open.clone(), way.connections.clone());
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Accepted and closed at once: what a proxy in front of a dead database does.
                if !open.load(Ordering::SeqCst) {
                    continue;
                }
                let far = TcpStream::connect(&target).unwrap();
                let mut kept = connections.lock().unwrap();
                kept.push(near.try_clone().unwrap());
                kept.push(far.try_clone().unwrap());
                pipe(near.try_clone().unwrap(), far.try_clone().unwrap());
                pipe(far, near);
            }
        });
        way
    }

    fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

fn pipe(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_database_that_is_away_stops_nobody_who_plays_and_comes_back_by_itself() {
    let database = Postgres::from_environment().expect("ASOBI_TEST_DATABASE_URL");
    let (head, tail) = database.url.split_once('@').unwrap();
    let (target, name) = tail.split_once('/').unwrap();
    let way = Way::to(target.to_owned());
    let url = format!("{head}@127.0.0.1:{}/{name}", way.port);
    let server = Server::with(GAME, &[("ASOBI_DATABASE_URL", &url)]);
    let (a, b) = server.pair().await;
    let api = server.api();

    way.cut();
    let known = Instant::now();
    loop {
        let answer = api
            .get::<serde_json::Value>("/api/v1/matches", Some(&a.token))
            .await;
        match answer {
            Err(Error::Server(error)) if error.code == "not_ready" => break,
            _ => assert!(known.elapsed() < Duration::from_secs(15), "{answer:?}"),
        }
    }
    // From now on the answer is quick.
    let asked = Instant::now();
    let body = json!({"username": "ada", "password": "correct horse"});
    let refused = api
        .post::<serde_json::Value>("/api/v1/auth/login", None, &body)
        .await;
    assert!(
        matches!(&refused, Err(Error::Server(error)) if error.code == "not_ready"),
        "{refused:?}\n{}",
        server.log()
    );
    assert!(asked.elapsed() < Duration::from_millis(500));
    // So it is on the socket, whose other frames must not wait behind.
    let message = json!({"recipient_id": b.id, "content": "are you there?"});
    let asked = Instant::now();
    let refused = a.client.request("dm.send", &message).await;
    assert!(
        matches!(&refused, Err(Error::Server(error)) if error.code == "not_ready"),
        "{refused:?}"
    );
    assert!(asked.elapsed() < Duration::from_millis(500));
    // The match plays on, for both.
    a.input(json!({"move": 5}));
    b.input(json!({"move": 7}));
    a.at(5).await;
    b.at(7).await;

    way.mend();
    let mended = Instant::now();
    while api
        .get::<serde_json::Value>("/api/v1/matches", Some(&a.token))
        .await
        .is_err()
    {
        assert!(mended.elapsed() < SOON, "not back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.guest().await;
    a.input(json!({"finish": true}));
    b.client.next_of("match.finished", SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn servers_that_start_together_make_the_tables_once() {
    let database = Postgres::from_environment().expect("ASOBI_TEST_DATABASE_URL");
    let start = |_| {
        let url = database.url.clone();
        std::thread::spawn(move || {
            let folder = folder();
            std::fs::write(folder.join("game/match.lua"), GAME).unwrap();
            Server::in_folder(folder, &[("ASOBI_DATABASE_URL", &url)])
        })
    };
    let starting: Vec<_> = (0..4).map(start).collect();
    let servers: Vec<Server> = starting.into_iter().map(|t| t.join().unwrap()).collect();
    // One database behind them all.
    let session = servers[0]
        .api()
        .register("ada", "correct horse")
        .await
        .unwrap();
    let other = servers[3]
        .api()
        .login("ada", "correct horse")
        .await
        .unwrap();
    assert_eq!(session.player_id, other.player_id);
}
