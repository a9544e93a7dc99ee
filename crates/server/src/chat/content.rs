//! What a message may say, and the game's own word on it.

use std::borrow::Cow;
use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_wire::{ApiError, Code};
use futures_util::future::BoxFuture;
use parking_lot::RwLock;

use crate::edge::error::Outcome;
use crate::text::is_prose;

/// Longest message in bytes. From the original.
pub const MAX_CONTENT_BYTES: usize = 2_000;

/// Where a message is going: the same faults have other codes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Channel,
    Direct,
}

/// Whether text may be a message: something, not too long, without control characters.
pub(super) fn check(text: &str, place: Place) -> Outcome<()> {
    let channel = place == Place::Channel;
    Err(match text {
        "" if channel => Code::ChatContentEmpty.into(),
        "" => ApiError::from_reason("content_empty"),
        long if long.len() > MAX_CONTENT_BYTES && channel => Code::ChatContentTooLarge.into(),
        long if long.len() > MAX_CONTENT_BYTES => ApiError::from_reason("content_too_large"),
        text if is_prose(text) => return Ok(()),
        _ if channel => Code::ChatInvalidContent.into(),
        _ => Code::DmInvalidContent.into(),
    })
}

/// What a game thinks of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out as it is.
    Pass,
    /// It goes out in these words.
    Change(String),
    /// It does not go out. The sender gets `chat.refused`, with the reason if there is one.
    Refuse(Option<String>),
}

/// A game's filter for what players write, in channels and to each other.
pub trait MessageFilter: Send + Sync {
    /// Looks at a message before it is sent.
    fn check(&self, channel: &str, sender: &PlayerId, text: &str) -> BoxFuture<'_, Verdict>;
}

/// The filter in force; none lets everything pass.
#[derive(Default)]
pub(super) struct Filter(RwLock<Option<Arc<dyn MessageFilter>>>);

impl Filter {
    pub(super) fn set(&self, filter: Option<Arc<dyn MessageFilter>>) {
        *self.0.write() = filter;
    }

    /// The words that go out.
    pub(super) async fn pass<'a>(
        &self,
        channel: &str,
        sender: &PlayerId,
        text: &'a str,
        place: Place,
    ) -> Outcome<Cow<'a, str>> {
        let filter = self.0.read().clone();
        let Some(filter) = filter else {
            return Ok(text.into());
        };
        match filter.check(channel, sender, text).await {
            Verdict::Pass => Ok(text.into()),
            Verdict::Change(text) => {
                check(&text, place)?;
                Ok(text.into())
            }
            Verdict::Refuse(reason) => {
                let error = ApiError::from_reason("message_refused");
                Err(match reason {
                    Some(reason) => error.with("reason", reason),
                    None => error,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_something_and_hides_nothing() {
        let code = |text: &str, place| check(text, place).err().map(|error| error.code);
        let long = "x".repeat(MAX_CONTENT_BYTES + 1);
        for fine in ["hi", " ", "two\nlines", "🦊 عايدة", &long[1..]] {
            assert_eq!(code(fine, Place::Channel), None, "{fine}");
            assert_eq!(code(fine, Place::Direct), None, "{fine}");
        }
        for (bad, chat, dm) in [
            ("", Code::ChatContentEmpty, Code::DmContentEmpty),
            (&long, Code::ChatContentTooLarge, Code::DmContentTooLarge),
            ("a\0b", Code::ChatInvalidContent, Code::DmInvalidContent),
            (
                "\u{1b}[1m",
                Code::ChatInvalidContent,
                Code::DmInvalidContent,
            ),
        ] {
            assert_eq!(code(bad, Place::Channel), Some(chat));
            assert_eq!(code(bad, Place::Direct), Some(dm));
        }
    }
}
