//! End-to-end tests: the real binary on a free port, spoken to as a client would.
//!
//! [`server`] starts it; each other module is one promise of the README.

// Tests state truths; a failed `unwrap` is a failed test.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod command_line;
mod limits;
mod players;
mod playing;
mod recovery;
mod reload;
mod rest;
mod runaways;
mod server;
mod sign_in;
mod storage;
