//! The protocol Asobi speaks: the envelope of every WebSocket frame, the event names a
//! script may use, and the closed set of error codes that REST and WebSocket share.
//!
//! No I/O and no clock: everything here is a function of its arguments.
//!
//! * [`envelope`]: a frame in ([`Envelope`]), a frame out ([`envelope::frame`]).
//! * [`error`]: [`Code`], its HTTP status and message, and [`ApiError`], the one error object.
//! * [`event`]: the rules for the names of `match.<event>` and `world.<event>`.
//! * [`json`]: reading JSON that a stranger wrote.

pub mod envelope;
pub mod error;
pub mod event;
pub mod json;

pub use envelope::{Envelope, EnvelopeError};
pub use error::{ApiError, Code};

/// Largest inbound frame in bytes unless configured otherwise, measured before parsing.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// Largest payload of a script's broadcast in bytes, encoded.
pub const MAX_BROADCAST_BYTES: usize = 64 * 1024;
