//! What makes an event a record: its place in the run.
//!
//! Sequence numbers are contiguous, so that a reader can prove from the stream
//! alone that nothing is missing.

mod row;

pub use row::Row;

use crate::event::Event;

/// An event with its place in the run.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Contiguous from 1 per run.
    pub sequence: u64,
    /// UTC at which the agent took it in, nanoseconds since 1970.
    pub seen_ns: u64,
    /// The event.
    pub event: Event,
}

/// Hands out places.
#[derive(Debug, Default)]
pub struct Sequence(u64);

impl Sequence {
    /// Gives `event` the next place.
    pub fn record(&mut self, event: Event, seen_ns: u64) -> Recorded {
        self.0 += 1;
        Recorded { sequence: self.0, seen_ns, event }
    }

    /// How many places were given.
    #[must_use]
    pub const fn given(&self) -> u64 {
        self.0
    }
}
