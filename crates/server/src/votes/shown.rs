//! A vote as REST shows it.

use asobi_game::votes::Vote;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::clock::{self, iso};
use crate::db::Document;

/// A finished vote, or one in progress.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownVote {
    /// The vote.
    pub id: String,
    /// The match it was or is held in.
    pub match_id: String,
    /// The game's name for it.
    pub template: String,
    /// `plurality`, `approval`, `weighted` or `ranked`.
    pub method: String,
    /// `open`, `resolved`, `no_quorum`, `no_consensus` or `vetoed`.
    pub status: String,
    /// What could be voted for: `{ id, label }`.
    #[schema(value_type = Vec<Object>)]
    pub options: Document,
    /// Option ids by voter; with `approval` and `ranked` lists of them. Withheld while a vote
    /// with hidden tallies is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub votes_cast: Option<Document>,
    /// As the frame `match.vote_result` has it; `null` while the vote is open.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Document>,
    /// Share per option, 0 to 1.
    #[schema(value_type = Object)]
    pub distribution: Document,
    /// Share of the eligible who voted themselves, 0 to 1.
    pub turnout: f64,
    /// How many could vote.
    pub eligible_count: i32,
    /// The window asked for.
    pub window_ms: i64,
    /// When it opened.
    pub opened_at: String,
    /// When it was resolved; `null` while it is open.
    pub closed_at: Option<String>,
    /// When it was written; `null` while it is open.
    pub inserted_at: Option<String>,
}

impl ShownVote {
    /// A vote in progress in this match.
    pub(super) fn open(match_id: &str, vote: &Vote) -> Self {
        let request = &vote.request;
        let votes_cast = vote
            .is_live()
            .then(|| Document::new(&json!(vote.votes_cast())));
        Self {
            id: vote.id.clone(),
            match_id: match_id.to_owned(),
            template: request.template.clone(),
            method: request.method.as_str().to_owned(),
            status: "open".into(),
            options: Document::new(&json!(request.options)),
            votes_cast,
            result: None,
            distribution: Document::new(&json!({})),
            turnout: vote.turnout(),
            eligible_count: i32::try_from(vote.eligible.len()).unwrap_or(i32::MAX),
            window_ms: clock::database_time(request.window_ms),
            opened_at: iso(clock::database_time(vote.opened_at())),
            closed_at: None,
            inserted_at: None,
        }
    }
}

/// What a result says about itself, where it says anything.
pub(super) fn status(result: Option<&Document>) -> String {
    let result = result.and_then(|result| serde_json::from_str::<Value>(result.text()).ok());
    let status = result.as_ref().and_then(|result| result["status"].as_str());
    status.unwrap_or("resolved").to_owned()
}
