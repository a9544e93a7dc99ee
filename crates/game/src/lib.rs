//! The simulation: matches, votes, bots and matchmaking strategies.
//!
//! Start with [`logic`], the contract a game fulfils. This crate knows no socket, no SQL and
//! no HTTP; what it needs from outside is a trait, and the time is passed in.

pub mod ids;
pub mod logic;
pub mod modes;

pub use ids::{MatchId, PlayerId};
