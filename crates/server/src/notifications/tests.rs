//! Sending, on a real database.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::db::scratch::{Scratch, add_players, erase_player};
use crate::session::outbox::Outbox;

struct Setup {
    notifications: Notifications,
    db: Db,
    bus: Bus,
    _scratch: Scratch,
}

async fn setup(max_per_player: u64) -> Setup {
    let scratch = Scratch::new();
    let db = scratch.open().await;
    let bus = Bus::default();
    let config = NotificationsConfig { max_per_player };
    Setup {
        notifications: Notifications::new(&config, db.clone(), bus.clone()),
        db,
        bus,
        _scratch: scratch,
    }
}

impl Setup {
    async fn send(&self, to: &[PlayerId], subject: &str) -> Vec<PlayerId> {
        let content = json!({ "gold": 5 });
        let sent = self.notifications.send(to, "gift", subject, content).await;
        sent.unwrap()
    }

    async fn all(&self, player: &PlayerId) -> Vec<Notification> {
        let filter = Filter {
            limit: Limit(200),
            ..Filter::default()
        };
        self.notifications.list(player, &filter).await.unwrap()
    }

    async fn subjects(&self, player: &PlayerId) -> Vec<String> {
        let rows = self.all(player).await;
        rows.iter().map(|row| row.subject.to_string()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_once_and_strangers_are_left_out() {
    let setup = setup(200).await;
    let players = add_players(&setup.db, 3).await;
    let [a, b, c] = &players[..] else { panic!() };
    let outbox = Arc::new(Outbox::new(8));
    setup.bus.sessions().begin(b.clone(), Arc::clone(&outbox));
    let to = [
        c.clone(),
        "bot_Bob_1".into(),
        b.clone(),
        "\0".into(),
        c.clone(),
        text::new_id().into(),
    ];
    assert_eq!(setup.send(&to, "hello").await, [c.clone(), b.clone()]);
    assert_eq!(setup.subjects(c).await, ["hello"]);
    assert!(setup.subjects(a).await.is_empty());

    let row = serde_json::to_value(&setup.all(b).await[0]).unwrap();
    assert_eq!(row["type"], "gift");
    assert_eq!(row["content"], json!({"gold": 5}));
    assert_eq!(row["player_id"], b.as_str());
    assert_eq!(row["read"], false);
    let frames = outbox.take().frames;
    assert_eq!(frames.len(), 1);
    let frame: Value = serde_json::from_str(&frames[0]).unwrap();
    assert_eq!(frame, json!({"type": "notification.new", "payload": row}));
    assert!(setup.send(&[], "nobody").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_nobody_is_told() {
    let setup = setup(200).await;
    let players = add_players(&setup.db, 1).await;
    let long = "x".repeat(257);
    let big = json!({ "text": "x".repeat(16 * 1024) });
    let empty = json!({});
    let bad = [
        ("", "subject", &empty, "type"),
        ("a\nb", "subject", &empty, "type"),
        (&long[..65], "subject", &empty, "type"),
        ("gift", "", &empty, "subject"),
        ("gift", "a\0b", &empty, "subject"),
        ("gift", &long, &empty, "subject"),
        ("gift", "subject", &json!([]), "content"),
        ("gift", "subject", &json!(null), "content"),
        ("gift", "subject", &big, "content"),
    ];
    for (kind, subject, content, field) in bad {
        let sent = setup
            .notifications
            .send(&players, kind, subject, content.clone());
        let error = sent.await.unwrap_err();
        assert_eq!(error.code, Code::ValidationFailed);
        let fields = error.details()["fields"].as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), [field]);
    }
    let crowd = vec![players[0].clone(); 10_001];
    let sent = setup.notifications.send(&crowd, "gift", "subject", empty);
    assert!(sent.await.unwrap_err().details()["fields"]["to"].is_array());
    assert!(setup.all(&players[0]).await.is_empty());
    let longest = "ä".repeat(256);
    let odd = json!({"a": {"b\0": "\0"}});
    let sent = setup
        .notifications
        .send(&players, "gift", &longest, odd.clone());
    sent.await.unwrap();
    let listed = setup.all(&players[0]).await.remove(0);
    let listed = serde_json::to_value(listed).unwrap();
    assert_eq!(
        (&listed["subject"], &listed["content"]),
        (&json!(longest), &odd)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_full_loses_what_was_read_first_and_then_the_oldest() {
    let setup = setup(4).await;
    let players = add_players(&setup.db, 2).await;
    for subject in ["1", "2", "3", "4"] {
        setup.send(&players, subject).await;
    }
    let rows = setup.all(&players[0]).await;
    for read in [&rows[0], &rows[1]] {
        let marked = setup.notifications.mark_read(&players[0], &read.id).await;
        assert!(marked.unwrap().read);
    }
    for (next, kept) in [
        ("5", ["5", "4", "2", "1"]),
        ("6", ["6", "5", "2", "1"]),
        ("7", ["7", "6", "5", "2"]),
    ] {
        setup.send(&players[..1], next).await;
        assert_eq!(setup.subjects(&players[0]).await, kept);
    }
    assert_eq!(setup.subjects(&players[1]).await, ["4", "3", "2", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_senders_at_once_keep_the_bound_and_lose_nothing_else() {
    let setup = Arc::new(setup(5).await);
    let players = add_players(&setup.db, 3).await;
    let senders = (0..30).map(|n| {
        let (setup, mut to) = (Arc::clone(&setup), players.clone());
        to.rotate_left(n % 3);
        tokio::spawn(async move { setup.send(&to, &n.to_string()).await })
    });
    for sender in senders.collect::<Vec<_>>() {
        assert_eq!(sender.await.unwrap().len(), 3);
    }
    for player in &players {
        assert_eq!(setup.all(player).await.len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_who_is_erased_meanwhile_fails_nobody() {
    let setup = Arc::new(setup(200).await);
    for _ in 0..10 {
        let players = add_players(&setup.db, 20).await;
        let sending = {
            let (setup, to) = (Arc::clone(&setup), players.clone());
            tokio::spawn(async move { setup.send(&to, "hello").await })
        };
        erase_player(&setup.db, &players[7]).await;
        let told: HashSet<PlayerId> = sending.await.unwrap().into_iter().collect();
        assert!(
            players
                .iter()
                .all(|player| *player == players[7] || told.contains(player))
        );
        assert!(setup.all(&players[7]).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_are_told_at_once() {
    let setup = setup(2).await;
    let players = add_players(&setup.db, 10_000).await;
    for round in 1..=3 {
        let began = std::time::Instant::now();
        assert_eq!(setup.send(&players, &round.to_string()).await.len(), 10_000);
        println!("round {round}: {:?}", began.elapsed());
    }
    for player in [&players[0], &players[9_999]] {
        assert_eq!(setup.subjects(player).await, ["3", "2"]);
    }
}
