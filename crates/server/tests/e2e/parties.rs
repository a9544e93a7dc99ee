//! Players who stay together: the roster, the queue, the chat, and what strangers may not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::matchmaking::{ask, game, game_with, matched, never, queue};
use crate::server::{Player, SOON, Server};

/// A party of these, the first leading.
async fn party(players: &[&Player]) -> String {
    let party = ask(players[0], "party.create", json!({})).await.unwrap();
    let id = party["party_id"].as_str().unwrap().to_owned();
    for other in &players[1..] {
        ask(players[0], "party.invite", json!({ "player_id": other.id }))
            .await
            .unwrap();
        let joined = ask(other, "party.accept", json!({ "party_id": id }))
            .await
            .unwrap();
        assert_eq!(joined["party_id"], id);
    }
    id
}

async fn push(player: &Player, kind: &str) -> Value {
    let event = player.client.next_of(kind, SOON).await;
    event
        .unwrap_or_else(|error| panic!("{kind}: {error}"))
        .json()
}

/// Waits for a roster that `accepts`.
async fn updated(player: &Player, accepts: impl Fn(&Value) -> bool) -> Value {
    let wanted =
        |event: &asobi_client::Event| event.kind == "party.updated" && accepts(&event.json());
    let event = player.client.next_where(SOON, wanted).await;
    event.expect("such a roster").json()
}

async fn own(server: &Server, player: &Player) -> Value {
    let own = server
        .api()
        .get("/api/v1/parties/me", Some(&player.token))
        .await;
    own.unwrap()
}

fn ids(party: &Value) -> Vec<&str> {
    let members = party["members"].as_array().unwrap().iter();
    members
        .map(|member| member["player_id"].as_str().unwrap())
        .collect()
}

async fn refused(player: &Player, kind: &str, payload: Value, code: &str) {
    let answer = ask(player, kind, payload.clone()).await;
    let error = answer.expect_err(&format!("{kind} {payload}"));
    assert_eq!(error["code"], code, "{kind} {payload}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_from_invitation_to_end() {
    let server = game(&[("arena", "match_size = 2")]);
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    assert_eq!(
        own(&server, &a).await,
        json!({ "party": null, "invitations": [] })
    );
    let made = ask(&a, "party.create", json!({})).await.unwrap();
    assert_eq!(
        (ids(&made), &made["leader"]),
        (vec![a.id.as_str()], &json!(a.id))
    );
    let asked = ask(&a, "party.invite", json!({ "player_id": b.id }))
        .await
        .unwrap();
    assert_eq!(asked["invited"], json!([b.id]));
    let invited = push(&b, "party.invited").await;
    assert_eq!(
        (&invited["from"], &invited["party_id"]),
        (&json!(a.id), &made["party_id"])
    );
    // Asking again is no second push.
    ask(&a, "party.invite", json!({ "player_id": b.id }))
        .await
        .unwrap();
    never(&b, "party.invited").await;
    let waiting = own(&server, &b).await;
    assert_eq!(waiting["invitations"][0]["party_id"], made["party_id"]);
    assert_eq!(waiting["invitations"][0]["members"], json!([a.id]));
    let id = json!({ "party_id": made["party_id"] });
    let joined = ask(&b, "party.accept", id.clone()).await.unwrap();
    assert_eq!(ids(&joined), [a.id.as_str(), b.id.as_str()]);
    updated(&a, |party| ids(party).len() == 2).await;

    ask(&b, "party.invite", json!({ "player_id": c.id }))
        .await
        .unwrap();
    ask(&c, "party.decline", id.clone()).await.unwrap();
    refused(&c, "party.accept", id.clone(), "party.invite_not_found").await;
    ask(&b, "party.invite", json!({ "player_id": c.id }))
        .await
        .unwrap();
    ask(&c, "party.accept", id.clone()).await.unwrap();

    let promoted = ask(&a, "party.promote", json!({ "player_id": b.id }))
        .await
        .unwrap();
    assert_eq!(promoted["leader"], b.id);
    refused(
        &a,
        "party.kick",
        json!({ "player_id": c.id }),
        "party.not_leader",
    )
    .await;
    ask(&b, "party.kick", json!({ "player_id": c.id }))
        .await
        .unwrap();
    assert_eq!(push(&c, "party.kicked").await, id);
    assert_eq!(own(&server, &c).await["party"], Value::Null);
    // A leader who leaves hands over.
    ask(&b, "party.leave", json!({})).await.unwrap();
    let left = updated(&a, |party| ids(party).len() == 1).await;
    assert_eq!(left["leader"], a.id);
    ask(&a, "party.invite", json!({ "player_id": c.id }))
        .await
        .unwrap();
    ask(&a, "party.leave", json!({})).await.unwrap();
    assert_eq!(push(&c, "party.disbanded").await, id);
    refused(&c, "party.accept", id, "party.invite_not_found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_and_what_is_no_request() {
    let server = game_with(
        &[("arena", "match_size = 2")],
        &[],
        &[("ASOBI_PARTIES__MAX_MEMBERS", "2")],
    );
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    let to = |player: &Player| json!({ "player_id": player.id });
    for kind in ["party.leave", "party.cancel"] {
        refused(&a, kind, json!({}), "party.not_in_party").await;
    }
    refused(&a, "party.invite", to(&b), "party.not_in_party").await;
    refused(
        &a,
        "party.queue",
        json!({ "mode": "arena" }),
        "party.not_in_party",
    )
    .await;
    let id = party(&[&a, &b]).await;
    refused(&a, "party.create", json!({}), "party.already_in_party").await;
    refused(&a, "party.invite", to(&b), "party.already_in_party").await;
    refused(&a, "party.invite", to(&c), "party.full").await;
    refused(
        &c,
        "party.accept",
        json!({ "party_id": id }),
        "party.invite_not_found",
    )
    .await;
    for kind in ["party.kick", "party.promote"] {
        refused(&a, kind, to(&c), "party.member_not_found").await;
        refused(&b, kind, to(&a), "party.not_leader").await;
    }
    refused(&a, "party.kick", to(&a), "party.member_not_found").await;
    refused(
        &b,
        "party.queue",
        json!({ "mode": "arena" }),
        "party.not_leader",
    )
    .await;
    refused(
        &a,
        "party.queue",
        json!({ "mode": "nope" }),
        "matchmaker.unknown_mode",
    )
    .await;
    refused(&a, "party.cancel", json!({}), "party.not_queued").await;
    refused(&a, "party.dance", json!({}), "unknown_type").await;
    let nested = json!({ "mode": "arena", "properties": { "a": {} } });
    refused(&a, "party.queue", nested, "matchmaker.invalid_properties").await;
    for bad in [
        json!("nobody"),
        json!("a\u{0}b"),
        json!("x".repeat(9_000)),
        json!(""),
    ] {
        let payload = json!({ "player_id": bad, "party_id": bad });
        refused(&a, "party.invite", payload.clone(), "player.not_found").await;
        refused(&a, "party.kick", payload.clone(), "party.member_not_found").await;
        refused(
            &a,
            "party.promote",
            payload.clone(),
            "party.member_not_found",
        )
        .await;
        refused(
            &c,
            "party.accept",
            payload.clone(),
            "party.invite_not_found",
        )
        .await;
        refused(&c, "party.decline", payload, "party.invite_not_found").await;
    }
    for kind in [
        "party.invite",
        "party.kick",
        "party.promote",
        "party.accept",
        "party.decline",
        "party.queue",
    ] {
        for bad in [
            json!({}),
            json!({ "player_id": 7, "party_id": [], "mode": {} }),
            json!([]),
            json!(null),
        ] {
            let error = ask(&a, kind, bad.clone()).await.unwrap_err();
            let code = error["code"].as_str().unwrap();
            assert!(
                ["missing_field", "invalid_payload"].contains(&code),
                "{kind} {bad}: {code}"
            );
        }
    }
    assert!(
        server
            .api()
            .get::<Value>("/api/v1/parties/me", None)
            .await
            .is_err()
    );
    ask(&a, "session.heartbeat", json!({})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_blocked_does_not_invite() {
    let server = game(&[("arena", "match_size = 2")]);
    let (a, b) = (server.guest().await, server.guest().await);
    let api = server.api();
    let asked = api
        .post::<Value>(
            "/api/v1/friends",
            Some(&b.token),
            &json!({ "friend_id": a.id }),
        )
        .await
        .unwrap();
    assert!(asked.is_object());
    let path = format!("/api/v1/friends/{}", a.id);
    let blocked = json!({ "status": "blocked" });
    let put = asobi_client_put(&server, &path, &b, &blocked).await;
    assert!(put.is_object());
    ask(&a, "party.create", json!({})).await.unwrap();
    refused(
        &a,
        "party.invite",
        json!({ "player_id": b.id }),
        "social.blocked",
    )
    .await;
    never(&b, "party.invited").await;
}

async fn asobi_client_put(server: &Server, path: &str, by: &Player, body: &Value) -> Value {
    let put = axum::http::Method::PUT;
    let answer = server
        .api()
        .call(put, path, Some(&by.token), Some(body))
        .await;
    answer.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_queues_as_one_and_stays_whole() {
    let server = game(&[
        ("trio", "match_size = 3"),
        ("duo", "match_size = 2"),
        ("sides", "match_size = 4 teams = 2"),
    ]);
    let (a, b, c, d) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    // A ticket of one's own gives way to the party's.
    queue(&b, "trio", json!({})).await.unwrap();
    let id = party(&[&a, &b]).await;
    let queued = ask(&a, "party.queue", json!({ "mode": "trio" }))
        .await
        .unwrap();
    let told = push(&b, "party.queued").await;
    assert_eq!(
        (&told["ticket_id"], &told["mode"]),
        (&queued["ticket_id"], &json!("trio"))
    );
    assert_eq!(
        (&told["party_id"], &told["players_needed"]),
        (&json!(id), &json!(3))
    );
    let again = queue(&b, "trio", json!({})).await.unwrap();
    assert_eq!(
        (&again["ticket_id"], &again["already_queued"]),
        (&queued["ticket_id"], &json!(true))
    );
    let again = ask(&a, "party.queue", json!({ "mode": "trio" }))
        .await
        .unwrap();
    assert_eq!(again["already_queued"], true);
    assert_eq!(own(&server, &b).await["party"]["ticket"]["mode"], "trio");
    queue(&c, "trio", json!({})).await.unwrap();
    let match_id = matched(&a).await["match_id"].clone();
    assert_eq!(matched(&b).await["match_id"], match_id);
    assert_eq!(matched(&c).await["match_id"], match_id);
    assert_eq!(own(&server, &b).await["party"]["ticket"], Value::Null);

    // Another comes: two fit a match of two, three do not.
    ask(&a, "party.invite", json!({ "player_id": d.id }))
        .await
        .unwrap();
    ask(&d, "party.accept", json!({ "party_id": id }))
        .await
        .unwrap();
    let too_large = ask(&a, "party.queue", json!({ "mode": "duo" }))
        .await
        .unwrap_err();
    assert_eq!(
        (&too_large["code"], &too_large["details"]["largest"]),
        (&json!("party.too_large"), &json!(2))
    );
    let sides = ask(&a, "party.queue", json!({ "mode": "sides" })).await;
    assert_eq!(sides.unwrap_err()["code"], "party.too_large");

    // A change of the roster takes the ticket back; so does any member.
    ask(&a, "party.queue", json!({ "mode": "trio" })).await.ok();
    ask(&d, "party.leave", json!({})).await.unwrap();
    assert_eq!(own(&server, &a).await["party"]["ticket"], Value::Null);
    let queued = ask(&a, "party.queue", json!({ "mode": "trio" }))
        .await
        .unwrap();
    let cancelled = ask(&b, "party.cancel", json!({})).await.unwrap();
    assert_eq!(cancelled["ticket"], Value::Null);
    let queued_again = ask(&a, "party.queue", json!({ "mode": "trio" }))
        .await
        .unwrap();
    assert_ne!(queued["ticket_id"], queued_again["ticket_id"]);
    let ticket = json!({ "ticket_id": queued_again["ticket_id"] });
    assert_eq!(
        ask(&d, "matchmaker.remove", ticket.clone())
            .await
            .unwrap_err()["code"],
        "forbidden"
    );
    ask(&b, "matchmaker.remove", ticket).await.unwrap();
    assert_eq!(
        push(&a, "matchmaker.removed").await["ticket_id"],
        queued_again["ticket_id"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_parties_are_the_two_sides() {
    let server = game(&[("sides", "match_size = 4 teams = 2")]);
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(server.guest().await);
    }
    party(&[&all[0], &all[1]]).await;
    party(&[&all[2], &all[3]]).await;
    ask(&all[0], "party.queue", json!({ "mode": "sides" }))
        .await
        .unwrap();
    ask(
        &all[2],
        "party.queue",
        json!({ "mode": "sides", "properties": { "skill": 7 } }),
    )
    .await
    .unwrap();
    let told = matched(&all[3]).await;
    for team in told["teams"].as_array().unwrap() {
        let together = |x: usize, y: usize| {
            let has = |at: usize| team.as_array().unwrap().contains(&json!(all[at].id));
            has(x) && has(y)
        };
        assert!(together(0, 1) || together(2, 3), "{told}");
        assert_eq!(team.as_array().unwrap().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stays_away_loses_the_place_and_the_lead() {
    let server = game_with(
        &[("arena", "match_size = 4")],
        &[],
        &[("ASOBI_PARTIES__DISCONNECT_GRACE_SECONDS", "1")],
    );
    let (a, mut b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    party(&[&a, &b, &c]).await;
    b.client.cut();
    let away = |id: String, connected: bool| {
        move |party: &Value| {
            let members = party["members"].as_array().unwrap();
            members
                .iter()
                .any(|m| m["player_id"] == id.as_str() && m["connected"] == connected)
        }
    };
    updated(&c, away(b.id.clone(), false)).await;
    b.client.reconnect().await.unwrap();
    updated(&c, away(b.id.clone(), true)).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(
        own(&server, &b).await["party"]["members"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    a.client.cut();
    let left = updated(&c, |party| ids(party).len() == 2).await;
    assert_eq!(left["leader"], b.id);
    assert_eq!(own(&server, &a).await["party"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_talks_among_itself() {
    let server = game(&[("arena", "match_size = 2")]);
    let (a, b, c) = (
        server.guest().await,
        server.guest().await,
        server.guest().await,
    );
    let id = party(&[&a, &b]).await;
    let channel = json!({ "channel_id": format!("party:{id}") });
    for player in [&a, &b] {
        ask(player, "chat.join", channel.clone()).await.unwrap();
    }
    refused(&c, "chat.join", channel.clone(), "forbidden").await;
    let say = json!({ "channel_id": format!("party:{id}"), "content": "ready?" });
    refused(&c, "chat.send", say.clone(), "forbidden").await;
    a.client.send("chat.send", &say).unwrap();
    assert_eq!(push(&b, "chat.message").await["content"], "ready?");
    ask(&a, "party.kick", json!({ "player_id": b.id }))
        .await
        .unwrap();
    a.client.send("chat.send", &say).unwrap();
    never(&b, "chat.message").await;
    refused(&b, "chat.send", say, "forbidden").await;
}
