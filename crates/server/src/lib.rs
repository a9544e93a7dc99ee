//! The server: the edge, the domains, storage and the command line.
//!
//! Start with [`app`]: what is wired to what, and how it starts and stops. Each domain is one
//! folder with the same few files: `mod.rs` holds what it can do, `routes.rs` its REST routes,
//! `frames.rs` its WebSocket frames, `store.rs` its SQL.

pub mod accounts;
pub mod app;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod db;
pub mod edge;
pub mod game;
pub mod matches;
pub mod matchmaking;
pub mod notifications;
pub mod ops;
pub mod outbound;
pub mod parties;
pub mod players;
pub mod presence;
pub mod rpc;
pub mod session;
pub mod social;
pub mod storage;
pub mod sweep;
#[cfg(test)]
mod test_server;
pub mod text;
pub mod votes;

#[cfg(test)]
#[path = "../tests/support/postgres.rs"]
mod postgres;
