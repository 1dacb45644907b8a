//! hostnet: what host-network containers really touch.
//!
//! The folders are the stages of the data path, in order: `kernel` hands out
//! records, `event` says what they mean, `attribute` ties them to their owner,
//! `judge` says what is to be thought of it, `record` gives them their place in the run, `format` their form; `output`
//! takes them as they come, `sink` delivers what `record` kept. `stages` puts
//! the pure ones together, `pipeline` runs them live, `observe` adds the world.

// Its macros are for those after it.
#[macro_use]
pub mod event;

mod adoption;
pub mod advise;
pub mod attribute;
pub mod audit;
pub mod cli;
pub mod completeness;
pub mod config;
mod desk;
pub mod docs;
pub mod errno;
pub mod exit_code;
mod family;
mod feed;
mod filter;
pub mod format;
mod in_time;
pub mod input;
mod json;
pub mod judge;
pub mod kernel;
mod lookups;
pub mod loopback;
mod memory;
pub mod metrics;
pub mod observe;
pub mod output;
pub mod past;
pub mod pipeline;
pub mod query;
pub mod record;
pub mod report;
mod requests;
mod shares;
mod shell;
mod shortfall;
pub mod sink;
#[cfg(test)]
#[path = "../../tests/src/skip.rs"]
mod skip;
pub mod stages;
mod survey;
pub mod text;
mod this_host;
mod user_rules;
mod vigil;
