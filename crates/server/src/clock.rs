//! The time, as the server knows it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix milliseconds, as the database holds them.
pub fn db_now() -> i64 {
    i64::try_from(now_ms()).unwrap_or(i64::MAX)
}
