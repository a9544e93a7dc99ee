//! The protocol: envelope, frames and error codes. No I/O, no clock.
