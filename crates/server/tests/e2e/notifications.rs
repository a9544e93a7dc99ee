//! Notifications: reading them, marking them, removing them.

use asobi_wire::Code;
use serde_json::{Value, json};

use crate::friends::NO_IDS;
use crate::rest::{Guest, request};
use crate::server::{GAME, Server};

impl Guest {
    async fn notifications(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/notifications{query}")).await;
        answer.rows("notifications")
    }
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_reads_and_removes_their_own() {
    let server = Server::start();
    let [a, b, c, d] = server.guests().await;
    for friend in [&b, &c, &d] {
        friend.ask(&a).await;
    }
    let all = a.notifications("").await;
    let from = |row: &Value| row["content"]["from_player_id"].clone();
    let senders: Vec<_> = all.iter().map(from).collect();
    assert_eq!(senders, [json!(d.id), json!(c.id), json!(b.id)]);
    for row in &all {
        assert_eq!(row["player_id"], a.id);
        assert_eq!(row["type"], "friend_request");
        assert_eq!(row["subject"], "New friend request");
        assert_eq!(row["read"], false);
        assert!(row["sent_at"].as_str().unwrap().ends_with('Z'));
    }
    let [newest, middle, oldest] = ids(&all)[..] else {
        panic!()
    };
    let read = a
        .send("PUT", &format!("/notifications/{middle}/read"), "")
        .await
        .ok();
    assert_eq!(read, {
        let mut row = all[1].clone();
        row["read"] = true.into();
        row
    });
    let again = a
        .send("PUT", &format!("/notifications/{middle}/read"), "{}")
        .await;
    assert_eq!(again.ok(), read);
    assert_eq!(ids(&a.notifications("?read=true").await), [middle]);
    assert_eq!(ids(&a.notifications("?read=false").await), [newest, oldest]);
    assert_eq!(a.notifications("?read=maybe").await.len(), 3);
    assert_eq!(ids(&a.notifications("?limit=1").await), [newest]);
    let page = a.notifications(&format!("?limit=1&before={newest}")).await;
    assert_eq!(ids(&page), [middle]);

    let removed = a.delete(&format!("/notifications/{newest}")).await;
    assert_eq!(removed.ok(), json!({"success": true}));
    let gone = a.delete(&format!("/notifications/{newest}")).await;
    gone.refused(Code::NotificationNotFound);
    let all_read = a.send("PUT", "/notifications/read", "").await;
    assert_eq!(all_read.ok(), json!({"success": true}));
    assert!(a.notifications("?read=false").await.is_empty());
    assert_eq!(ids(&a.notifications("?read=true").await), [middle, oldest]);
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_are_not_to_be_touched_and_there_is_none_of_a_bad_id() {
    let server = Server::start();
    let [a, b] = server.guests().await;
    a.ask(&b).await;
    let rows = b.notifications("").await;
    let [id] = ids(&rows)[..] else { panic!() };
    let mark = a
        .send("PUT", &format!("/notifications/{id}/read"), "")
        .await;
    mark.refused(Code::Forbidden);
    a.delete(&format!("/notifications/{id}"))
        .await
        .refused(Code::Forbidden);
    a.send("PUT", "/notifications/read", "").await.ok();
    assert_eq!(b.notifications("").await, rows);
    for id in NO_IDS {
        let mark = a
            .send("PUT", &format!("/notifications/{id}/read"), "")
            .await;
        mark.refused(Code::NotificationNotFound);
        let remove = a.delete(&format!("/notifications/{id}")).await;
        remove.refused(Code::NotificationNotFound);
    }
    for query in [
        "?before=nobody",
        "?before=",
        "?before=%00",
        "?read=true&read=false",
    ] {
        let list = a.get(&format!("/notifications{query}")).await;
        list.refused(Code::InvalidPayload);
    }
    let many = a.get("/notifications?limit=-1&read=%00").await;
    assert!(many.rows("notifications").is_empty());
    a.get("/notifications/read")
        .await
        .refused(Code::MethodNotAllowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_keeps_the_newest_and_marks_outlive_a_crash() {
    let mut server = Server::with(GAME, &[("ASOBI_NOTIFICATIONS__MAX_PER_PLAYER", "2")]);
    let [a, b, c, d] = server.guests().await;
    b.ask(&a).await;
    c.ask(&a).await;
    let rows = a.notifications("").await;
    let newest = rows[0]["id"].as_str().unwrap();
    a.send("PUT", &format!("/notifications/{newest}/read"), "")
        .await
        .ok();
    d.ask(&a).await;
    let left = a.notifications("").await;
    assert_eq!(left[0]["content"]["from_player_id"], d.id);
    assert_eq!(left[1], rows[1]);
    assert_eq!(left.len(), 2);
    a.send("PUT", "/notifications/read", "").await.ok();
    server.kill_and_restart();
    let read = request(
        &server.api(),
        "GET",
        "/notifications?read=true",
        Some(&a.token),
        "",
    )
    .await;
    assert_eq!(read.rows("notifications").len(), 2);
}
