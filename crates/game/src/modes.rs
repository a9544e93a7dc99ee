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
    /// Matchmaking strategy: `fill` or `skill_based`.
    pub strategy: String,
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
