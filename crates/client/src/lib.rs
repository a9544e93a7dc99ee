//! The Rust client SDK: sign in over REST, play over one WebSocket.
//!
//! ```no_run
//! # async fn play() -> Result<(), asobi_client::Error> {
//! use std::time::Duration;
//! use asobi_client::{Api, Client, Device};
//!
//! let api = Api::new("http://127.0.0.1:8084")?;
//! let session = api.guest(&Device::generate()).await?;
//! let client = Client::connect(api.url(), &session.access_token).await?;
//! client.matchmaker_add("arena").await?;
//! let matched = client.next_of("match.matched", Duration::from_secs(30)).await?;
//! println!("playing in {}", matched.payload());
//! client.match_input(&serde_json::json!({"right": true}))?;
//! # Ok(())
//! # }
//! ```
//!
//! Where to look:
//! * [`Api`] (`rest`, `auth`): requests over HTTP; [`Device`] and [`Session`] are what they
//!   give and take.
//! * [`Client`] (`client`, `game`): one socket. Requests wait for their answer by `cid`;
//!   everything else that arrives is an [`Event`] in a queue (`inbox`). A task of its own
//!   (`driver`) reads and writes.
//! * [`Connection`]: the socket without task, queue and `cid`: what the bench and load bots
//!   use, where each microsecond of the client counts.
//! * [`ConnectOptions`]: buffers, headers, time limits.

mod auth;
mod client;
mod connection;
mod driver;
mod endpoint;
mod error;
mod event;
mod game;
mod inbox;
mod options;
mod rest;
#[cfg(feature = "tls")]
mod tls;

pub use auth::{Device, Session, Tokens};
pub use client::Client;
pub use connection::{Connection, Frame, Welcome};
pub use error::{Close, Error, ServerError};
pub use event::Event;
pub use game::Queued;
pub use options::ConnectOptions;
pub use rest::{Api, Response};

/// What every call of this crate answers.
pub type Result<T> = std::result::Result<T, Error>;
