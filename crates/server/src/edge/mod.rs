//! The edge: HTTP and WebSocket. It knows the domains; the domains do not know it, save for
//! the small vocabulary of [`error`] and [`json`] their routes are written in.

pub mod caller;
pub mod error;
pub mod json;
pub mod limits;
