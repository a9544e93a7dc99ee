//! A script's failure, as the developer meets it: in the log, and in dev on the client.

use asobi_game::MatchId;
use asobi_game::logic::ScriptFault;
use serde::Serialize;

#[derive(Serialize)]
struct ModuleError<'a> {
    module: &'static str,
    callback: &'a str,
    script: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    kind: asobi_game::logic::FaultKind,
}

/// The `module.error` frames of a fault.
pub fn frames(fault: &ScriptFault, with_legacy: bool) -> Vec<String> {
    let payload = ModuleError {
        module: "lua",
        callback: &fault.callback,
        script: &fault.script,
        message: &fault.message,
        line: fault.line,
        kind: fault.kind,
    };
    let payload = serde_json::to_string(&payload).expect("plain data");
    asobi_wire::envelope::module_frames("error", &payload, with_legacy)
}

/// Writes a fault to the log.
pub fn log(mode: &str, match_id: Option<&MatchId>, fault: &ScriptFault) {
    let match_id = match_id.map_or("", MatchId::as_str);
    tracing::error!(
        mode,
        match_id,
        callback = fault.callback,
        script = fault.script,
        line = fault.line,
        kind = ?fault.kind,
        "lua callback failed: {}",
        fault.message,
    );
}
