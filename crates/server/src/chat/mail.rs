//! Handing messages over once they are written.

use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_wire::envelope::frame;
use sea_orm::DbErr;

use crate::cluster::Bus;
use crate::db::Db;

use super::frames::{Said, Sent};
use super::store::{self, Message};
use super::writer::{Direct, Receipt};

/// Most messages a player is handed upon connecting; older ones are in the history.
const MAX_MAIL: u64 = 200;

/// Where messages are handed over.
pub(super) struct Mail {
    bus: Bus,
    db: Db,
}

impl Mail {
    pub(super) fn new(bus: Bus, db: Db) -> Self {
        Self { bus, db }
    }

    /// As [`acknowledge`].
    pub(super) fn acknowledge(&self, receipt: &Receipt, message: &Message) {
        acknowledge(&self.bus, receipt, message);
    }

    /// Delivers a direct message: to whoever has joined its channel, and to the recipient
    /// unless that is for `later`. Answers whether the recipient has been handed it.
    pub(super) fn hand_over(&self, direct: &Direct, later: bool) -> bool {
        let message: &Arc<Message> = &direct.message;
        let Some(recipient) = message.recipient_id.as_deref().map(PlayerId::from) else {
            return false;
        };
        let said = Said::from(&**message);
        let has_joined = self.bus.is_in_channel(&message.channel_id, &recipient);
        self.bus
            .event_to_channel(&message.channel_id, frame("chat.message", None, &said));
        if has_joined && direct.via_channel {
            return true;
        }
        !later && self.bus.event(&recipient, frame("dm.message", None, &said))
    }

    /// Hands over what came while these players were away. `delivered` gets the ids of what was
    /// handed over, `given_up` who had more, and from which id on backwards.
    pub(super) async fn catch_up(
        &self,
        players: &[PlayerId],
        delivered: &mut Vec<String>,
        given_up: &mut Vec<(PlayerId, String)>,
    ) -> Result<(), DbErr> {
        for player in store::with_mail(self.db.read(), players).await? {
            let messages = store::undelivered(self.db.read(), &player, MAX_MAIL).await?;
            let player = PlayerId::from(player);
            let frames = messages
                .iter()
                .map(|message| frame("dm.message", None, &Said::from(message)).into());
            if !self.bus.burst(&player, frames.collect()) {
                continue;
            }
            if messages.len() as u64 == MAX_MAIL {
                given_up.push((player, messages[0].id.clone()));
            }
            delivered.extend(messages.into_iter().map(|message| message.id));
        }
        Ok(())
    }
}

/// Tells the sender of a message that it is written.
pub(super) fn acknowledge(bus: &Bus, receipt: &Receipt, message: &Message) {
    let sent = frame("chat.sent", Some(&receipt.cid), &Sent::from(message));
    bus.event_to_session(&receipt.player, receipt.session, sent);
}
