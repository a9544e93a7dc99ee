//! REST as a platform: headers, origins, sizes, one error shape, a document of it all.

use std::time::Duration;

use asobi_client::Response;
use axum::http::{Method, Request};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{GAME, Server, folder};

async fn send(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(bytes::Bytes::new()).unwrap();
    server.api().exchange(request).await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers.get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// An answer to bytes as they are.
async fn raw(server: &Server, request: &str) -> (String, Value) {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_in_check() {
    let server = Server::start();
    for path in ["/api/v1/matches", "/api/v1/nothing", "/healthz", "/"] {
        let answer = send(&server, Method::GET, path, &[]).await;
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "x-frame-options"), "DENY");
        assert_eq!(header(&answer, "referrer-policy"), "same-origin");
        assert!(header(&answer, "content-security-policy").contains("default-src 'self'"));
        assert!(header(&answer, "strict-transport-security").starts_with("max-age="));
    }
}

#[tokio::test]
async fn pages_of_any_origin_may_ask_unless_origins_are_named() {
    let origin = [
        ("origin", "https://play.example.com"),
        ("access-control-request-method", "PUT"),
        (
            "access-control-request-headers",
            "authorization,content-type",
        ),
    ];
    let server = Server::start();
    let open = send(&server, Method::OPTIONS, "/api/v1/matches", &origin).await;
    assert_eq!(header(&open, "access-control-allow-origin"), "*");
    assert!(header(&open, "access-control-allow-methods").contains("PUT"));
    assert!(header(&open, "access-control-allow-headers").contains("authorization"));

    let named = "https://play.example.com, https://example.itch.io";
    let server = Server::with(GAME, &[("ASOBI_CORS_ORIGINS", named)]);
    let ours = send(&server, Method::GET, "/api/v1/matches", &origin[..1]).await;
    assert_eq!(
        header(&ours, "access-control-allow-origin"),
        "https://play.example.com"
    );
    let theirs = [("origin", "https://evil.example.com")];
    let theirs = send(&server, Method::GET, "/api/v1/matches", &theirs).await;
    assert_eq!(header(&theirs, "access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_body_has_a_length_and_it_is_bounded() {
    let server = Server::start();
    let chunked = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let (status, body) = raw(&server, chunked).await;
    assert_eq!(
        (status.as_str(), &body["error"]["code"]),
        ("411", &"length_required".into())
    );

    let large = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{}",
        1024 * 1024 + 1,
        " ".repeat(1024 * 1024 + 1)
    );
    let (status, body) = raw(&server, &large).await;
    assert_eq!(
        (status.as_str(), &body["error"]["code"]),
        ("413", &"payload_too_large".into())
    );
}

#[tokio::test]
async fn who_is_refused_while_still_sending_can_send_to_the_end_and_read_why() {
    let server = Server::start();
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // No token, then a body over the limit; on one connection.
    for (kilobytes, status) in [(800, "401"), (4 * 1024, "413"), (800, "401")] {
        let head = format!(
            "PUT /api/v1/storage/things/one HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            kilobytes * 1024
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..kilobytes / 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream.write_all(&[b' '; 100 * 1024]).await.unwrap();
        }
        let rest = vec![b' '; kilobytes % 100 * 1024];
        stream.write_all(&rest).await.unwrap();
        let mut answer = [0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    }
}

#[tokio::test]
async fn deep_json_and_wrong_shapes_have_their_codes() {
    let server = Server::start();
    let api = server.api();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, code) in [
        (deep.as_str(), "invalid_payload"),
        (&format!("{{\"username\":{deep}}}"), "missing_field"),
        ("[]", "invalid_payload"),
        ("\"text\"", "invalid_payload"),
        ("7", "invalid_payload"),
        ("nonsense", "invalid_json"),
        ("{\"username\":null,\"password\":{}}", "missing_field"),
        ("\u{feff}{}", "invalid_json"),
    ] {
        let request = Request::post("/api/v1/auth/login").body(body.to_owned().into());
        let answer = api.exchange(request.unwrap()).await.unwrap();
        let answered: Value = serde_json::from_slice(&answer.body).unwrap();
        let shown = &body[..body.len().min(40)];
        assert_eq!(answered["error"]["code"], code, "{shown}");
        assert!(answered["error"]["details"].is_object(), "{shown}");
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_answer_in_the_one_shape() {
    let server = Server::start();
    for (method, path, code) in [
        (Method::GET, "/api/v1/nothing", "not_found"),
        (Method::GET, "/api/v1/matches/%ff%fe", "not_found"),
        (Method::PATCH, "/api/v1/auth/login", "method_not_allowed"),
        (Method::GET, "/api/v1/matches", "unauthenticated"),
    ] {
        let answer = send(&server, method, path, &[]).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let expected = match (path, code) {
            // Who is not signed in learns nothing about ids.
            ("/api/v1/matches/%ff%fe", _) => ["not_found", "unauthenticated"].as_slice(),
            _ => &[code],
        };
        assert!(
            expected.contains(&body["error"]["code"].as_str().unwrap()),
            "{path} {body}"
        );
    }
}

#[tokio::test]
async fn the_document_describes_every_route() {
    let server = Server::start();
    let document: Value = server
        .api()
        .get("/api/v1/openapi.json", None)
        .await
        .unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    for (path, method) in [
        ("/auth/login", "post"),
        ("/auth/unlink", "delete"),
        ("/matches/{id}", "get"),
        ("/matchmaker/{ticket_id}", "delete"),
    ] {
        let answers = &paths[path][method]["responses"];
        assert!(
            answers["200"].is_object() && answers["default"].is_object(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_sdk_is_served_and_its_tests_are_not() {
    let server = Server::start();
    for (path, status) in [
        ("/sdk/index.js", 200),
        ("/sdk/test/server.js", 404),
        ("/sdk/node_modules/typescript/lib/typescript.js", 404),
        ("/sdk/package.json", 404),
    ] {
        let answer = send(&server, Method::GET, path, &[]).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn addresses_of_files_that_cannot_be_name_nothing() {
    let folder = folder();
    std::fs::write(folder.join("game/match.lua"), GAME).unwrap();
    std::fs::create_dir(folder.join("game/client")).unwrap();
    std::fs::write(folder.join("game/client/index.html"), "<h1>Game</h1>").unwrap();
    std::fs::write(folder.join("secret"), "hidden").unwrap();
    let server = Server::in_folder(folder, &[]);
    assert_eq!(send(&server, Method::GET, "/", &[]).await.status, 200);
    let long = format!("/{}", "x".repeat(256));
    let longer = format!("/{}", "%78".repeat(5_000));
    let deep = "/a".repeat(5_000);
    for path in [
        "/%00",
        "/index.html%00",
        "/%ff",
        "/..%2f..%2fsecret",
        "/%2e%2e/secret",
        "/index.html/",
        "/sdk/%00",
        "/sdk/..%2fsecret",
        "/api/v1/",
        &long,
        &longer,
        &deep,
    ] {
        let answer = send(&server, Method::GET, path, &[]).await;
        assert!(
            [404, 400].contains(&answer.status),
            "{path:.60} {}",
            answer.status
        );
        assert!(!answer.text().contains("hidden"), "{path:.60}");
    }
}
