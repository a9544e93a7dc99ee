//! Names of custom events: the part after `match.` or `world.`, which a game script owns.

/// Longest event name in bytes.
pub const MAX_EVENT_NAME_BYTES: usize = 64;

/// Leaf names the server itself emits. A script may not use them, or it could forge a frame
/// a client takes for the server's own.
pub const RESERVED_EVENT_NAMES: [&str; 16] = [
    "ack",
    "finished",
    "joined",
    "left",
    "list",
    "matched",
    "matchmaker_expired",
    "matchmaker_failed",
    "phase_changed",
    "state",
    "terrain",
    "tick",
    "vote_result",
    "vote_start",
    "vote_tally",
    "vote_vetoed",
];

/// Why a name cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventNameError {
    /// Empty or too long.
    #[error("event name must be 1 to 64 characters")]
    Length,
    /// A character outside `A-Z a-z 0-9 _ -`.
    #[error("event name may hold only letters, digits, '_' and '-'")]
    Character,
    /// One of the server's own names.
    #[error("event name is reserved")]
    Reserved,
}

/// Checks a script's event name.
pub fn check_event_name(name: &str) -> Result<(), EventNameError> {
    if name.is_empty() || name.len() > MAX_EVENT_NAME_BYTES {
        return Err(EventNameError::Length);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !name.bytes().all(allowed) {
        return Err(EventNameError::Character);
    }
    if RESERVED_EVENT_NAMES.contains(&name) {
        return Err(EventNameError::Reserved);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_cannot_forge_the_servers_own() {
        assert_eq!(check_event_name("round_start"), Ok(()));
        assert_eq!(check_event_name(&"a".repeat(64)), Ok(()));
        assert_eq!(check_event_name(""), Err(EventNameError::Length));
        assert_eq!(
            check_event_name(&"a".repeat(65)),
            Err(EventNameError::Length)
        );
        assert_eq!(check_event_name("a.b"), Err(EventNameError::Character));
        assert_eq!(check_event_name("über"), Err(EventNameError::Character));
        assert_eq!(check_event_name("state"), Err(EventNameError::Reserved));
    }
}
