//! What was said in a channel.

use asobi_game::PlayerId;
use asobi_wire::Code;

use crate::edge::error::{Outcome, database};
use crate::edge::params::Page;
use crate::text::is_id;

use super::channel::{self, Channel};
use super::store::{self, Message};
use super::{Chat, recipient_not_found};

impl Chat {
    /// The newest messages of a channel, or those before one, oldest first.
    ///
    /// # Errors
    /// `forbidden` for a channel the player may not be in, or that is none.
    pub(super) async fn history(
        &self,
        player: &PlayerId,
        id: &str,
        page: &Page,
    ) -> Outcome<Vec<Message>> {
        let channel = Channel::parse(id).ok_or(Code::Forbidden)?;
        if !self.shared.members.include(&channel, player).await? {
            return Err(Code::Forbidden.into());
        }
        self.page(id, page).await
    }

    /// The newest messages between two players, or those before one, oldest first. A player
    /// reads what they wrote and were written, whoever has blocked whom since.
    ///
    /// # Errors
    /// `dm.recipient_not_found` for an id that is none.
    pub(super) async fn direct_history(
        &self,
        player: &PlayerId,
        other: &str,
        page: &Page,
    ) -> Outcome<(String, Vec<Message>)> {
        if !is_id(other) {
            return Err(recipient_not_found());
        }
        let id = channel::between(player.as_str(), other);
        let messages = self.page(&id, page).await?;
        Ok((id, messages))
    }

    async fn page(&self, channel: &str, page: &Page) -> Outcome<Vec<Message>> {
        let before = page.before.as_deref();
        // Looked at first: what is written in between is then seen twice rather than not at all.
        let unwritten = self.shared.writer.unwritten(channel);
        let limit = page.limit.0;
        let written = store::newest(self.shared.db.read(), channel, before, limit);
        let mut messages = written.await.map_err(database)?;
        messages.reverse();
        for message in unwritten {
            let wanted = before.is_none_or(|before| message.id.as_str() < before);
            if wanted && messages.iter().all(|there| there.id != message.id) {
                messages.push(Message::clone(&message));
            }
        }
        messages.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let excess = messages.len().saturating_sub(limit as usize);
        messages.drain(..excess);
        Ok(messages)
    }
}
