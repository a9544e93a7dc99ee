//! Every route of the OpenAPI document, with everything in it replaced by what no client means:
//! path, query, body, token. The answer is the one error object, quick, and never a failure of
//! the server's.
//!
//! A new route is asked the same without a line here. Only a path parameter of a new name needs
//! a value in [`Fixture::value`] that leads to something.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use asobi_wire::Code;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::outside::now;
use crate::rest::{Answer, Guest, request};
use crate::server::{GAME, Server};

/// How long any answer may take.
const QUICK: Duration = Duration::from_secs(2);
/// Signs the server's tokens, and in these tests what should not pass for one.
const KEY: &str = "a key that is known to these tests only";
const NOBODY: &str = "0197a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b";

async fn server() -> Server {
    let settings = [
        ("ASOBI_AUTH__TOKEN_SECRET", KEY),
        ("ASOBI_CHAT__MESSAGES_PER_SECOND", "0"),
        ("ASOBI_LIMITS__ERASE_PER_MINUTE", "0"),
        ("ASOBI_GUEST__CREATIONS_PER_SECOND", "0"),
        // A provider nobody answers for: its tokens are looked at all the same.
        ("ASOBI_OIDC__IDP__ISSUER", "http://127.0.0.1:1"),
        ("ASOBI_OIDC__IDP__CLIENT_ID", "game"),
        // What costs nothing here but time.
        ("ASOBI_AUTH__HASH_MEMORY_KIB", "64"),
        ("ASOBI_AUTH__HASH_PASSES", "1"),
    ];
    Server::with(GAME, &settings)
}

/// A route, as the document has it.
struct Route {
    method: String,
    path: String,
    query: Vec<String>,
    /// The fields of its body, with a value each that is of the right type.
    body: Option<BTreeMap<String, String>>,
    is_open: bool,
}

/// Every route there is.
async fn routes(server: &Server) -> Vec<Route> {
    let document: Value = server
        .api()
        .get("/api/v1/openapi.json", None)
        .await
        .unwrap();
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods
            .iter()
            .map(move |(method, operation)| (path, method, operation))
    });
    all.map(|(path, method, operation)| {
        let parameters = operation["parameters"].as_array();
        let query = parameters.into_iter().flatten();
        let query = query.filter(|parameter| parameter["in"] == "query");
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        Route {
            method: method.to_uppercase(),
            path: path.clone(),
            query: query
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect(),
            body: (!schema.is_null()).then(|| fields(&document, schema)),
            is_open: operation["security"] == json!([{}]),
        }
    })
    .collect()
}

/// The fields of a schema, with a JSON text each.
fn fields(document: &Value, schema: &Value) -> BTreeMap<String, String> {
    let schema = resolved(document, schema);
    let properties = schema["properties"].as_object().expect("an object");
    properties
        .iter()
        .map(|(name, schema)| (name.clone(), sample(name, resolved(document, schema))))
        .collect()
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return &document["components"]["schemas"][name];
    }
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let mut choices = choices.filter(|choice| choice["type"] != "null");
    choices
        .next()
        .map_or(schema, |choice| resolved(document, choice))
}

/// A value of a field that gets past the first look at it.
fn sample(name: &str, schema: &Value) -> String {
    let known = match name {
        "username" => json!(format!("user_{}", uuid::Uuid::now_v7().simple())[..30]),
        "status" => json!("accepted"),
        "role" => json!("member"),
        "mode" => json!("default"),
        "provider" => json!("idp"),
        "device_secret" => json!("c2VjcmV0".repeat(8)),
        "avatar_url" => json!("https://a.b/c.png"),
        name if name.ends_with("_id") => json!(NOBODY),
        name if name.ends_with("_perm") => json!("public"),
        _ => Value::Null,
    };
    if !known.is_null() {
        return known.to_string();
    }
    let kind = &schema["type"];
    let is = |wanted: &str| *kind == wanted || kind[0] == wanted;
    let value = match () {
        () if is("integer") => json!(2),
        () if is("boolean") => json!(true),
        () if is("string") => json!("some text"),
        () => json!({}),
    };
    value.to_string()
}

/// Two players and what they have, so that a route finds something. A route may change it all,
/// so each has its own.
struct Fixture {
    ada: Guest,
    bob: Guest,
    group: String,
    notification: String,
    ticket: String,
}

impl Fixture {
    async fn new(server: &Server) -> Self {
        let [ada, bob] = server.guests::<2>().await;
        let group = json!({"name": "The group", "open": true});
        let group = ada.post("/groups", group).await.ok();
        let group = group["id"].as_str().unwrap().to_owned();
        bob.post(&format!("/groups/{group}/join"), "").await.ok();
        let friend = json!({ "friend_id": ada.id });
        bob.post("/friends", friend).await.ok();
        let notifications = ada.get("/notifications").await.rows("notifications");
        ada.put("/saves/slot", "{}").await.ok();
        ada.put("/storage/things/one?player_id=me", "{}").await.ok();
        let ticket = ada.post("/matchmaker", "{}").await.ok();
        Self {
            notification: notifications[0]["id"].as_str().unwrap().to_owned(),
            ticket: ticket["ticket_id"].as_str().unwrap().to_owned(),
            ada,
            bob,
            group,
        }
    }

    /// What stands for a path parameter in good order.
    fn value(&self, path: &str, name: &str) -> String {
        match (path.split('/').nth(1).unwrap(), name) {
            ("groups", "id") => self.group.clone(),
            ("notifications", "id") => self.notification.clone(),
            ("players", "id") => self.ada.id.clone(),
            ("matches" | "votes", "id") => NOBODY.into(),
            (_, "player_id" | "friend_id") => self.bob.id.clone(),
            (_, "ticket_id") => self.ticket.clone(),
            (_, "channel_id") => format!("room:{}", self.group),
            (_, "slot") => "slot".into(),
            (_, "collection") => "things".into(),
            (_, "key") => "one".into(),
            (_, "method") => "echo".into(),
            _ => panic!("{path}: what is a good value of {name}?"),
        }
    }

    /// A route's path with all its parameters, but `name` replaced by `hostile`.
    fn path(&self, route: &Route, name: &str, hostile: &str) -> String {
        let parts = route.path.split('/').map(|part| {
            let parameter = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            match parameter {
                None => part.to_owned(),
                Some(parameter) if parameter == name => hostile.to_owned(),
                Some(parameter) => self.value(&route.path, parameter),
            }
        });
        parts.collect::<Vec<_>>().join("/")
    }

    fn good_path(&self, route: &Route) -> String {
        self.path(route, "", "")
    }

    /// A body in which this player's other stands where an id is asked for.
    fn body(&self, route: &Route) -> BTreeMap<String, String> {
        let mut body = route.body.clone().unwrap_or_default();
        for (name, value) in &mut body {
            if matches!(name.as_str(), "friend_id" | "player_id" | "recipient_id") {
                *value = json!(self.bob.id).to_string();
            }
        }
        body
    }
}

fn json_text(body: &BTreeMap<String, String>) -> String {
    let fields = body
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// Asks, and checks what every answer must be.
async fn ask(
    server: &Server,
    route: &Route,
    path: &str,
    token: Option<&str>,
    body: String,
    what: &str,
) -> Answer {
    let (api, asked) = (server.api(), Instant::now());
    let answer = request(&api, &route.method, path, token, body).await;
    let took = asked.elapsed();
    let shown: String = path.chars().take(120).collect();
    let shown = format!("{} {shown}, {what}: {answer:?}", route.method);
    assert!(took < QUICK, "{took:?} {shown}");
    if answer.status == 200 {
        assert!(answer.body.is_object(), "{shown}");
        return answer;
    }
    // Methods of the game answer in an envelope of their own.
    let error = match answer.body["type"] == "rpc.error" {
        true => &answer.body["payload"]["error"],
        false => &answer.body["error"],
    };
    let code = Code::ALL.iter().find(|code| error["code"] == code.as_str());
    let code = code.unwrap_or_else(|| panic!("no error of ours: {shown}"));
    assert_eq!(answer.status, code.status(), "{shown}");
    assert!(answer.status < 500, "{shown}");
    assert!(error["message"].is_string(), "{shown}");
    assert!(error["details"].is_object(), "{shown}");
    answer
}

/// The server is as well as before, and has nothing to complain of.
async fn is_well(server: &Server) {
    let (a, b) = server.pair().await;
    a.input(json!({"move": 3}));
    b.state(|state| state["players"][&a.id]["x"] == 3).await;
    has_no_complaints(server);
}

/// The log has nothing a server would say of itself.
pub(crate) fn has_no_complaints(server: &Server) {
    let log = server.log();
    for complaint in ["panicked", " ERROR ", "overflow"] {
        let mut lines = log.lines().filter(|line| line.contains(complaint));
        assert_eq!(lines.next(), None);
    }
}

/// Values of a field that are of no or the wrong type, too long, or made of odd characters. As
/// text: some are no JSON.
fn hostile_values() -> Vec<(&'static str, String)> {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    vec![
        ("null", "null".into()),
        ("a number", "7".into()),
        ("a huge number", "1e400".into()),
        (
            "another huge number",
            "123456789012345678901234567890".into(),
        ),
        ("a negative number", "-9223372036854775808".into()),
        ("a list", "[1,\"2\",null]".into()),
        ("an object", "{\"a\":{\"b\":[]}}".into()),
        ("an empty text", "\"\"".into()),
        ("100 KB", format!("\"{}\"", "x".repeat(100 * 1024))),
        (
            "100 KB of another alphabet",
            format!("\"{}\"", "ж".repeat(50 * 1024)),
        ),
        ("a NUL", "\"a\\u0000b\"".into()),
        ("a NUL inside", "{\"a\\u0000\":[\"\\u0000\"]}".into()),
        ("text that turns", "\"a\\u202eb\"".into()),
        ("half a character", "\"\\ud800\"".into()),
        ("half a character inside", "[{\"a\":\"\\udc00\"}]".into()),
        ("10,000 brackets", deep),
        ("text in text in text", hidden(60)),
    ]
}

/// JSON in a text, under the key by which serde_json would parse it there, so many times over.
pub(crate) fn hidden(times: usize) -> String {
    let mut text = "[]".to_owned();
    for _ in 0..times {
        let escaped = text.replace('\\', "\\u005c").replace('"', "\\u0022");
        let object = format!("{{\"$serde_json::private::RawValue\":\"{escaped}\"}}");
        text = format!("{}{object}{}", "[".repeat(120), "]".repeat(120));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_no_client_means() {
    let server = server().await;
    for route in routes(&server).await {
        let fixture = Fixture::new(&server).await;
        let names = route.path.split('/');
        let names: Vec<&str> = names
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        for name in names {
            let long = "x".repeat(300);
            let shout = fixture.value(&route.path, name).to_uppercase();
            for hostile in [
                NOBODY,
                "me",
                "%00",
                "a%00b",
                "%ff",
                &long,
                &fixture.bob.id,
                "..%2f..",
                &shout,
                "%E2%80%AE",
                "%0a",
                "%20",
                "'%22;--",
                "%25",
                "*",
                "dm:%00",
                "room:%F0%9F%A6%8A",
            ] {
                let path = fixture.path(&route, name, hostile);
                let body = json_text(&fixture.body(&route));
                ask(&server, &route, &path, Some(&fixture.ada.token), body, name).await;
            }
        }
    }
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_no_client_means() {
    let server = server().await;
    let long = "x".repeat(10 * 1024);
    for route in routes(&server).await {
        let fixture = Fixture::new(&server).await;
        for name in &route.query {
            for hostile in [
                "",
                "-1",
                "0",
                "abc",
                &long,
                "%00",
                "a%00",
                "%ff",
                "99999999999999999999",
                "%E2%80%AE",
                "me",
                NOBODY,
                &fixture.bob.id,
                &format!("{NOBODY},%00,{NOBODY}"),
                "1&limit=2",
            ] {
                for query in [
                    format!("?{name}={hostile}"),
                    format!("?{name}[]={hostile}&=&%00"),
                ] {
                    let path = fixture.good_path(&route) + &query;
                    let body = json_text(&fixture.body(&route));
                    ask(&server, &route, &path, Some(&fixture.ada.token), body, name).await;
                }
            }
        }
    }
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_no_client_means() {
    let server = server().await;
    let values = hostile_values();
    for route in routes(&server).await {
        let mut fixture = Fixture::new(&server).await;
        for (what, body) in bodies(&fixture.body(&route), &values) {
            let path = fixture.good_path(&route);
            let token = Some(fixture.ada.token.as_str());
            let answer = ask(&server, &route, &path, token, body, &what).await;
            let ends_session = ["/players/me/erase", "/auth/logout"].contains(&path.as_str());
            if answer.status == 200 && ends_session {
                fixture = Fixture::new(&server).await;
            }
        }
    }
    is_well(&server).await;
}

/// Bodies that are like a good one but for one thing, and some that are like none.
fn bodies(
    good: &BTreeMap<String, String>,
    values: &[(&'static str, String)],
) -> Vec<(String, String)> {
    let mut bodies: Vec<(String, String)> = values
        .iter()
        .map(|(what, text)| (format!("{what} for a body"), text.clone()))
        .collect();
    for odd in [
        "",
        " ",
        "[]",
        "{",
        "}",
        "\u{feff}{}",
        "{\"a\":1}{}",
        "{\"a\":1,\"a\":2}",
    ] {
        bodies.push((format!("{odd:?} for a body"), odd.to_owned()));
    }
    for name in good.keys() {
        let mut without = good.clone();
        without.remove(name);
        bodies.push((format!("no {name}"), json_text(&without)));
        let twice = json_text(good).replacen('{', &format!("{{\"{name}\":null,"), 1);
        bodies.push((format!("{name} twice"), twice));
        for (what, value) in values {
            let mut with = good.clone();
            with.insert(name.clone(), value.clone());
            bodies.push((format!("{what} for {name}"), json_text(&with)));
        }
    }
    let mut more = good.clone();
    for (n, (_, value)) in values.iter().enumerate() {
        more.insert(format!("unknown_{n}"), value.clone());
    }
    bodies.push(("what nobody asked for".into(), json_text(&more)));
    bodies
}

/// Tokens that count for nothing.
async fn hostile_tokens(server: &Server) -> Vec<(&'static str, Option<String>)> {
    let [ada, erased] = server.guests::<2>().await;
    erased.post("/players/me/erase", "").await.ok();
    let claims = |end: i64| json!({"sub": ada.id, "fam": NOBODY, "iat": now(), "exp": now() + end});
    let sign = |claims: &Value, key: &str| {
        let key = EncodingKey::from_secret(key.as_bytes());
        jsonwebtoken::encode(&Header::default(), claims, &key).unwrap()
    };
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = sign(&claims(600), KEY);
    let signature = signed.rsplit('.').next().unwrap();
    let unsigned = |algorithm: &str, signature: &str| {
        let header = json!({"alg": algorithm, "typ": "JWT"});
        format!("{}.{}.{signature}", part(&header), part(&claims(600)))
    };
    let deep = "[".repeat(10_000);
    vec![
        ("no token", None),
        ("an empty token", Some(String::new())),
        ("noise", Some("garbage".into())),
        ("dots", Some("..".into())),
        ("much noise", Some("x".repeat(20_000))),
        (
            "deep noise",
            Some(format!(
                "{}.{}.x",
                URL_SAFE_NO_PAD.encode(&deep),
                URL_SAFE_NO_PAD.encode(&deep)
            )),
        ),
        ("an expired token", Some(sign(&claims(-1), KEY))),
        (
            "a token of another key",
            Some(sign(
                &claims(600),
                "another key, and as long as it has to be",
            )),
        ),
        (
            "a token that says it needs no signature",
            Some(unsigned("none", "")),
        ),
        (
            "the same with a signature",
            Some(unsigned("none", signature)),
        ),
        ("another algorithm", Some(unsigned("RS256", signature))),
        (
            "claims of another shape",
            Some(sign(&json!({"sub": 7, "exp": "x"}), KEY)),
        ),
        ("no claims", Some(sign(&json!([]), KEY))),
        ("an erased player's token", Some(erased.token)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_count_for_nothing() {
    let server = server().await;
    let tokens = hostile_tokens(&server).await;
    let fixture = Fixture::new(&server).await;
    for route in routes(&server).await {
        let path = fixture.good_path(&route);
        for (what, token) in &tokens {
            let body = json_text(&fixture.body(&route));
            let answer = ask(&server, &route, &path, token.as_deref(), body, what).await;
            if !route.is_open {
                answer.refused(Code::Unauthenticated);
            }
        }
    }
    for (what, token) in tokens {
        let token = token.unwrap_or_default();
        let client = asobi_client::Client::connect(&server.url, &token).await;
        assert_eq!(
            client.unwrap_err().code(),
            Some("unauthenticated"),
            "{what}"
        );
    }
    is_well(&server).await;
}

/// A token with the server's own signature is good for whoever is named in it, so what is not a
/// player's id must do no harm either: a key that got out, or another version of the server.
#[tokio::test(flavor = "multi_thread")]
async fn players_there_are_not() {
    let server = server().await;
    let fixture = Fixture::new(&server).await;
    let key = EncodingKey::from_secret(KEY.as_bytes());
    for nobody in [NOBODY, "", "\0", "me", "\u{202e}", &"x".repeat(5_000)] {
        let claims = json!({"sub": nobody, "fam": nobody, "iat": now(), "exp": now() + 600});
        let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
        for route in routes(&server).await {
            let (path, body) = (fixture.good_path(&route), json_text(&fixture.body(&route)));
            let what = format!("{:.20}", nobody.escape_debug());
            ask(&server, &route, &path, Some(&token), body, &what).await;
        }
        let client = asobi_client::Client::connect(&server.url, &token).await;
        if let Ok(client) = client {
            client.heartbeat().await.unwrap();
            let _ = client
                .request(
                    "dm.send",
                    &json!({"recipient_id": fixture.ada.id, "content": "x"}),
                )
                .await;
        }
    }
    is_well(&server).await;
}
