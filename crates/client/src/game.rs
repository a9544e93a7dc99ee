//! The verbs of play: queue, match, votes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Client, Event, Result};

/// The answer to `matchmaker.add`.
#[derive(Clone, Debug, Deserialize)]
pub struct Queued {
    /// The ticket.
    pub ticket_id: String,
    /// How many players a match of this mode needs; `None` when the mode does not say.
    pub players_needed: Option<u32>,
    /// Whether the player was in this queue already: the ticket is the old one.
    #[serde(default)]
    pub already_queued: bool,
}

#[derive(Deserialize)]
struct Heartbeat {
    ts: u64,
}

impl Client {
    /// Asks for a sign of life. The answer is the server's clock in Unix milliseconds.
    pub async fn heartbeat(&self) -> Result<u64> {
        let answer = self.request("session.heartbeat", &json!({})).await?;
        Ok(answer.read::<Heartbeat>()?.ts)
    }

    /// Queues for a match of this mode. `match.matched` follows when there is one.
    pub async fn matchmaker_add(&self, mode: &str) -> Result<Queued> {
        self.matchmaker_add_with(mode, &Map::new()).await
    }

    /// As [`Self::matchmaker_add`], with properties the strategy looks at, such as `skill`.
    pub async fn matchmaker_add_with(
        &self,
        mode: &str,
        properties: &Map<String, Value>,
    ) -> Result<Queued> {
        let payload = json!({"mode": mode, "properties": properties});
        self.request("matchmaker.add", &payload).await?.read()
    }

    /// Leaves the queue. Refused with `forbidden` (another's ticket) or `ws.request_failed`.
    pub async fn matchmaker_remove(&self, ticket_id: &str) -> Result<()> {
        let payload = json!({"ticket_id": ticket_id});
        self.request("matchmaker.remove", &payload).await?;
        Ok(())
    }

    /// Joins a match by its id. The answer is `match.joined`. `context` is for the game's own
    /// `join`, such as a room code.
    pub async fn match_join(&self, match_id: &str, context: Option<&Value>) -> Result<Event> {
        let mut payload = json!({"match_id": match_id});
        if let Some(context) = context {
            payload["ctx"] = context.clone();
        }
        self.request("match.join", &payload).await
    }

    /// Leaves the match, if the player is in one.
    pub async fn match_leave(&self) -> Result<()> {
        self.request("match.leave", &json!({})).await?;
        Ok(())
    }

    /// Sends an input; the payload is the game's own. Nothing answers it but the next states.
    pub fn match_input(&self, input: &impl Serialize) -> Result<()> {
        self.send("match.input", input)
    }

    /// Casts or changes a ballot: an option's id or, with `approval` and `ranked`, a list of
    /// them. Refused with `match.not_in_match`, `rate_limited`, or `ws.request_failed` and the
    /// vote's reason in its details.
    pub async fn vote_cast(&self, vote_id: &str, ballot: impl Serialize) -> Result<()> {
        let payload = json!({"vote_id": vote_id, "option_id": ballot});
        self.request("vote.cast", &payload).await?;
        Ok(())
    }

    /// Ends a vote with one of the player's veto tokens. Refused as [`Self::vote_cast`] is.
    pub async fn vote_veto(&self, vote_id: &str) -> Result<()> {
        self.request("vote.veto", &json!({"vote_id": vote_id}))
            .await?;
        Ok(())
    }
}
