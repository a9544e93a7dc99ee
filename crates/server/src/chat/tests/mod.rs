//! Chat as clients see it: the whole server, real connections. Killing the process is in
//! `tests/e2e/chat.rs`.

mod bad_input;
mod channels;
mod direct;
mod history;
mod limits;
