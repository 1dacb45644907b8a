//! The record of a run: its events in their order, kept, and delivered.
//!
//! Sequence numbers are contiguous, so that a reader can prove from the stream
//! alone that nothing is missing. A journal makes rows of events; one thread keeps
//! them in the history and publishes them; each sink has a thread that delivers
//! them. Nothing here knows how an event came about or what a destination is.

mod age;
mod backoff;
mod before;
mod begin;
mod begun;
pub mod chain;
pub mod checkpoint;
mod chosen;
mod clock;
mod copy;
mod delivery;
mod error;
mod files;
mod journal;
mod keeper;
mod learned;
mod mark;
mod news;
mod numbers;
mod opening;
mod place;
mod purges;
mod reader;
mod retention;
mod room;
pub(crate) mod schema;
mod store;
mod tail;
pub mod tally;
mod verify;
mod writer;

pub use begin::begin;
pub use chosen::Choice;
pub use clock::ClockWatch;
pub use copy::copy;
pub use error::StoreError;
pub use journal::Journal;
pub use keeper::Settings;
pub use mark::Mark;
pub use place::InUse;
pub use reader::Reader;
pub use retention::Limits;
pub use store::{Head, Standing, Store};
pub use verify::{Bad, Good, verify};

use std::time::SystemTime;

use crate::event::{Event, Recorded};

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

fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
