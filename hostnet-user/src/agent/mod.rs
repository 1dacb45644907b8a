//! The agent: everything put together, live. Records are read, looked up, and given to the
//! engine; what comes of them is written. Nothing else knows this folder but the commands
//! that start it.

mod host_state;
mod ingest;
mod lookups;
mod losses;
mod map_updates;
pub mod pipeline;
pub mod run;
mod takeover;
mod watchdog;
