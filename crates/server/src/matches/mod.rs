//! Live matches: starting them, getting players in and out, and taking them up again after a
//! restart.
//!
//! The simulation itself is `asobi-game`; here it meets the outside. [`host`] is what a match
//! sees of the server, [`store`] what is kept of it.

mod entities;
pub mod frames;
pub mod host;
pub mod join_context;
pub mod routes;
pub mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use asobi_game::logic::{Input, ScriptFault};
use asobi_game::matches::{JoinError, MatchHandle, MatchInfo, MatchSettings, NewMatch};
use asobi_game::modes::Mode;
use asobi_game::simulation::Simulation;
use asobi_game::votes::{Templates, VoteRequest};
use asobi_game::{MatchId, PlayerId};
use asobi_wire::{ApiError, Code};
use bytes::Bytes;
use futures_util::future::join_all;
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::value::RawValue;

use crate::clock;
use crate::cluster::Directory;
use crate::config::Config;
use crate::db::Db;
use crate::edge::error::Outcome;
use crate::edge::limits::{Limiter, Rate};
use crate::game::Game;

use self::host::Host;
use self::store::Store;

pub use self::store::Stats;

/// How long a match may take to tell about itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// The matches domain. Cheap to clone.
#[derive(Clone)]
pub struct Matches {
    simulation: Simulation,
    directory: Directory,
    game: Game,
    store: Store,
    joins: Arc<Limiter<PlayerId>>,
    max: usize,
    draining: Arc<AtomicBool>,
}

/// Forgets a player's counters. Results and votes keep their bare id, which names nobody.
pub async fn erase(tx: &DatabaseTransaction, player: &PlayerId) -> Result<(), DbErr> {
    store::erase(tx, player).await
}

impl Matches {
    /// Starts the simulation threads.
    pub fn start(config: &Config, game: Game, host: Host, db: Db) -> std::io::Result<Self> {
        let threads = match config.matches.simulation_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let store = Store::new(db);
        let directory = host.directory().clone();
        let host = Arc::new(host.with_store(store.clone()));
        let simulation = Simulation::start(threads, settings(config), host, clock::now_ms)?;
        let joins = Rate::new(config.limits.joins_per_minute, Duration::from_secs(60));
        Ok(Self {
            simulation,
            directory,
            game,
            store,
            joins: Arc::new(Limiter::new(joins)),
            max: config.matches.max,
            draining: Arc::default(),
        })
    }

    /// Takes up the matches that were running when the server stopped.
    pub async fn restore(&self) -> anyhow::Result<()> {
        for saved in self.store.saved_matches().await? {
            let id = saved.id.clone();
            let Some(mode) = self.game.mode(&saved.mode) else {
                tracing::warn!(match_id = %id, mode = saved.mode, "match not restored: the game has no such mode");
                continue;
            };
            let factory = self.game.factory(&mode.name);
            match self.simulation.restore_match(saved, mode, factory).await {
                Ok(_) => tracing::info!(match_id = %id, "match restored"),
                // The row stays: the script may be mended.
                Err(fault) => {
                    tracing::error!(match_id = %id, error = fault.message, "match not restored")
                }
            }
        }
        Ok(())
    }

    /// Starts a match for the players the matchmaker put together. `teams` are its sides, if
    /// the mode has sides.
    pub async fn create(
        &self,
        mode: Mode,
        players: Vec<PlayerId>,
        teams: Vec<Vec<PlayerId>>,
    ) -> Result<MatchHandle, ScriptFault> {
        let factory = self.game.factory(&mode.name);
        let new = NewMatch {
            id: MatchId::generate(),
            mode,
            seed: rand::random(),
            players,
            teams,
        };
        self.simulation.start_match(new, factory).await
    }

    /// Whether another match may start.
    pub fn has_room(&self) -> bool {
        !self.is_draining() && self.directory.match_count() < self.max
    }

    /// Whether the server is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The match a player is in.
    pub fn of(&self, player: &PlayerId) -> Option<MatchHandle> {
        self.directory.match_of(player)
    }

    /// The live match of this id.
    pub fn find(&self, id: &str) -> Option<MatchHandle> {
        self.directory.find_match(&MatchId::from(id))
    }

    /// The live matches of a mode.
    pub fn of_mode(&self, mode: &str) -> Vec<MatchHandle> {
        let mut matches = self.directory.matches();
        matches.retain(|handle| handle.mode() == mode);
        matches
    }

    /// What every live match tells about itself. One whose script waits for the server answers
    /// later than anybody else wants to wait, and is left out.
    pub async fn live(&self) -> Vec<MatchInfo> {
        let asked = self.directory.matches();
        let asked = asked
            .iter()
            .map(|handle| tokio::time::timeout(PATIENCE, handle.info()));
        let answered = join_all(asked).await.into_iter();
        answered.filter_map(|info| info.ok().flatten()).collect()
    }

    /// Joins a player to a match.
    pub async fn join(
        &self,
        player: &PlayerId,
        id: &str,
        ctx: Box<RawValue>,
    ) -> Outcome<MatchInfo> {
        let handle = self
            .find(id)
            .ok_or_else(|| ApiError::from_reason("match_not_found"))?;
        if self.joins.take(player.clone()).is_err() {
            return Err(ApiError::from_reason("join_rate_limited"));
        }
        handle
            .join(player.clone(), ctx)
            .await
            .map_err(|error| match error {
                JoinError::Refused(Some(reason)) => {
                    ApiError::from_reason("join_refused").with("refused_reason", reason)
                }
                other => ApiError::from_reason(other.to_string()),
            })
    }

    /// Takes a player out of the match they are in, if they are in one.
    pub fn leave(&self, player: &PlayerId) {
        if let Some(handle) = self.of(player) {
            handle.leave(player.clone());
        }
    }

    /// Leaves an input for the next tick of the player's match.
    pub fn input(&self, player: &PlayerId, payload: Bytes) -> Outcome<()> {
        let handle = self
            .of(player)
            .ok_or_else(|| ApiError::from_reason("not_in_match"))?;
        let input = Input {
            player: player.clone(),
            payload,
        };
        handle
            .input(input)
            .map_err(|error| ApiError::from_reason(error.to_string()))
    }

    /// The player has a connection again. Answers the match they are back in.
    pub fn player_connected(&self, player: &PlayerId) -> Option<MatchId> {
        let handle = self.of(player)?;
        handle.connected(player.clone());
        Some(handle.id().clone())
    }

    /// The player's connection dropped.
    pub fn player_disconnected(&self, player: &PlayerId) {
        if let Some(handle) = self.of(player) {
            handle.disconnected(player.clone());
        }
    }

    /// Stops every match where it is and keeps it for the next start. No new ones begin.
    pub async fn suspend_all(&self) {
        self.draining.store(true, Ordering::Relaxed);
        for handle in self.directory.matches() {
            if let Some(saved) = handle.suspend().await {
                self.store.save(saved);
            }
        }
        self.store.flush().await;
    }

    /// One finished match.
    pub async fn record(&self, id: &str) -> Outcome<serde_json::Value> {
        self.store
            .record(id)
            .await?
            .ok_or_else(|| Code::MatchNotFound.into())
    }

    /// Finished matches, newest first.
    pub async fn records(&self, filter: &store::RecordFilter) -> Outcome<Vec<serde_json::Value>> {
        self.store.records(filter).await
    }

    /// What a player's matches add up to.
    pub async fn stats(&self, player: &PlayerId) -> Outcome<Option<Stats>> {
        self.store.stats(player).await
    }

    /// Whether a player is or was in a match.
    pub async fn took_part(&self, player: &PlayerId, id: &str) -> Outcome<bool> {
        if self.find(id).is_some() {
            let playing = self.of(player);
            return Ok(playing.is_some_and(|handle| handle.id().as_str() == id));
        }
        let record = self.store.record(id).await?;
        let players = record
            .as_ref()
            .and_then(|record| record["players"].as_array());
        Ok(players.is_some_and(|players| players.iter().any(|id| id == player.as_str())))
    }
}

fn settings(config: &Config) -> MatchSettings {
    MatchSettings {
        reconnect_grace_ms: config.matches.reconnect_grace_seconds * 1_000,
        snapshot_interval_ms: config.matches.snapshot_interval_ms,
        waiting_timeout_ms: config.matches.waiting_timeout_seconds * 1_000,
        legacy_game_frames: config.lua.legacy_game_frames,
        vote_templates: Arc::new(vote_templates(config)),
        ..MatchSettings::default()
    }
}

/// The operator's templates. What is wrong with one costs it that value.
fn vote_templates(config: &Config) -> Templates {
    for (name, template) in &config.votes.templates {
        for complaint in VoteRequest::complaints_about(template) {
            tracing::warn!("votes.templates.{name}: {complaint}");
        }
    }
    config.votes.templates.clone()
}
