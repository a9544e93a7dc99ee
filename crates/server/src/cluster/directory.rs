//! Who owns an id: which match is where, and which match a player is in.

use std::collections::HashMap;
use std::sync::Arc;

use asobi_game::matches::MatchHandle;
use asobi_game::{MatchId, PlayerId};
use parking_lot::RwLock;

/// Where matches are and where players are. Cheap to clone.
#[derive(Clone, Default)]
pub struct Directory {
    inner: Arc<RwLock<Inner>>,
}

#[derive(Default)]
struct Inner {
    matches: HashMap<MatchId, MatchHandle>,
    players: HashMap<PlayerId, MatchId>,
}

impl Directory {
    /// Makes a match known.
    pub fn add_match(&self, handle: MatchHandle) {
        self.inner
            .write()
            .matches
            .insert(handle.id().clone(), handle);
    }

    /// Forgets a match.
    pub fn remove_match(&self, id: &MatchId) {
        self.inner.write().matches.remove(id);
    }

    /// The match of this id.
    pub fn find_match(&self, id: &MatchId) -> Option<MatchHandle> {
        self.inner.read().matches.get(id).cloned()
    }

    /// Every live match.
    pub fn matches(&self) -> Vec<MatchHandle> {
        self.inner.read().matches.values().cloned().collect()
    }

    /// How many matches live.
    pub fn match_count(&self) -> usize {
        self.inner.read().matches.len()
    }

    /// Puts a player into a match. Answers the match they were in before, if another.
    pub fn bind(&self, player: &PlayerId, id: &MatchId) -> Option<MatchHandle> {
        let mut inner = self.inner.write();
        let before = inner.players.insert(player.clone(), id.clone())?;
        if before == *id {
            None
        } else {
            inner.matches.get(&before).cloned()
        }
    }

    /// Takes a player out of a match, unless they are in another one by now.
    pub fn unbind(&self, player: &PlayerId, id: &MatchId) {
        let mut inner = self.inner.write();
        if inner.players.get(player) == Some(id) {
            inner.players.remove(player);
        }
    }

    /// The match a player is in.
    pub fn match_of(&self, player: &PlayerId) -> Option<MatchHandle> {
        let inner = self.inner.read();
        inner.matches.get(inner.players.get(player)?).cloned()
    }
}
