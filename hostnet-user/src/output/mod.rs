//! What a run writes to as it goes: a person's terminal, a stream, the record.
//!
//! An output takes records in order and says when it cannot. It knows nothing of
//! the kernel or of how an event came about.

mod numbers;
mod stream;
mod table;

use std::collections::BTreeMap;

use anyhow::Result;

pub use numbers::{HistoryNumbers, HistorySize, SinkNumbers};
pub use stream::{LineStream, is_broken_pipe};
pub use table::Table;

use crate::event::{Health, PastFinding, Reached, Recorded};

/// Something that takes the records of a run.
pub trait Output: Send {
    /// Takes one record; it may be held back until [`flush`](Self::flush).
    ///
    /// # Errors
    /// When the record could not be written.
    fn write(&mut self, record: &Recorded) -> Result<()>;

    /// Writes out what was held back.
    ///
    /// # Errors
    /// When it could not be written.
    fn flush(&mut self) -> Result<()>;

    /// Up to which `event.sequence` records are written for good; `None` when that
    /// is so as soon as they are flushed.
    fn written(&self) -> Option<u64> {
        None
    }

    /// All that happened until `until_ns`, nanoseconds since 1970, has been written to this
    /// output, as far as it was recorded; more than that follows from no event.
    fn known_until(&mut self, until_ns: u64) {
        let _not_kept = until_ns;
    }

    /// The sinks that this output feeds, by name.
    fn sinks(&self) -> BTreeMap<String, SinkNumbers> {
        BTreeMap::new()
    }

    /// The history that this output keeps, in numbers.
    fn history(&self) -> Option<HistoryNumbers> {
        None
    }

    /// Opens the destination anew (SIGHUP, after log rotation).
    ///
    /// # Errors
    /// When it cannot be opened; the old one stays in use.
    fn reopen(&mut self) -> Result<()> {
        Ok(())
    }

    /// What images reached while other runs judged, as far as the output has kept it;
    /// asked once, at the start.
    fn take_reached(&mut self) -> Vec<Reached> {
        Vec::new()
    }

    /// What other runs have found, as far as the output has kept it; asked once, at the
    /// start.
    fn take_findings(&mut self) -> Vec<PastFinding> {
        Vec::new()
    }

    /// What the output tells of itself since the last call.
    fn take_news(&mut self) -> Vec<Health> {
        Vec::new()
    }

    /// Writes out everything and waits, not for ever, until it is where it goes.
    ///
    /// # Errors
    /// When something is left.
    fn close(&mut self) -> Result<()> {
        self.flush()
    }
}
