//! What a run writes to as it goes: a person's terminal, a stream, a file.
//!
//! An output takes records in order and says when it cannot. It knows nothing of
//! the kernel or of how an event came about.

mod file;
mod stream;
mod table;

use anyhow::Result;

pub use file::FileSink;
pub use stream::{LineStream, is_broken_pipe};
pub use table::Table;

use crate::record::Recorded;

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

    /// Opens the destination anew (SIGHUP, after log rotation).
    ///
    /// # Errors
    /// When it cannot be opened; the old one stays in use.
    fn reopen(&mut self) -> Result<()> {
        Ok(())
    }

    /// How many records were given up since the last call, because they could
    /// not be written and there was no more room to hold them back.
    fn take_dropped(&mut self) -> u64 {
        0
    }
}
