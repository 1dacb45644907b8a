//! Where records are delivered to, one file per kind of destination.
//!
//! A sink hands messages over and says how many were taken. It knows nothing of
//! where they are kept until then, of the other sinks, or of when to try again:
//! that is the outbox's (record/).

mod build;
mod file;
mod settings;
mod stdout;

use std::time::Duration;

pub use build::build;
pub use file::File;
pub use settings::{Common, Destination, Settings};
pub use stdout::Stdout;

use crate::record::Row;

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
