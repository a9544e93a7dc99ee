//! What a game declares about its modes, read before any match exists.

use serde::Serialize;

use crate::votes::VoteRules;

/// One game mode: how its matches are formed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mode {
    /// The name clients queue for.
    pub name: String,
    /// Other names that mean this mode: a game of one script is `default` too.
    pub aliases: Vec<String>,
    /// Players needed to start a match.
    pub match_size: u32,
    /// Players needed before the match runs. Defaults to `match_size`; with more, the match
    /// waits for others to join, and gives up after a while.
    pub min_players: u32,
    /// Most players a match holds. Defaults to `match_size`.
    pub max_players: u32,
    /// How many waiting players one match takes when more than `match_size` wait
    /// (`group_up_to`). Defaults to `match_size`: groups of exactly that size, as the original.
    pub group_up_to: u32,
    /// Matchmaking strategy: `fill`, `skill_based`, or the path of a script.
    pub strategy: String,
    /// What the strategy goes by.
    pub matching: MatchingRules,
    /// Bots that fill the queue, when the mode has any.
    pub bots: Option<BotFill>,
    /// Whether live matches show up in discovery.
    pub listed: bool,
    /// Whether `match.find_or_create` may place a player.
    pub quick_play: bool,
    /// How long a dropped player's place is held, in milliseconds. `None`: the server's setting.
    pub reconnect_grace_ms: Option<u64>,
    /// Whether waiting players are told how many wait with them (`queue_status`).
    pub queue_status: bool,
    /// Veto tokens and the frustration bonus.
    pub votes: VoteRules,
}

/// What a mode says about who plays with whom.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatchingRules {
    /// The script that groups tickets (`strategy = "ranked.lua"`), its path in the game folder.
    pub script: Option<String>,
    /// How far apart in skill two players may be at first (`skill_based`).
    pub skill_window: u32,
    /// By how much that grows for each 5 seconds of waiting.
    pub skill_expand_rate: u32,
    /// Whether only players who name the same `properties.region` meet.
    pub match_regions: bool,
    /// Whether running matches with room take waiting players.
    pub backfill: bool,
    /// Sides of a match, 2, or 0 for none.
    pub teams: u32,
}

impl Default for MatchingRules {
    fn default() -> Self {
        Self {
            script: None,
            skill_window: 200,
            skill_expand_rate: 50,
            match_regions: false,
            backfill: false,
            teams: 0,
        }
    }
}

/// Bots that fill a mode's queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BotFill {
    /// `false` keeps the table but does not fill.
    pub enabled: bool,
    /// Queue size the fill aims at; at most 64 and at most `max_players`.
    pub min_players: u32,
    /// How long the longest-waiting person waits before bots fill up, in milliseconds.
    pub fill_after_ms: u64,
    /// Names bots take, in order.
    pub names: Vec<String>,
}

/// What the game declares for the whole deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GameManifest {
    /// The modes, by name.
    pub modes: Vec<Mode>,
    /// `guest_auth = true`.
    pub guest_auth: bool,
    /// `registration = "open" | "oauth_only" | "closed"`, when declared.
    pub registration: Option<String>,
    /// What the game says about chat.
    pub chat: ChatRules,
}

/// A game's `chat` tables, those of all its scripts together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChatRules {
    /// Names of channels for everybody: `lobby` makes `global:lobby`.
    pub globals: Vec<String>,
    /// Channels, or prefixes that end in `:` or `*`, and the seconds between two messages of one
    /// player there.
    pub slow_mode: Vec<(String, u64)>,
    /// Whether the game looks at messages before they go out (`chat_filter`).
    pub filtered: bool,
}
