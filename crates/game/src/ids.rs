//! Names of the things that can be addressed: players and matches.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text, exactly as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A player: a UUIDv7 for people, `bot_<name>_<hex>` for bots.
    PlayerId
}

id! {
    /// A match: a UUIDv7.
    MatchId
}

impl PlayerId {
    /// Whether this is a bot. The prefix is the contract scripts and clients test for.
    pub fn is_bot(&self) -> bool {
        self.0.starts_with("bot_")
    }
}

impl MatchId {
    /// A fresh id. UUIDv7, so ids sort by creation time.
    pub fn generate() -> Self {
        Self::from(uuid::Uuid::now_v7().to_string())
    }
}
