//! The client against a server that answers as each test tells it to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use asobi_client::{Client, ConnectOptions, Error};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const SOON: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<TcpStream>;

/// Serves one socket after another with `serve`; the answer is the server's URL.
async fn server<F>(serve: impl Fn(Socket) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serving = tokio_tungstenite::accept_async(stream).await.map(&serve);
            if let Ok(serving) = serving {
                tokio::spawn(serving);
            }
        }
    });
    url
}

/// The next text frame as JSON; `None` at the end.
async fn read(socket: &mut Socket) -> Option<Value> {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            return Some(serde_json::from_str(&text).unwrap_or(Value::String(text.to_string())));
        }
    }
    None
}

async fn write(socket: &mut Socket, frame: Value) {
    let _ = socket.send(Message::Text(frame.to_string().into())).await;
}

/// Welcomes whoever connects, answers heartbeats, echoes anything else as an event.
async fn hospitable(mut socket: Socket) {
    while let Some(frame) = read(&mut socket).await {
        let answer = match frame["type"].as_str() {
            Some("session.connect") if frame["payload"]["token"] == "good" => {
                json!({"type": "session.connected", "cid": frame["cid"], "payload": {"player_id": "p"}})
            }
            Some("session.connect") => {
                json!({"type": "error", "cid": frame["cid"], "payload": {"reason": "invalid_token",
                    "error": {"code": "unauthenticated", "message": "", "details": {}}}})
            }
            Some("session.heartbeat") => {
                json!({"type": "session.heartbeat", "cid": frame["cid"], "payload": {"ts": 7}})
            }
            _ => json!({"type": "echo", "payload": frame}),
        };
        write(&mut socket, answer).await;
    }
}

#[tokio::test]
async fn signs_in_and_pairs_answers_with_requests() {
    let client = Client::connect(&server(hospitable).await, "good")
        .await
        .unwrap();
    assert_eq!(client.player_id(), Some("p"));
    let (one, other) = tokio::join!(client.heartbeat(), client.heartbeat());
    assert_eq!((one.unwrap(), other.unwrap()), (7, 7));
}

#[tokio::test]
async fn a_refused_token_may_be_followed_by_a_better_one() {
    let url = server(hospitable).await;
    let mut client = Client::open(&url, ConnectOptions::new()).await.unwrap();
    let refused = client.authenticate("bad").await.unwrap_err();
    assert_eq!(refused.code(), Some("unauthenticated"));
    assert_eq!(refused.server().unwrap().reason, "invalid_token");
    client.authenticate("good").await.unwrap();
}

#[tokio::test]
async fn a_request_without_answer_times_out_and_the_socket_lives_on() {
    let client = Client::connect(&server(hospitable).await, "good")
        .await
        .unwrap();
    let short = Duration::from_millis(20);
    let error = client.request_within("no.answer", &json!({}), short).await;
    assert!(matches!(error, Err(Error::Timeout(_))));
    client.heartbeat().await.unwrap();
}

#[tokio::test]
async fn the_servers_close_code_and_reason_reach_the_caller() {
    let url = server(|mut socket| async move {
        let frame = CloseFrame {
            code: 1008.into(),
            reason: "idle_auth_timeout".into(),
        };
        let _ = socket.close(Some(frame)).await;
        while let Some(Ok(_)) = socket.next().await {}
    });
    let client = Client::open(&url.await, ConnectOptions::new())
        .await
        .unwrap();
    let close = client.closed(SOON).await.unwrap();
    assert_eq!(
        (close.code, close.reason.as_str()),
        (Some(1008), "idle_auth_timeout")
    );
    let error = client.heartbeat().await.unwrap_err();
    assert_eq!(error.close(), Some(&close));
}

#[tokio::test]
async fn a_cut_connection_fails_the_requests_that_wait() {
    let url = server(|mut socket| async move {
        let _ = read(&mut socket).await;
    });
    let client = Client::open(&url.await, ConnectOptions::new())
        .await
        .unwrap();
    let error = client.heartbeat().await.unwrap_err();
    assert_eq!(error.close().expect("closed").code, None);
}

#[tokio::test]
async fn raw_frames_go_out_as_they_are() {
    let client = Client::connect(&server(hospitable).await, "good")
        .await
        .unwrap();
    client.send_text("{broken").unwrap();
    let echo = client.next_of("echo", SOON).await.unwrap();
    assert_eq!(echo.json(), json!("{broken"));
    // Past the framing: the server hangs up on what is no frame.
    client.send_bytes(vec![0xff; 64]).unwrap();
    client.closed(SOON).await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_makes_the_server_wait() {
    let url = server(|mut socket| async move {
        let big = "x".repeat(64 * 1024);
        for _ in 0..150 {
            write(&mut socket, json!({"type": "big", "payload": big})).await;
        }
        write(&mut socket, json!({"type": "last", "payload": {}})).await;
        while read(&mut socket).await.is_some() {}
    });
    let options = ConnectOptions::new().receive_buffer(4096);
    let client = Client::open(&url.await, options).await.unwrap();
    client.pause_reading().unwrap();
    client
        .next_of("last", Duration::from_millis(300))
        .await
        .unwrap_err();
    client.resume_reading().unwrap();
    client.next_of("last", SOON).await.unwrap();
}

#[tokio::test]
async fn reconnects_with_the_token_it_had_and_keeps_its_events() {
    let mut client = Client::connect(&server(hospitable).await, "good")
        .await
        .unwrap();
    client.send("first", &json!({})).unwrap();
    client.next_where(SOON, |_| true).await.unwrap();
    client.send("second", &json!({})).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.cut();
    assert!(client.heartbeat().await.is_err());
    client.reconnect().await.unwrap();
    assert_eq!(client.close_reason(), None);
    client.heartbeat().await.unwrap();
    let kept = client.next_of("echo", SOON).await.unwrap();
    assert_eq!(kept.json()["type"], "second");
}

#[tokio::test]
async fn heartbeats_by_itself_when_told_to() {
    let url = server(hospitable).await;
    let options = ConnectOptions::new().heartbeat_every(Duration::from_millis(10));
    let client = Client::connect_with(&url, "good", options).await.unwrap();
    for _ in 0..3 {
        client.next_of("session.heartbeat", SOON).await.unwrap();
    }
    client.close().await;
}

#[tokio::test]
async fn an_upgrade_the_server_refuses_shows_its_status() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let answer = "HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nbusy";
        let _ = stream.write_all(answer.as_bytes()).await;
    });
    let error = Client::open(&url, ConnectOptions::new()).await.unwrap_err();
    assert!(
        matches!(error, Error::Upgrade { status: 503, .. }),
        "{error}"
    );
}
