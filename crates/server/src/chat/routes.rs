//! `GET /api/v1/chat/{channel_id}/history`, `POST /api/v1/dm` and
//! `GET /api/v1/dm/{player_id}/history`.

use asobi_wire::Code;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::iso;
use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::json::Body;
use crate::edge::openapi::Failures;
use crate::edge::params::{Page, Path, Query};

use super::Chat;
use super::store::Message;

/// The domain's routes, below `/api/v1`.
pub fn routes(chat: Chat) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(history))
        .routes(routes!(send_direct))
        .routes(routes!(direct_history))
        .with_state(chat)
}

/// A message as REST shows it.
#[derive(Serialize, ToSchema)]
struct ChatMessage {
    id: String,
    /// The word before the colon of the channel id.
    channel_type: String,
    channel_id: String,
    sender_id: String,
    content: String,
    /// ISO 8601.
    sent_at: String,
}

impl From<Message> for ChatMessage {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            channel_type: message.channel_type,
            channel_id: message.channel_id,
            sender_id: message.sender_id,
            content: message.content,
            sent_at: iso(message.sent_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct ChatHistory {
    /// Oldest first.
    messages: Vec<ChatMessage>,
}

/// The last messages of a channel, or those before one, oldest first.
#[utoipa::path(
    get,
    path = "/chat/{channel_id}/history",
    tag = "chat",
    params(("channel_id" = String, Path), Page),
    responses((status = 200, body = ChatHistory), Failures)
)]
async fn history(
    State(chat): State<Chat>,
    caller: Caller,
    Path(channel): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<ChatHistory>, Failure> {
    let messages = chat.history(&caller.player, &channel, &page).await?;
    Ok(Json(ChatHistory {
        messages: shown(messages),
    }))
}

/// A direct message. What is not text is `invalid_payload`, as in the original.
#[derive(Deserialize, ToSchema)]
struct NewDirectMessage {
    #[serde(default)]
    #[schema(value_type = String)]
    recipient_id: Value,
    /// 1 to 2,000 bytes.
    #[serde(default)]
    #[schema(value_type = String)]
    content: Value,
}

#[derive(Serialize, ToSchema)]
struct DirectMessageSent {
    success: bool,
    channel_id: String,
    id: String,
    /// ISO 8601.
    sent_at: String,
}

/// Sends a message to a player. It is written when this answers.
#[utoipa::path(
    post,
    path = "/dm",
    tag = "chat",
    request_body = NewDirectMessage,
    responses((status = 200, body = DirectMessageSent), Failures)
)]
async fn send_direct(
    State(chat): State<Chat>,
    caller: Caller,
    Body(new): Body<NewDirectMessage>,
) -> Result<Json<DirectMessageSent>, Failure> {
    let (Value::String(recipient), Value::String(text)) = (&new.recipient_id, &new.content) else {
        return Err(Code::InvalidPayload.into());
    };
    let sent = chat.send_direct(&caller.player, recipient, text).await?;
    Ok(Json(DirectMessageSent {
        success: true,
        channel_id: sent.channel_id,
        id: sent.id,
        sent_at: iso(sent.sent_at),
    }))
}

#[derive(Serialize, ToSchema)]
struct DirectHistory {
    /// Oldest first.
    messages: Vec<ChatMessage>,
    channel_id: String,
}

/// The last messages between the caller and a player, or those before one, oldest first.
#[utoipa::path(
    get,
    path = "/dm/{player_id}/history",
    tag = "chat",
    params(("player_id" = String, Path), Page),
    responses((status = 200, body = DirectHistory), Failures)
)]
async fn direct_history(
    State(chat): State<Chat>,
    caller: Caller,
    Path(other): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<DirectHistory>, Failure> {
    let history = chat.direct_history(&caller.player, &other, &page);
    let (channel_id, messages) = history.await?;
    Ok(Json(DirectHistory {
        messages: shown(messages),
        channel_id,
    }))
}

fn shown(messages: Vec<Message>) -> Vec<ChatMessage> {
    messages.into_iter().map(ChatMessage::from).collect()
}
