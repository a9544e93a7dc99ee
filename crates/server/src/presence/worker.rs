//! Telling friends what has changed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use asobi_game::PlayerId;
use axum::extract::ws::Utf8Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::clock::db_now;
use crate::cluster::Bus;
use crate::db::Db;
use crate::edge::error::{Outcome, database};
use crate::session::Status;
use crate::social::Social;

use super::frames::Changed;
use super::store;

/// How long changes gather: a connection that is back within this time was never away.
const GATHER: Duration = Duration::from_millis(250);

/// Pause after the database failed.
const RETRY: Duration = Duration::from_secs(1);

/// Players whose friends are looked up at once.
const AT_ONCE: usize = 200;

/// Most friends a player is told about upon connecting. Others are there to be asked for.
const MAX_ONLINE_FRIENDS: usize = 200;

/// What has changed and is not told yet. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Changes {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    round: Mutex<Round>,
    wake: Notify,
    urgent: Notify,
}

#[derive(Default)]
struct Round {
    /// Players, and what their friends know of them: the status before the first change.
    before: HashMap<PlayerId, Option<Status>>,
    /// Players who are to learn which of their friends are online.
    arrived: HashSet<PlayerId>,
    /// Players who came or went.
    seen: HashSet<PlayerId>,
    flushed: Vec<oneshot::Sender<()>>,
}

impl Changes {
    pub(super) fn connected(&self, player: &PlayerId, before: Option<Status>) {
        self.note(player, before, |round| {
            round.seen.insert(player.clone());
            round.arrived.insert(player.clone());
        });
    }

    pub(super) fn disconnected(&self, player: &PlayerId, before: Status) {
        self.note(player, Some(before), |round| {
            round.seen.insert(player.clone());
            round.arrived.remove(player);
        });
    }

    pub(super) fn updated(&self, player: &PlayerId, before: Status) {
        self.note(player, Some(before), |_| {});
    }

    fn note(&self, player: &PlayerId, before: Option<Status>, more: impl FnOnce(&mut Round)) {
        let mut round = self.shared.round.lock();
        round.before.entry(player.clone()).or_insert(before);
        more(&mut round);
        drop(round);
        self.shared.wake.notify_one();
    }

    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.shared.round.lock().flushed.push(done);
        self.shared.urgent.notify_one();
        let _ = flushed.await;
    }

    /// Tells friends, for ever.
    pub(super) async fn tell(self, db: Db, bus: Bus, social: Social) {
        loop {
            self.shared.next().await;
            let round = std::mem::take(&mut *self.shared.round.lock());
            if let Err(error) = round.carry_out(&db, &bus, &social).await {
                // Its cause is in the log already.
                tracing::warn!(%error, "friends not told who is online; trying again");
                self.put_back(round);
                tokio::time::sleep(RETRY).await;
                self.shared.wake.notify_one();
                continue;
            }
            for done in round.flushed {
                let _ = done.send(());
            }
        }
    }

    /// Puts a round back that failed. What friends knew before it is what they still know.
    fn put_back(&self, earlier: Round) {
        let mut round = self.shared.round.lock();
        round.before.extend(earlier.before);
        round.arrived.extend(earlier.arrived);
        round.seen.extend(earlier.seen);
        round.flushed.extend(earlier.flushed);
    }
}

impl Shared {
    async fn next(&self) {
        let gathered = async {
            self.wake.notified().await;
            tokio::time::sleep(GATHER).await;
        };
        tokio::select! {
            () = self.urgent.notified() => {}
            () = gathered => {}
        }
    }
}

impl Round {
    async fn carry_out(&self, db: &Db, bus: &Bus, social: &Social) -> Outcome<()> {
        let now = db_now();
        self.write(db, now).await?;
        let changed = self.changed(bus);
        let both: HashSet<&PlayerId> = changed.keys().copied().chain(&self.arrived).collect();
        let both: Vec<PlayerId> = both.into_iter().cloned().collect();
        for players in both.chunks(AT_ONCE) {
            let mut friends: HashMap<PlayerId, Vec<PlayerId>> = HashMap::new();
            for (player, friend) in social.friends_of(players).await? {
                friends.entry(player).or_default().push(friend);
            }
            // Everything for one player goes at once: it may be much, after a restart.
            let mut news: HashMap<PlayerId, Vec<Utf8Bytes>> = HashMap::new();
            for (player, friends) in friends {
                if let Some(status) = changed.get(&player) {
                    let frame = Changed::new(&player, status.as_ref(), now).frame();
                    for friend in &friends {
                        news.entry(friend.clone()).or_default().push(frame.clone());
                    }
                }
                if self.arrived.contains(&player) {
                    // Of friends who have changed the player hears as everybody else does.
                    let others = friends
                        .iter()
                        .filter(|friend| !changed.contains_key(friend));
                    let online = online(bus, others, now);
                    news.entry(player).or_default().extend(online);
                }
            }
            for (player, frames) in news {
                bus.burst(&player, frames);
            }
        }
        Ok(())
    }

    /// Whose status is another than their friends know, and which.
    fn changed(&self, bus: &Bus) -> HashMap<&PlayerId, Option<Status>> {
        let before = self.before.iter();
        let now = before.map(|(player, before)| (player, before, bus.sessions().status(player)));
        now.filter(|(_, before, now)| *before != now)
            .map(|(player, _, now)| (player, now))
            .collect()
    }

    async fn write(&self, db: &Db, now: i64) -> Outcome<()> {
        if self.seen.is_empty() {
            return Ok(());
        }
        let seen: Vec<&str> = self.seen.iter().map(PlayerId::as_str).collect();
        let writing = async {
            let tx = db.write().await?;
            store::seen(&tx, &seen, now).await?;
            tx.commit().await
        };
        writing.await.map_err(database)
    }
}

/// Tells of those of a player's friends who are online.
fn online<'a>(bus: &Bus, friends: impl Iterator<Item = &'a PlayerId>, now: i64) -> Vec<Utf8Bytes> {
    let online = friends.filter_map(|friend| Some((friend, bus.sessions().status(friend)?)));
    online
        .take(MAX_ONLINE_FRIENDS)
        .map(|(friend, status)| Changed::new(friend, Some(&status), now).frame())
        .collect()
}
