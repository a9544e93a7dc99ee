//! The server, as a match sees it: frames go to the bus, records to the store, faults to the
//! log and, in dev, to the players.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use asobi_game::host::{MatchHost, MatchRecord, Origin, VoteRecord};
use asobi_game::logic::{LogLevel, ScriptFault};
use asobi_game::matches::{MatchHandle, SavedMatch};
use asobi_game::{MatchId, PlayerId};
use parking_lot::Mutex;

use crate::chat::Chat;
use crate::chat::channel;
use crate::cluster::{Bus, Directory};
use crate::config::LuaConfig;
use crate::game::faults;

use super::store::Store;

/// Script errors one match sends to its players, at most one in this time.
const FAULT_PUSH_INTERVAL: Duration = Duration::from_secs(1);

/// What matches see of the server.
pub struct Host {
    bus: Bus,
    directory: Directory,
    chat: Chat,
    store: Option<Store>,
    lua: LuaConfig,
    pushed: Mutex<HashMap<MatchId, Instant>>,
}

impl Host {
    /// A host that delivers over `bus`; `lua` says whether players see script errors.
    pub fn new(bus: Bus, directory: Directory, chat: Chat, lua: LuaConfig) -> Self {
        Self {
            bus,
            directory,
            chat,
            store: None,
            lua,
            pushed: Mutex::default(),
        }
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(super) fn with_store(self, store: Store) -> Self {
        Self {
            store: Some(store),
            ..self
        }
    }

    fn store(&self) -> &Store {
        self.store
            .as_ref()
            .expect("a host has its store before the first match")
    }

    fn may_push_fault(&self, id: &MatchId) -> bool {
        let (now, mut pushed) = (Instant::now(), self.pushed.lock());
        let last = pushed.get(id).copied();
        if last.is_some_and(|last| now.duration_since(last) < FAULT_PUSH_INTERVAL) {
            return false;
        }
        pushed.insert(id.clone(), now);
        true
    }
}

impl MatchHost for Host {
    fn send_event(&self, to: &[PlayerId], frame: String) {
        self.bus.event_to_all(to, frame);
    }

    fn send_state(&self, to: &[PlayerId], frame: String) {
        self.bus.state_to_all(to, frame);
    }

    fn match_started(&self, handle: MatchHandle) {
        self.directory.add_match(handle);
    }

    fn player_joined(&self, match_id: &MatchId, player: &PlayerId) -> bool {
        if let Some(before) = self.directory.bind(player, match_id) {
            before.leave(player.clone());
        }
        // Bound first, asked second: a session that ends in between finds the binding and
        // reports the player gone.
        self.bus.sessions().is_connected(player)
    }

    fn player_left(&self, match_id: &MatchId, player: &PlayerId) {
        self.directory.unbind(player, match_id);
        self.bus.drop_member(&channel::of_match(match_id), player);
    }

    fn match_finished(&self, record: MatchRecord) {
        self.store().finish(record);
    }

    fn vote_resolved(&self, record: VoteRecord) {
        self.store().keep_vote(record);
    }

    fn save_match(&self, saved: SavedMatch) {
        self.store().save(saved);
    }

    fn match_stopped(&self, match_id: &MatchId) {
        self.directory.remove_match(match_id);
        self.bus.close_channel(&channel::of_match(match_id));
        self.pushed.lock().remove(match_id);
        self.store().forget(match_id.clone());
    }

    fn chat(&self, channel: String, sender: String, content: String) {
        if let Err(error) = self.chat.say(&channel, &sender, &content) {
            // The script was told that it is on its way; a game that talks each tick would fill
            // the log.
            tracing::debug!(target: "script", %error, "game.chat.send");
        }
    }

    fn script_fault(&self, origin: &Origin, fault: &ScriptFault, players: &[PlayerId]) {
        faults::log(&origin.mode, Some(&origin.match_id), fault);
        // Whoever watches the folder tells everybody about a save that does not load.
        let told_already = fault.callback == "reload";
        if self.lua.dev_errors && !told_already && self.may_push_fault(&origin.match_id) {
            for frame in faults::frames(fault, self.lua.legacy_game_frames) {
                self.bus.event_to_all(players, frame);
            }
        }
    }

    fn script_log(&self, origin: &Origin, level: LogLevel, message: &str, meta: Option<&str>) {
        let (mode, match_id, meta) = (&origin.mode, &origin.match_id, meta.unwrap_or_default());
        match level {
            LogLevel::Debug => {
                tracing::debug!(target: "script", mode, %match_id, meta, "{message}")
            }
            LogLevel::Info => tracing::info!(target: "script", mode, %match_id, meta, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "script", mode, %match_id, meta, "{message}"),
            LogLevel::Error => {
                tracing::error!(target: "script", mode, %match_id, meta, "{message}")
            }
        }
    }
}
