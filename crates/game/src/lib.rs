//! The simulation: matches, votes, bots and matchmaking strategies.
//!
//! This crate knows no socket, no SQL and no HTTP. What it needs from outside is a trait
//! ([`host`], [`services`]), what is played is a trait ([`logic`]), and the time is passed in.
//!
//! * [`simulation`]: the threads matches live on. Start here.
//! * [`matches`]: one match, from its roster to its snapshot.
//! * [`votes`], [`phases`], [`timers`], [`bots`], [`strategy`]: one idea each.
//! * [`modes`]: what a game declares before any match exists.

pub mod bots;
pub mod host;
pub mod ids;
pub mod logic;
pub mod matches;
pub mod modes;
pub mod phases;
pub mod services;
pub mod simulation;
pub mod strategy;
pub mod timers;
pub mod votes;

pub use ids::{MatchId, PlayerId};
