//! The server: the edge, the domains, storage and the command line.
//!
//! Start with [`app`]: what is wired to what, and how it starts and stops.

pub mod clock;
pub mod config;
pub mod db;
pub mod edge;
