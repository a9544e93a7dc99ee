//! The API against a server that gives one canned answer and remembers the request.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use asobi_client::{Api, Device, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A server with one answer. The receiver gets the request's text.
async fn canned(status: &str, headers: &str, body: &str) -> (Api, oneshot::Receiver<String>) {
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let mut length = 0;
        // The body of these requests is one JSON object, the last thing to arrive.
        while !request[..length].ends_with(b"}") {
            length += stream.read(&mut request[length..]).await.unwrap();
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = sender.send(String::from_utf8(request[..length].to_vec()).unwrap());
    });
    (api, receiver)
}

#[tokio::test]
async fn a_guest_signs_in_with_its_device_pair() {
    let body = r#"{"player_id":"p","access_token":"a","refresh_token":"r","username":"guest_1",
        "created":true,"guest":true,"session_token":"a"}"#;
    let (api, request) = canned("200 OK", "", body).await;
    let device = Device::generate();
    let session = api.guest(&device).await.unwrap();
    assert!(session.guest && session.created && !session.upgraded);
    let request = request.await.unwrap();
    assert!(
        request.starts_with("POST /api/v1/auth/guest HTTP/1.1"),
        "{request}"
    );
    assert!(request.contains(&device.device_secret));
}

#[tokio::test]
async fn upgrading_shows_who_one_is() {
    let body = r#"{"player_id":"p","access_token":"a","refresh_token":"r","username":"ann","upgraded":true}"#;
    let (api, request) = canned("200 OK", "", body).await;
    assert!(
        api.upgrade_guest("token", "ann", "secret123")
            .await
            .unwrap()
            .upgraded
    );
    assert!(
        request
            .await
            .unwrap()
            .contains("authorization: Bearer token")
    );
}

#[tokio::test]
async fn a_refusal_carries_status_code_message_and_details() {
    let body = r#"{"error":{"code":"validation_failed","message":"m","details":{"fields":{"username":["short"]}}}}"#;
    let (api, _request) = canned("422 Unprocessable", "", body).await;
    let error = api.register("x", "y").await.unwrap_err();
    let error = error.server().expect("the server refused");
    assert_eq!(
        (error.status, error.code.as_str()),
        (Some(422), "validation_failed")
    );
    assert_eq!(error.details["fields"]["username"][0], "short");
    assert_eq!(error.message, "m");
}

#[tokio::test]
async fn a_wait_may_stand_in_the_header_alone() {
    let (api, _request) = canned("429 Slow", "retry-after: 3\r\n", "slow down").await;
    let error = api.login("x", "y").await.unwrap_err();
    let wait = error.server().expect("the server refused").retry_after();
    assert_eq!(wait, Some(Duration::from_secs(3)));
    assert_eq!(error.code(), Some("http.429"));
}

#[tokio::test]
async fn an_answer_of_another_shape_is_told_apart_from_a_refusal() {
    let (api, _request) = canned("200 OK", "", "[]").await;
    assert!(matches!(api.refresh("r").await, Err(Error::Unexpected(_))));
}

#[tokio::test]
async fn nobody_there_is_a_network_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Api::new(&url).unwrap().login("x", "y").await.unwrap_err();
    assert!(matches!(error, Error::Network(_)), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}
