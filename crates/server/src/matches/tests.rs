//! What is kept of matches, without the matches.

use std::time::Duration;

use asobi_game::host::{MatchRecord, VoteRecord};
use asobi_game::votes::{VoteRequest, VoteResult};
use asobi_game::{MatchId, PlayerId};
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::json;

use super::entities::stats;
use super::store::Store;
use crate::config::DatabaseConfig;
use crate::db::Db;
use crate::db::scratch::Scratch;

/// One row that the database does not take would hold up all that come after it.
#[tokio::test]
async fn text_of_every_kind_is_written() {
    let disk = Scratch::new();
    let config = DatabaseConfig {
        url: disk.url.clone().into(),
        ..DatabaseConfig::default()
    };
    let db = Db::open(&config, &std::env::temp_dir()).await.unwrap();
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
