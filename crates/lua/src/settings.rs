//! What an operator may set about Lua.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Budgets and limits of game scripts. CPU budgets count CPU time of the script's thread, not
/// waiting, so a busy machine does not make a script fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LuaSettings {
    /// CPU budget of `tick`, in milliseconds.
    pub tick_budget_ms: u64,
    /// CPU budget of one `handle_input`, in milliseconds. All inputs of one step together get
    /// five times this; what does not fit is dropped and reported.
    pub input_budget_ms: u64,
    /// CPU budget of one `get_state`, in milliseconds.
    pub view_budget_ms: u64,
    /// CPU budget of `join` and `leave`, in milliseconds.
    pub join_budget_ms: u64,
    /// CPU budget of one `on_timer`, `on_phase_started`, `on_phase_ended`, `on_disconnect` or
    /// `on_reconnect`, in milliseconds. The timers due at one tick together get five times this;
    /// the others wait for the next tick.
    pub event_budget_ms: u64,
    /// CPU budget of `vote_requested` and `vote_resolved`, in milliseconds.
    pub vote_budget_ms: u64,
    /// CPU budget of a script's top level (at start and at reload) and of `init`, in
    /// milliseconds.
    pub init_budget_ms: u64,
    /// CPU budget of one `chat_filter`, in milliseconds.
    pub hook_budget_ms: u64,
    /// CPU budget of one method called by a client (`rpc.lua`), in milliseconds.
    pub rpc_budget_ms: u64,
    /// CPU budget of a strategy's `match`, in milliseconds.
    pub strategy_budget_ms: u64,
    /// CPU budget of one bot's `think`, in milliseconds.
    pub think_budget_ms: u64,
    /// Memory one match's VM may use, in bytes.
    pub memory_limit_bytes: usize,
    /// Memory the VM of one match's bots may use, in bytes.
    pub bot_memory_limit_bytes: usize,
    /// Largest game state, in bytes of its compact form, that is kept at every step so that a
    /// callback that fails can be undone. Keeping takes about 4 us for each KB; a match with a
    /// larger state plays on without.
    pub undo_limit_bytes: usize,
    /// Largest game state, in bytes of its compact form, that is saved so that the match goes on
    /// after a restart.
    pub snapshot_limit_bytes: usize,
    /// Largest JSON text of one view, result or message, in bytes.
    pub view_limit_bytes: usize,
}

impl Default for LuaSettings {
    fn default() -> Self {
        Self {
            tick_budget_ms: 50,
            input_budget_ms: 10,
            view_budget_ms: 20,
            join_budget_ms: 20,
            event_budget_ms: 20,
            vote_budget_ms: 20,
            init_budget_ms: 1000,
            hook_budget_ms: 10,
            rpc_budget_ms: 20,
            strategy_budget_ms: 50,
            think_budget_ms: 5,
            memory_limit_bytes: 64 << 20,
            bot_memory_limit_bytes: 16 << 20,
            undo_limit_bytes: 512 << 10,
            snapshot_limit_bytes: 4 << 20,
            view_limit_bytes: 1 << 20,
        }
    }
}
