//! `chat.join`, `chat.leave`, `chat.send` and `dm.send`.

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code, Envelope};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::edge::error::Outcome;
use crate::edge::reply::Reply;
use crate::session::SessionId;

use super::store::Message;
use super::{Chat, Receipt};

#[derive(Deserialize)]
struct ToChannel {
    #[serde(default)]
    channel_id: Value,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct ToPlayer {
    recipient_id: Value,
    content: Value,
}

/// The payload of `chat.message` and `dm.message`.
#[derive(Serialize)]
pub(super) struct Said<'a> {
    channel_id: &'a str,
    sender_id: &'a str,
    content: &'a str,
    /// Unix milliseconds.
    sent_at: i64,
    id: &'a str,
}

impl<'a> From<&'a Message> for Said<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            channel_id: &message.channel_id,
            sender_id: &message.sender_id,
            content: &message.content,
            sent_at: message.sent_at,
            id: &message.id,
        }
    }
}

/// The payload of `chat.sent` and `dm.sent`.
#[derive(Serialize)]
pub struct Sent {
    /// The channel; of a direct message the one of the two players.
    pub channel_id: String,
    /// The message's id.
    pub id: String,
    /// Unix milliseconds.
    pub sent_at: i64,
}

impl From<&Message> for Sent {
    fn from(message: &Message) -> Self {
        Self {
            channel_id: message.channel_id.clone(),
            id: message.id.clone(),
            sent_at: message.sent_at,
        }
    }
}

/// Joins a channel.
pub async fn join(
    chat: &Chat,
    player: &PlayerId,
    session: SessionId,
    frame: &Envelope<'_>,
) -> Outcome<Reply> {
    let asked: ToChannel = frame.read()?;
    let id = channel_id(&asked)?;
    chat.join(player, session, id).await?;
    Ok(Reply::new("chat.joined", &json!({ "channel_id": id })))
}

/// Leaves a channel, joined or not.
pub fn leave(chat: &Chat, session: SessionId, frame: &Envelope<'_>) -> Outcome<Reply> {
    let asked: ToChannel = frame.read()?;
    let id = channel_id(&asked)?;
    chat.leave(session, id);
    Ok(Reply::new("chat.left", &json!({ "channel_id": id })))
}

/// Sends to a channel. The original never answers a frame that worked: here one with a `cid`
/// is answered, by `chat.sent` once the message is written.
pub async fn send(
    chat: &Chat,
    player: &PlayerId,
    session: SessionId,
    frame: &Envelope<'_>,
) -> Outcome<Reply> {
    let asked: ToChannel = frame.read()?;
    let id = channel_id(&asked)?;
    let text = match &asked.content {
        Value::String(text) => text,
        Value::Null => return Err(Code::ChatContentEmpty.into()),
        _ => return Err(Code::ChatInvalidContent.into()),
    };
    let receipt = frame.cid().map(|cid| Receipt {
        player: player.clone(),
        session,
        cid: cid.to_owned(),
    });
    chat.send(player, id, text, receipt).await?;
    Ok(Reply::none())
}

/// Sends to a player.
pub async fn send_direct(chat: &Chat, player: &PlayerId, frame: &Envelope<'_>) -> Outcome<Reply> {
    let asked: ToPlayer = frame.read()?;
    let (Value::String(recipient), Value::String(text)) = (&asked.recipient_id, &asked.content)
    else {
        return Err(ApiError::from_reason("invalid_input"));
    };
    let sent = chat.send_direct(player, recipient, text).await?;
    Ok(Reply::new("dm.sent", &sent))
}

/// A missing id and one that is no text are as wrong as one without a prefix.
fn channel_id(asked: &ToChannel) -> Outcome<&str> {
    let id = asked.channel_id.as_str();
    id.ok_or_else(|| ApiError::from_reason("invalid_channel_id"))
}
