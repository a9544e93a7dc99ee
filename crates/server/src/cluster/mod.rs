//! The seam between this node and the others.
//!
//! Whoever sends to a player, a channel or a match goes through the [`Directory`] (who owns this id) and
//! the [`Bus`] (deliver to it). In one process both are maps and channels. When there are
//! several nodes this folder changes, and no feature does.

mod bus;
mod channels;
mod directory;

pub use bus::Bus;
pub use channels::{JoinError, MAX_CHANNELS};
pub use directory::Directory;
