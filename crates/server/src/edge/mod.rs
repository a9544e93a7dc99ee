//! The edge: HTTP and WebSocket. It knows the domains; the domains do not know it, save for
//! the small vocabulary their routes and frames are written in ([`error`],
//! [`fields`], [`json`], [`params`], [`reply`], [`caller`], [`openapi`]).
//!
//! * [`router`]: every address the server answers.
//! * [`socket`]: one WebSocket connection; [`dispatch`]: which domain a frame goes to.
//! * [`limits`]: token buckets; [`guard`]: who may come through;
//!   `unread`: what is left of those who may not.

pub mod caller;
pub mod dispatch;
pub mod error;
pub mod fields;
pub mod files;
pub mod guard;
pub mod json;
pub mod limits;
pub mod openapi;
pub mod params;
pub mod reply;
pub mod router;
pub mod socket;
mod unread;
