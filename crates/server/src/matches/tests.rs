//! What is kept of matches, without the matches.

use std::time::Duration;

use asobi_game::host::{MatchRecord, VoteRecord};
use asobi_game::matches::Status;
use asobi_game::matches::saved::{SavedMatch, SavedMeta};
use asobi_game::votes::{VoteRequest, VoteResult};
use asobi_game::{MatchId, PlayerId};
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::json;

use super::entities::stats;
use super::store::Store;
use crate::db::scratch::Scratch;

/// One row that the database does not take would hold up all that come after it.
#[tokio::test]
async fn text_of_every_kind_is_written() {
    let disk = Scratch::new();
    let db = disk.open().await;
    let store = Store::new(db.clone());
    let (id, erased) = (
        MatchId::generate(),
        PlayerId::from(MatchId::generate().as_str()),
    );
    let odd = "a\0b\u{202E}\u{1F98A}";
    store.keep_vote(VoteRecord {
        match_id: id.clone(),
        request: VoteRequest {
            template: odd.into(),
            ..VoteRequest::default()
        },
        votes_cast: [(odd.to_owned(), json!(odd))].into(),
        result: VoteResult {
            vote_id: "v".into(),
            winner: Some(odd.into()),
            distribution: [(odd.to_owned(), 1.0)].into(),
            total_votes: 1,
            turnout: 1.0,
            ..VoteResult::default()
        },
        eligible: 1,
        opened_at: 1,
        closed_at: 2,
    });
    store.finish(MatchRecord {
        id: id.clone(),
        mode: "default".into(),
        players: vec![erased],
        result: json!({ "note": odd, odd: 1 }).to_string().into(),
        started_at: Some(1),
        finished_at: 2,
    });
    let flushed = tokio::time::timeout(Duration::from_secs(10), store.flush()).await;
    assert!(flushed.is_ok(), "the batch is not written");
    let record = store.record(id.as_str()).await.unwrap().unwrap();
    assert_eq!(record["result"]["note"], odd);
    let votes = db.read().query_all_raw(Statement::from_string(
        db.read().get_database_backend(),
        "SELECT template FROM votes",
    ));
    assert_eq!(votes.await.unwrap().len(), 1);

    // A result counts for those who are there; a player erased meanwhile does not come back.
    assert_eq!(stats::Entity::find().all(db.read()).await.unwrap(), []);
}

/// More than one statement holds: a server with that many matches stops and saves them all.
#[tokio::test]
async fn many_snapshots_are_written_at_once() {
    let disk = Scratch::new();
    let store = Store::new(disk.open().await);
    for n in 0..8_000 {
        store.save(SavedMatch {
            id: MatchId::generate(),
            mode: "default".into(),
            meta: SavedMeta {
                status: Status::Running,
                seed: n,
                members: Vec::new(),
                joinable: true,
                voting: asobi_game::votes::VoteBoard::default(),
                phases: None,
                timers: Default::default(),
                started_at: None,
                saved_at: n,
            },
            state: vec![1, 2, 3].into(),
        });
    }
    let flushed = tokio::time::timeout(Duration::from_secs(20), store.flush()).await;
    assert!(flushed.is_ok(), "the batch is not written");
    let saved = store.saved_matches().await.unwrap();
    assert_eq!(saved.len(), 8_000);
    for saved in saved {
        store.forget(saved.id);
    }
    let flushed = tokio::time::timeout(Duration::from_secs(20), store.flush()).await;
    assert!(flushed.is_ok(), "the batch is not written");
    assert!(store.saved_matches().await.unwrap().is_empty());
}
