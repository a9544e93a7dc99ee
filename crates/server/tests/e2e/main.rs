//! End-to-end tests: the real binary on a free port, spoken to as a client would.
//!
//! [`server`] starts it; each other module is one promise of the README.

// Tests state truths; a failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod chat;
mod command_line;
mod database;
mod friends;
mod group_members;
mod groups;
mod hostile;
mod hostile_frames;
mod limits;
mod matchmaking;
mod notifications;
#[path = "../support/outside.rs"]
mod outside;
mod parties;
mod phases;
mod platform;
mod players;
mod playing;
#[path = "../support/postgres.rs"]
mod postgres;
mod providers;
mod recovery;
mod reload;
mod rest;
mod rpc;
mod runaways;
mod scripts;
mod server;
mod sign_in;
mod storage;
mod votes;
