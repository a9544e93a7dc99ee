//! The settings: one struct, filled from defaults, `asobi.toml`, the environment and flags.
//!
//! `docs/configuration.md` is generated from the doc comments here ([`docs`]); a test keeps the
//! two together. Every number is a default an operator can change.

pub mod docs;
pub mod load;
mod original;
mod providers;
mod secret;

use std::collections::BTreeMap;

use asobi_lua::LuaSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use load::{Loaded, Overrides, Profile};
pub use providers::{GateConfig, GateFailure, OidcProvider, SteamConfig};
pub use secret::Secret;

/// Everything that can be set. Later sources win: defaults, `asobi.toml`, `ASOBI_*`, flags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server listens and how it stops.
    pub server: ServerConfig,
    /// Where data lives.
    pub database: DatabaseConfig,
    /// Passwords and tokens.
    pub auth: AuthConfig,
    /// Anonymous players.
    pub guest: GuestConfig,
    /// Identity providers (OpenID Connect), each under the name that clients send as `provider`:
    /// `[oidc.google]` or `ASOBI_OIDC__GOOGLE__ISSUER`. There are none by default. One with a
    /// setting that cannot work is named in the log at start and left out.
    pub oidc: BTreeMap<String, OidcProvider>,
    /// Sign-in with Steam.
    pub steam: SteamConfig,
    /// The gate before new players.
    pub gate: GateConfig,
    /// What one client may ask for in a while. 0 turns a limit off.
    pub limits: LimitsConfig,
    /// Cloud saves and collections.
    pub storage: StorageConfig,
    /// The queue.
    pub matchmaker: MatchmakerConfig,
    /// Players who stay together.
    pub parties: PartiesConfig,
    /// Running matches.
    pub matches: MatchesConfig,
    /// Votes in matches.
    pub votes: VotesConfig,
    /// Friends and groups.
    pub social: SocialConfig,
    /// Notifications.
    pub notifications: NotificationsConfig,
    /// Chat channels and direct messages.
    pub chat: ChatConfig,
    /// Game scripts.
    pub lua: LuaConfig,
    /// What one callback of a script may use up before it is stopped.
    pub budgets: LuaSettings,
    /// What the server writes to its log.
    pub log: LogConfig,
}

impl Config {
    /// Shortest key or pepper that is accepted, in bytes.
    pub const MIN_SECRET_BYTES: usize = 32;
}

/// Where the server listens and how it stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address to listen on. `dev` defaults to `127.0.0.1`, `serve` to `0.0.0.0`.
    pub host: String,
    /// Port to listen on; 0 picks a free one.
    pub port: u16,
    /// Folder for the embedded database and, in `dev`, for generated secrets.
    pub data_dir: String,
    /// Browser origins that may open the socket and read REST answers, such as
    /// `https://play.example.com`: scheme, host and port, as the browser sends it. A list, or one
    /// text with commas. Empty: every origin. `ASOBI_CORS_ORIGINS` sets it too.
    #[serde(deserialize_with = "load::texts")]
    #[schemars(with = "Vec<String>")]
    pub allowed_origins: Vec<String>,
    /// Trust the last `X-Forwarded-For` address, for a server behind a proxy of yours.
    pub trust_proxy: bool,
    /// Longest a graceful stop takes before the process ends anyway, in seconds.
    pub shutdown_seconds: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".into(),
            port: 8084,
            data_dir: ".asobi".into(),
            allowed_origins: Vec::new(),
            trust_proxy: false,
            shutdown_seconds: 10,
        }
    }
}

/// Where data lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host/name` or `sqlite:///path/file.db`. Empty: SQLite in the
    /// data folder. `ASOBI_DATABASE_URL` sets it too; so do `ASOBI_DB_HOST`, `ASOBI_DB_PORT`,
    /// `ASOBI_DB_NAME`, `ASOBI_DB_USER` and `ASOBI_DB_PASSWORD` where nothing else does.
    pub url: Secret,
    /// Most connections to the database.
    pub max_connections: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            max_connections: 8,
        }
    }
}

/// Passwords and tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Key that signs access tokens, at least 32 bytes. `dev` makes and keeps one.
    pub token_secret: Secret,
    /// Lifetime of an access token in minutes.
    pub access_token_minutes: u64,
    /// Lifetime of a refresh token in days; each use starts it anew.
    pub refresh_token_days: u64,
    /// Password hashes computed at the same time. More wait their turn.
    pub hashing_threads: usize,
    /// Requests that may wait for a password hash before `rate_limited` is answered.
    pub hashing_queue: usize,
    /// Memory of one password hash (argon2id) in KiB.
    pub hash_memory_kib: u32,
    /// Passes of one password hash.
    pub hash_passes: u32,
    /// Who may create accounts: `open`, `oauth_only` or `closed`. Empty: what the game declares.
    pub registration: String,
    /// Longest an identity provider may take to answer, in milliseconds.
    pub provider_timeout_ms: u64,
    /// How long an identity provider's keys are used before they are fetched again, in minutes.
    pub provider_keys_minutes: u64,
    /// Least time between two fetches of a provider's keys, in seconds. A token with an unknown
    /// key asks for one, so this is what protects the provider from floods of such tokens.
    pub provider_refresh_seconds: u64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            token_secret: Secret::default(),
            access_token_minutes: 60,
            refresh_token_days: 30,
            hashing_threads: 1,
            hashing_queue: 512,
            hash_memory_kib: 19_456,
            hash_passes: 2,
            registration: String::new(),
            provider_timeout_ms: 5_000,
            provider_keys_minutes: 60,
            provider_refresh_seconds: 10,
        }
    }
}

/// Anonymous players. On only if the game declares `guest_auth = true` and a pepper is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuestConfig {
    /// Server-side secret mixed into device verifiers, at least 32 bytes. `dev` makes and keeps
    /// one.
    pub pepper: Secret,
    /// Name of the pepper, recorded with each verifier.
    pub pepper_id: String,
    /// Peppers of before, by name, such as `ASOBI_GUEST__OLD_PEPPERS__V1`. Guests made with one
    /// still come in, and are then remade with the current one. A short one counts as none.
    pub old_peppers: BTreeMap<String, Secret>,
    /// Most guests without a real account; 0 for no bound.
    pub max_unclaimed: u64,
    /// Guests created in one second, over all addresses; 0 for no bound.
    pub creations_per_second: u32,
    /// Time an unclaimed guest may stay away before everything of theirs is deleted, in seconds;
    /// 0 for ever. `ASOBI_GUEST_REAP_AFTER` sets it too.
    pub reap_after_seconds: u64,
    /// Time between two looks for such guests, in seconds; each deletes up to 500.
    pub reap_interval_seconds: u64,
}

impl Default for GuestConfig {
    fn default() -> Self {
        Self {
            pepper: Secret::default(),
            pepper_id: "v1".into(),
            old_peppers: BTreeMap::new(),
            max_unclaimed: 100_000,
            creations_per_second: 100,
            reap_after_seconds: 0,
            reap_interval_seconds: 3_600,
        }
    }
}

/// What one client may ask for in a while. 0 turns a limit off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Messages one connection sends in a second.
    pub ws_messages_per_second: u32,
    /// Sockets one address opens in a second.
    pub ws_connects_per_second: u32,
    /// Largest message in bytes, measured before it is parsed.
    pub ws_frame_bytes: usize,
    /// Time to send `session.connect` before the socket is closed, in milliseconds.
    pub ws_auth_timeout_ms: u64,
    /// Events that wait for one connection before it is closed as too slow.
    pub ws_waiting_events: usize,
    /// Time one write to a socket may take before it is closed as too slow, in milliseconds.
    pub ws_write_timeout_ms: u64,
    /// Silence after which the server asks whether a connection is alive, in seconds; after as
    /// much again without a sign of life it is closed.
    pub ws_idle_seconds: u64,
    /// Sign-ins, refreshes and the like from one address in a second.
    pub auth_per_second: u32,
    /// Registrations from one address in a second.
    pub register_per_second: u32,
    /// Receipts of purchases from one address in a second.
    pub iap_per_second: u32,
    /// Other REST requests from one address or player in a second.
    pub api_per_second: u32,
    /// Matches one player joins in a minute.
    pub joins_per_minute: u32,
    /// Times one player may ask for their account to be erased in a minute.
    pub erase_per_minute: u32,
    /// Largest REST request body in bytes.
    pub body_bytes: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            ws_messages_per_second: 60,
            ws_connects_per_second: 60,
            ws_frame_bytes: asobi_wire::MAX_FRAME_BYTES,
            ws_auth_timeout_ms: 10_000,
            ws_waiting_events: 256,
            ws_write_timeout_ms: 10_000,
            ws_idle_seconds: 90,
            auth_per_second: 5,
            register_per_second: 3,
            iap_per_second: 10,
            api_per_second: 300,
            joins_per_minute: 10,
            erase_per_minute: 5,
            body_bytes: 1024 * 1024,
        }
    }
}

/// Cloud saves and collections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// Whether there is any storage. Off, its routes find nothing and scripts have none.
    pub enabled: bool,
    /// Most objects one player owns before they may create no more; 0 for no bound. Scripts may.
    pub max_objects_per_player: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            max_objects_per_player: 1_000,
        }
    }
}

/// The queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MatchmakerConfig {
    /// Time between two looks at the queue, in milliseconds.
    pub tick_interval_ms: u64,
    /// How long a ticket waits before it expires, in seconds.
    pub max_wait_seconds: u64,
    /// Most tickets that wait.
    pub max_queue: usize,
}

impl Default for MatchmakerConfig {
    fn default() -> Self {
        Self {
            tick_interval_ms: 1_000,
            max_wait_seconds: 60,
            max_queue: 10_000,
        }
    }
}

/// Players who stay together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartiesConfig {
    /// Most members of a party.
    pub max_members: usize,
    /// How long a member without a connection keeps the place, in seconds.
    pub disconnect_grace_seconds: u64,
    /// How long an invitation holds, in seconds.
    pub invite_seconds: u64,
    /// Invitations one player sends in a minute; 0 is no limit.
    pub invites_per_minute: u32,
}

impl Default for PartiesConfig {
    fn default() -> Self {
        Self {
            max_members: 8,
            disconnect_grace_seconds: 60,
            invite_seconds: 120,
            invites_per_minute: 30,
        }
    }
}

/// Running matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MatchesConfig {
    /// Threads that run matches; 0 for one per core.
    pub simulation_threads: usize,
    /// How long a dropped player's place is held when the mode does not say, in seconds.
    pub reconnect_grace_seconds: u64,
    /// Time between two snapshots of a running match, in milliseconds: what a crash loses.
    pub snapshot_interval_ms: u64,
    /// How long a match waits for its players, in seconds.
    pub waiting_timeout_seconds: u64,
    /// Most live matches.
    pub max: usize,
}

impl Default for MatchesConfig {
    fn default() -> Self {
        Self {
            simulation_threads: 0,
            reconnect_grace_seconds: 30,
            snapshot_interval_ms: 750,
            waiting_timeout_seconds: 60,
            max: 1_000,
        }
    }
}

/// Votes in matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VotesConfig {
    /// Templates by name: what a vote that names one takes where neither it nor the game's own
    /// `vote_templates` says otherwise. `[votes.templates.map]` with keys of the voting guide, such
    /// as `method = "approval"` and `window_ms = 20000`. A wrong value is named in the log at start
    /// and its default applies.
    pub templates: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// Friends and groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SocialConfig {
    /// Most friends of a player, requests sent counted in. As many requests may wait for the
    /// player's answer, and as many others may be blocked.
    pub max_friends: u64,
    /// Most groups a player is in.
    pub max_groups: u64,
    /// Times in a minute one player may do what others are notified of: ask to be friends or to
    /// join a group, invite, change a role. 0 for no limit.
    pub notices_per_minute: u32,
}

impl Default for SocialConfig {
    fn default() -> Self {
        Self {
            max_friends: 500,
            max_groups: 100,
            notices_per_minute: 60,
        }
    }
}

/// Notifications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationsConfig {
    /// Most notifications kept of a player. The oldest read ones go first, then the oldest.
    pub max_per_player: u64,
}

impl Default for NotificationsConfig {
    fn default() -> Self {
        Self {
            max_per_player: 200,
        }
    }
}

/// Chat channels and direct messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatConfig {
    /// Messages one player writes in a second, channels and direct messages together; twice as
    /// many may come at once. 0 for no limit.
    pub messages_per_second: u32,
    /// Days messages are kept, direct ones too; 0 keeps them for ever.
    pub keep_days: u64,
}

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            messages_per_second: 5,
            keep_days: 30,
        }
    }
}

/// Game scripts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LuaConfig {
    /// Watch the game folder and change running matches when a script is saved. On in `dev`.
    pub reload: bool,
    /// Send script errors to connected clients as `module.error`. On in `dev`; errors show
    /// script internals, so leave it off in production.
    pub dev_errors: bool,
    /// Also send `game.message` and `game.error`, the names before `module.message` and
    /// `module.error`, to SDKs that know no others. Off halves that traffic.
    pub legacy_game_frames: bool,
}

impl Default for LuaConfig {
    fn default() -> Self {
        Self {
            reload: false,
            dev_errors: false,
            legacy_game_frames: true,
        }
    }
}

/// What the server writes to its log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Least level that is written: `error`, `warn`, `info`, `debug`, `trace`, or a filter such
    /// as `info,asobi=debug`.
    pub level: String,
    /// `text` for people (default in `dev`) or `json` for machines (default in `serve`).
    pub format: LogFormat,
}

/// The forms a log line can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Json,
        }
    }
}
