//! Accounts as a client meets them: routes served on a real port, a real database.

mod gates;
mod guests;
mod harness;
mod linking;
#[path = "../../../tests/support/outside.rs"]
mod outside;
mod passwords;
mod providers;
mod sessions;
mod steam;
