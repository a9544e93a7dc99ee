//! Operating a server: so far, the record of what was done to whom.

pub mod audit;
