//! hostnet: what host-network containers really touch.
//!
//! Each folder is a room of the data path. `kernel` hands out records, `event` says what they
//! mean, `attribute` ties them to their owner, `judge` says what is to be thought of it,
//! `format` gives them their form, with which each is a `row`; `output` takes them as they
//! come, `record` keeps them, `sink` delivers what was kept. `engine` puts the pure ones together, so that a run can
//! be replayed; `sources` asks the host and the runtimes; `agent` runs it all live.

// Its macros are for those after it.
#[macro_use]
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
pub mod event;

#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
pub mod advise;
pub mod agent;
mod ask;
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
pub mod attribute;
pub mod audit;
pub mod cli;
pub mod completeness;
pub mod config;
pub mod docs;
pub mod engine;
pub mod format;
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
pub mod judge;
pub mod kernel;
pub mod metrics;
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
pub mod output;
pub mod past;
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
pub mod query;
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
pub mod record;
pub mod report;
pub mod row;
pub mod sink;
#[cfg(test)]
#[path = "../../tests/src/skip.rs"]
mod skip;
pub mod sources;
pub mod text;
