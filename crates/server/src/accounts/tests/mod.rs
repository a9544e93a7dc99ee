//! Accounts as a client meets them: routes served on a real port, a real database.

mod guests;
mod harness;
mod passwords;
mod sessions;
