//! Where records are delivered to, one file per kind of destination.
//!
//! A sink hands messages over and says what became of them (`outcome`). It knows nothing of
//! where they are kept until then, of the other sinks, or of when to try again:
//! that is the outbox's (record/).

mod build;
mod document;
mod file;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
mod outcome;
#[cfg(any(feature = "http", feature = "kafka", feature = "nats"))]
mod runtime;
mod secret;
mod settings;
mod stdout;
mod stream;
pub mod syslog;
mod tls;
pub mod unix;

pub use build::build;
pub use file::File;
pub use outcome::{Failure, Fate, Outcome, Proof, Then, hand_over};
pub use secret::Secret;
pub use settings::{Common, Destination, Settings};
pub use stdout::Stdout;
pub use tls::Tls;

use crate::record::Row;

/// The longest that a destination may be given for one delivery, in seconds.
const LONGEST_TIMEOUT_S: u64 = 600;

/// Checks a `timeout_s`.
fn check_timeout(seconds: u64) -> anyhow::Result<()> {
    if seconds == 0 || seconds > LONGEST_TIMEOUT_S {
        anyhow::bail!("sink.timeout_s is {seconds}: it must be from 1 to {LONGEST_TIMEOUT_S}");
    }
    Ok(())
}

/// A destination. Each has a thread of its own, so it may wait.
pub trait Sink: Send {
    /// Hands over messages in order, and returns what became of them. One is taken when
    /// it is acknowledged where the protocol has acknowledgements, else when it is written.
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome;

    /// Opens the destination anew (SIGHUP, after log rotation).
    ///
    /// # Errors
    /// When it cannot be opened; the old one stays in use.
    fn reopen(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A record in the form that a sink is configured to send.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The record.
    pub row: &'a Row,
    /// Its bytes in the sink's format; a text format has no newline in or after it.
    pub body: &'a [u8],
}
