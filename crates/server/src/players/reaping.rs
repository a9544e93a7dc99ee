//! Deleting guests who stay away.
//!
//! A policy of the operator's, off by default (`guest.reap_after_seconds`). It never takes a
//! player who claimed an account, nor a guest who is connected. Each goes in a transaction of
//! their own that looks again; the audit trail has no rows of it, the log a count.

use std::time::Duration;

use asobi_game::PlayerId;
use sea_orm::DbErr;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Players, erasure};
use crate::clock::db_now;
use crate::config::GuestConfig;
use crate::edge::error::Outcome;

/// Most guests deleted at one go; the next takes the rest. From the original.
const MOST: u64 = 500;

/// Deletes guests for as long as it lives.
pub struct Reaping(JoinHandle<()>);

impl Reaping {
    /// Starts. None: guests may stay away for ever.
    pub fn start(players: Players, config: &GuestConfig) -> Option<Self> {
        let after = i64::try_from(config.reap_after_seconds).unwrap_or(i64::MAX);
        if after == 0 {
            return None;
        }
        let interval = Duration::from_secs(config.reap_interval_seconds.max(1));
        Some(Self(tokio::spawn(async move {
            let mut every = tokio::time::interval_at(Instant::now() + interval, interval);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                let since = db_now().saturating_sub(after.saturating_mul(1_000));
                if let Err(error) = players.reap(since).await {
                    tracing::warn!(%error, "cannot look for guests who stay away");
                }
            }
        })))
    }
}

impl Drop for Reaping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Players {
    /// Deletes unclaimed guests not seen since `since` (Unix milliseconds), up to [`MOST`].
    /// Answers how many.
    pub(super) async fn reap(&self, since: i64) -> Outcome<usize> {
        let mut count = 0;
        for guest in self.accounts.stale_guests(since, MOST).await? {
            if self.bus.sessions().is_connected(&guest) {
                continue;
            }
            match self.reap_one(&guest, since).await {
                Ok(reaped) => count += usize::from(reaped),
                Err(error) => {
                    tracing::warn!(player = %guest, %error, "a guest could not be deleted")
                }
            }
        }
        if count > 0 {
            tracing::info!(count, "deleted guests who stayed away");
        }
        Ok(count)
    }

    /// False: the guest came back, or has an account now.
    pub(super) async fn reap_one(&self, guest: &PlayerId, since: i64) -> Result<bool, DbErr> {
        let tx = self.db.write().await?;
        if !self.accounts.lock_stale_guest(&tx, guest, since).await? {
            return Ok(false);
        }
        let ended = erasure::forget(&tx, &self.accounts, guest).await?;
        tx.commit().await?;
        self.bid_farewell(guest, ended);
        Ok(true)
    }
}
