//! Waiting players for matches that run and have room, where the mode says `backfill = true`.
//!
//! Before new matches are formed. The oldest ticket chooses the fullest match it fits into as a
//! whole; region and skill count as they did when the match was put together.

use std::sync::Arc;
use std::time::Duration;

use asobi_game::matches::{MatchHandle, MatchInfo, Status};
use asobi_game::modes::Mode;
use asobi_game::strategy::{Ticket, window};
use asobi_game::{MatchId, PlayerId};
use asobi_wire::envelope::frame;
use futures_util::future::join_all;
use serde_json::json;
use serde_json::value::RawValue;

use super::Matchmaking;
use super::queue::Waiting;

/// How long a match has to say whether it has room. One that is busy is not asked again before
/// the next look.
const PATIENCE: Duration = Duration::from_millis(100);

/// How a match was put together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Formed {
    region: Option<String>,
    lowest: f64,
    highest: f64,
}

impl Formed {
    fn of<'a>(tickets: impl Iterator<Item = &'a Arc<Ticket>> + Clone) -> Option<Self> {
        let skills = tickets.clone().map(|ticket| ticket.skill);
        Some(Self {
            region: tickets.clone().next()?.region.clone(),
            lowest: skills.clone().fold(f64::INFINITY, f64::min),
            highest: skills.fold(f64::NEG_INFINITY, f64::max),
        })
    }

    fn takes(&self, mode: &Mode, ticket: &Ticket, now: u64) -> bool {
        let region = !mode.matching.match_regions || self.region == ticket.region;
        let spread = self.highest.max(ticket.skill) - self.lowest.min(ticket.skill);
        region && (mode.strategy != "skill_based" || spread <= window(mode, ticket, now))
    }
}

/// A match with room.
struct Open {
    handle: MatchHandle,
    info: MatchInfo,
    room: usize,
    formed: Option<Formed>,
    coming: Vec<Arc<Ticket>>,
}

impl Open {
    fn takes(&self, mode: &Mode, ticket: &Ticket, now: u64) -> bool {
        let is_in = |player: &PlayerId| self.info.players.contains(player);
        let suits = match &self.formed {
            Some(formed) => formed.takes(mode, ticket, now),
            // Taken up after a restart: who is in it is not known any more.
            None => !mode.matching.match_regions && mode.strategy != "skill_based",
        };
        suits && ticket.size() <= self.room && !ticket.players.iter().any(is_in)
    }
}

impl Matchmaking {
    /// Sends waiting players to matches of the mode that have room, if it wants that. Answers
    /// who waits on.
    pub(super) async fn backfill(
        &self,
        mode: &Mode,
        waiting: Vec<Arc<Ticket>>,
        now: u64,
    ) -> Vec<Arc<Ticket>> {
        if !mode.matching.backfill || waiting.is_empty() {
            return waiting;
        }
        let mut open = self.open_matches(mode).await;
        let mut rest = Vec::new();
        for ticket in waiting {
            let fitting = open.iter_mut().filter(|to| to.takes(mode, &ticket, now));
            match fitting.min_by_key(|to| to.room) {
                Some(to) => {
                    to.room -= ticket.size();
                    to.coming.push(ticket);
                }
                None => rest.push(ticket),
            }
        }
        for to in open {
            for ticket in &to.coming {
                if let Some(taken) = self.take(&[ticket]) {
                    self.shared.filling.lock().insert(to.handle.id().clone());
                    tokio::spawn(self.clone().send(to.handle.clone(), taken));
                }
            }
        }
        rest
    }

    async fn open_matches(&self, mode: &Mode) -> Vec<Open> {
        let mut matches = self.shared.matches.of_mode(&mode.name);
        self.forget_gone();
        {
            let filling = self.shared.filling.lock();
            matches.retain(|handle| !filling.contains(handle.id()));
        }
        let asked = matches.iter().map(|handle| async move {
            let info = tokio::time::timeout(PATIENCE, handle.info()).await;
            info.ok().flatten().map(|info| (handle.clone(), info))
        });
        let answers = join_all(asked).await.into_iter().flatten();
        let formed = self.shared.formed.lock();
        answers
            .filter(|(_, info)| info.joinable && info.status != Status::Finished)
            .map(|(handle, info)| Open {
                room: (info.max_players as usize).saturating_sub(info.player_count),
                formed: formed.get(handle.id()).cloned(),
                handle,
                info,
                coming: Vec::new(),
            })
            .filter(|open| open.room > 0)
            .collect()
    }

    /// Joins the players of a ticket to a match, all or none.
    async fn send(self, to: MatchHandle, taken: Vec<Waiting>) {
        let mut joined: Vec<PlayerId> = Vec::new();
        let players: Vec<PlayerId> = taken
            .iter()
            .flat_map(|waiting| waiting.ticket.players.iter().cloned())
            .collect();
        let mut info = None;
        for player in &players {
            match to.join(player.clone(), context()).await {
                Ok(now) => {
                    joined.push(player.clone());
                    info = Some(now);
                }
                Err(_) => break,
            }
        }
        self.shared.filling.lock().remove(to.id());
        match info.filter(|_| joined.len() == players.len()) {
            Some(info) => {
                self.note_backfilled(to.id(), &taken);
                let told = json!({
                    "match_id": to.id(), "players": info.players, "backfill": true,
                });
                let told = frame("match.matched", None, &told);
                self.shared.bus.event_to_all(&players, told);
            }
            None => {
                for player in joined {
                    to.leave(player);
                }
                self.try_again(taken);
            }
        }
    }

    /// Remembers how a match was put together, if it may take more players later.
    pub(super) fn note_formed(&self, mode: &Mode, id: &MatchId, tickets: &[Waiting]) {
        if !mode.matching.backfill {
            return;
        }
        if let Some(formed) = Formed::of(tickets.iter().map(|waiting| &waiting.ticket)) {
            self.shared.formed.lock().insert(id.clone(), formed);
        }
    }

    fn note_backfilled(&self, id: &MatchId, tickets: &[Waiting]) {
        if let Some(formed) = self.shared.formed.lock().get_mut(id) {
            for waiting in tickets {
                formed.lowest = formed.lowest.min(waiting.ticket.skill);
                formed.highest = formed.highest.max(waiting.ticket.skill);
            }
        }
    }

    fn forget_gone(&self) {
        let matches = &self.shared.matches;
        let mut formed = self.shared.formed.lock();
        formed.retain(|id, _| matches.find(id.as_str()).is_some());
    }
}

/// What the game's `join` learns of somebody who comes later.
fn context() -> Box<RawValue> {
    RawValue::from_string(r#"{"backfill":true}"#.into()).expect("an object is JSON")
}
