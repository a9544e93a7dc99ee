//! Every frame a client may send, with its payload and each field replaced by what no client
//! means, before and after it signs in. The answer is an error of the closed set or what the
//! protocol says, and the connection lives on.

use asobi_client::{Client, Event};
use asobi_wire::Code;
use serde_json::{Value, json};

use crate::hostile::{has_no_complaints, hidden};
use crate::server::{GAME, Player, SOON, Server};

/// Frames the socket handles itself; the others stand in `edge/dispatch.rs` and what it calls.
const OWN: [&str; 3] = ["session.connect", "session.heartbeat", "match.input"];

/// Every frame type there is.
fn kinds() -> Vec<String> {
    let dispatch = include_str!("../../src/edge/dispatch.rs").lines();
    let parties = include_str!("../../src/parties/frames.rs").lines();
    let arms = dispatch.chain(parties).filter_map(|line| {
        let (kind, rest) = line.trim().strip_prefix('"')?.split_once('"')?;
        rest.starts_with(" =>").then(|| kind.to_owned())
    });
    let kinds: Vec<String> = arms.chain(OWN.map(str::to_owned)).collect();
    assert!(kinds.len() > 10, "{kinds:?}");
    kinds
}

/// The fields of a frame's payload, each in good order.
fn payload(kind: &str, player: &Player, other: &Player, playing: &str) -> Value {
    let channel = format!("match:{playing}");
    match kind {
        "match.join" => json!({"match_id": playing, "ctx": {"code": "AB12"}}),
        "match.leave" | "session.heartbeat" => json!({"anything": 1}),
        "match.input" => json!({"move": 1, "say": "hi", "data": {}}),
        "matchmaker.add" => json!({"mode": "default", "properties": {}}),
        "matchmaker.remove" => json!({"ticket_id": other.id}),
        "vote.cast" => json!({"vote_id": "v", "option_id": "o"}),
        "vote.veto" => json!({"vote_id": "v"}),
        "chat.join" | "chat.leave" => json!({ "channel_id": channel }),
        "chat.send" => json!({"channel_id": channel, "content": "hi"}),
        "dm.send" => json!({"recipient_id": other.id, "content": "hi"}),
        "presence.update" => json!({"status": "busy"}),
        "party.create" | "party.leave" | "party.cancel" => json!({"anything": 1}),
        "party.invite" | "party.kick" | "party.promote" => json!({"player_id": other.id}),
        "party.accept" | "party.decline" => json!({"party_id": other.id}),
        "party.queue" => json!({"mode": "default", "properties": {}}),
        "rpc.call" => json!({"protocol": 1, "method": "echo", "params": {"n": 1}}),
        "session.connect" => json!({"token": player.token}),
        _ => panic!("what is in a {kind}?"),
    }
}

/// Values of a payload, or of a field of one. As text: some are no JSON.
fn hostile_values() -> Vec<String> {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut values: Vec<String> = [
        "null",
        "true",
        "7",
        "-0",
        "1e400",
        "123456789012345678901234567890",
        "[]",
        "[1,null]",
        "{}",
        "{\"a\":{\"b\":[]}}",
        "\"\"",
        "\" \"",
        "\"a\\u0000b\"",
        "{\"a\\u0000\":\"\\u0000\"}",
        "\"a\\u202eb\"",
        "\"\\ud800\"",
        "[{\"a\":\"\\udc00\"}]",
        "\"\\n\"",
        "\"me\"",
        "\"dm:\"",
        "\"room:\\u0000\"",
        "\"global:\"",
        "\"match:x\"",
        "\"dm:a:b\"",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push(format!("\"{}\"", "x".repeat(50_000)));
    values.push(format!("\"{}\"", "\\u00e4".repeat(9_000)));
    values.push(deep);
    values.push(hidden(20));
    values.push(hidden(60));
    values
}

/// Payloads that are like a good one but for one thing, and some that are like none.
fn payloads(good: &Value) -> Vec<String> {
    let values = hostile_values();
    let fields = good.as_object().unwrap();
    let mut payloads = values.clone();
    for name in fields.keys() {
        let mut without = fields.clone();
        without.remove(name);
        payloads.push(Value::Object(without.clone()).to_string());
        for value in &values {
            let mut text = format!("{{\"{name}\":{value}");
            for (other, value) in &without {
                text += &format!(",\"{other}\":{value}");
            }
            payloads.push(text + "}");
        }
    }
    payloads
}

/// What no envelope is.
fn noise() -> Vec<String> {
    let mut seed = 7_u64;
    let mut letters = |from: u8, count: u8| -> String {
        let next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(from + (seed >> 33) as u8 % count)
        };
        std::iter::repeat_with(next).take(64 * 1024).collect()
    };
    let mut noise = vec![
        letters(b' ', 94),
        letters(0, 127),
        letters(b'[', 2),
        format!("{{\"type\":\"{}\"}}", "x".repeat(60_000)),
        format!("{{\"type\":{}}}", hidden(40)),
        format!(
            "{{\"type\":\"dm.send\",\"cid\":{},\"payload\":{{}}}}",
            hidden(40)
        ),
        "x".repeat(64 * 1024 + 1),
        "x".repeat(500_000),
    ];
    let short = [
        "",
        " ",
        "{",
        "[]",
        "null",
        "7",
        "\"text\"",
        "{}",
        "{\"type\":null}",
        "{\"type\":[]}",
        "{\"type\":\"\"}",
        "{\"type\":\"no.such.type\"}",
        "{\"type\":\"\\u0000\"}",
        "{\"type\":\"match.join\\u0000\"}",
        "{\"type\":\"\\ud800\"}",
        "{\"type\":\"error\"}",
        "{\"type\":\"session.connected\"}",
        "{\"type\":\"chat.message\",\"payload\":{}}",
        "{\"type\":\"dm.send\",\"type\":\"dm.send\"}",
        "{\"type\":\"vote.cast\",\"cid\":\"\\ud800\"}",
        "{\"type\":\"vote.cast\",\"cid\":1e400}",
    ];
    noise.extend(short.map(str::to_owned));
    noise
}

/// What has come until the server has dealt with all that was sent.
async fn answers(client: &Client, sent: &str) -> Vec<Event> {
    let sent: String = sent.chars().take(100).collect();
    let beat = client.heartbeat().await;
    beat.unwrap_or_else(|error| panic!("{error} after {sent}"));
    let events = client.take_events();
    for event in events.iter().filter(|event| event.kind == "error") {
        let error = event.error().unwrap();
        let code = Code::ALL.iter().find(|code| code.as_str() == error.code);
        let code = code.unwrap_or_else(|| panic!("{sent}: {}", event.text()));
        assert!(code.status() < 500, "{sent}: {}", event.text());
        assert!(event.json()["error"]["details"].is_object(), "{sent}");
    }
    events
}

fn errors(events: &[Event]) -> Vec<String> {
    let errors = events.iter().filter_map(Event::error);
    errors.map(|error| error.code).collect()
}

async fn server() -> Server {
    let settings = [
        ("ASOBI_LIMITS__WS_MESSAGES_PER_SECOND", "0"),
        ("ASOBI_LIMITS__WS_AUTH_TIMEOUT_MS", "60000"),
        ("ASOBI_CHAT__MESSAGES_PER_SECOND", "0"),
    ];
    Server::with(GAME, &settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_no_player_means() {
    let server = server().await;
    let (ada, bob) = server.pair().await;
    let mut playing = ada.match_id().await;
    let mut sent = 0;
    for kind in kinds() {
        assert_eq!(ada.state(|_| true).await["you"], ada.id.as_str());
        for payload in payloads(&payload(&kind, &ada, &bob, &playing)) {
            sent += 1;
            let text = format!("{{\"type\":\"{kind}\",\"cid\":{sent},\"payload\":{payload}}}");
            ada.client.send_text(text.clone()).unwrap();
            let events = answers(&ada.client, &text).await;
            let cid = sent.to_string();
            let answered = events.iter().filter(|event| event.cid() == Some(&cid));
            let is_quiet = matches!(kind.as_str(), "match.input" | "chat.send");
            let shown: String = text.chars().take(100).collect();
            match (answered.count(), errors(&events).len()) {
                (1, 0..=1) => {}
                // The frame as a whole is no JSON, so its `cid` was not read either.
                (0, 1) => assert!(
                    payload.contains("1e400") || is_quiet || !is_json(&text),
                    "{shown}"
                ),
                (0, 0) => assert!(is_quiet, "no answer to {shown}"),
                other => panic!("{other:?} to {shown}"),
            }
        }
        if kind == "match.leave" {
            rejoin(&ada, &bob).await;
            playing = ada.match_id().await;
        }
    }
    is_well(&server, &ada, &bob).await;
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Back into a match, for a player who left.
async fn rejoin(ada: &Player, bob: &Player) {
    bob.client.match_leave().await.unwrap();
    for player in [ada, bob] {
        player.client.matchmaker_add("default").await.unwrap();
    }
    for player in [ada, bob] {
        player.client.next_of("match.matched", SOON).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_who_has_not_signed_in() {
    let server = server().await;
    let (ada, bob) = server.pair().await;
    let stranger = Client::open(&server.url, Default::default()).await.unwrap();
    for kind in kinds()
        .into_iter()
        .filter(|kind| kind != "session.heartbeat")
    {
        let good = payload(&kind, &ada, &bob, "m");
        for payload in payloads(&good) {
            if kind == "session.connect" && payload.contains(&ada.token) {
                continue;
            }
            let text = format!("{{\"type\":\"{kind}\",\"payload\":{payload}}}");
            stranger.send_text(text.clone()).unwrap();
            let events = answers(&stranger, &text).await;
            let expected = match is_json(&text) {
                true => "unauthenticated",
                false => "invalid_json",
            };
            assert_eq!(errors(&events), [expected], "{text:.100}");
        }
    }
    is_well(&server, &ada, &bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_in_place_of_frames() {
    let server = server().await;
    let (ada, bob) = server.pair().await;
    let stranger = Client::open(&server.url, Default::default()).await.unwrap();
    for client in [&ada.client, &stranger] {
        for text in noise() {
            client.send_text(text.clone()).unwrap();
            let events = answers(client, &text).await;
            assert_eq!(errors(&events).len(), 1, "{text:.100}");
        }
        for bytes in [
            vec![],
            vec![0],
            vec![0xff; 64 * 1024],
            b"{\"type\":\"match.leave\"}".to_vec(),
        ] {
            client.send_binary(bytes).unwrap();
            let events = answers(client, "bytes").await;
            assert_eq!(errors(&events), ["ws.request_failed"]);
        }
    }
    is_well(&server, &ada, &bob).await;
}

/// The match plays on, and the log has nothing to say.
async fn is_well(server: &Server, ada: &Player, bob: &Player) {
    let before = ada.state(|_| true).await;
    let x = before["players"][&ada.id]["x"].as_f64().unwrap();
    ada.input(json!({"move": 3}));
    bob.state(|state| state["players"][&ada.id]["x"].as_f64() == Some(x + 3.0))
        .await;
    has_no_complaints(server);
}
