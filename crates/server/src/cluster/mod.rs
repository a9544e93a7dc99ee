//! The seam between this node and the others.
//!
//! Whoever sends to a player or a match goes through the [`Directory`] (who owns this id) and
//! the [`Bus`] (deliver to it). In one process both are maps and channels. When there are
//! several nodes this folder changes, and no feature does.

mod bus;
mod directory;

pub use bus::Bus;
pub use directory::Directory;
