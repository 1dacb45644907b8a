//! Where records are delivered to, one file per kind of destination.
//!
//! A sink hands messages over and says how many were taken. It knows nothing of
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
#[cfg(any(feature = "http", feature = "kafka", feature = "nats"))]
mod runtime;
mod secret;
mod settings;
mod stdout;
mod stream;
pub mod syslog;
mod tls;
pub mod unix;

use std::time::Duration;

pub use build::build;
pub use file::File;
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
    /// Hands over messages in order, and returns once they are taken for good:
    /// acknowledged where the protocol has acknowledgements, else written.
    ///
    /// # Errors
    /// What was not taken, and what is to be done about it.
    fn deliver(&mut self, messages: &[Message<'_>]) -> Result<(), Refused>;

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

/// Some messages were not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How many were, counted from the first.
    pub taken: usize,
    /// Why the next was not, as a lowercase fragment without secrets.
    pub reason: String,
    /// What is to be done about it.
    pub then: Then,
}

impl Refused {
    /// `taken` messages were taken; the rest is to be sent again.
    #[must_use]
    pub fn again(taken: usize, reason: impl ToString) -> Self {
        Self { taken, reason: reason.to_string(), then: Then::Again(None) }
    }

    /// `taken` messages were taken; the next never will be.
    #[must_use]
    pub fn give_up(taken: usize, reason: impl ToString) -> Self {
        Self { taken, reason: reason.to_string(), then: Then::GiveUp }
    }

    /// The same of messages that had `before` others before them.
    #[must_use]
    pub fn after(mut self, before: usize) -> Self {
        self.taken += before;
        self
    }
}

/// What is to be done about a message that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Send it again: after this long if the destination said so, else when the
    /// back-off says.
    Again(Option<Duration>),
    /// Give it up, for it can never be taken: a dead letter.
    GiveUp,
    /// Nobody takes anything any more, as of a pipe without a reader: the run ends.
    End,
}
