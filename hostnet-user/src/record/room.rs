//! The room that a history takes: its file, its log and unused pages together, held
//! to `max_mib` whatever is written and whoever reads.
//!
//! SQLite cannot shorten the log (WAL) while somebody reads an older state of the
//! history, and a file that has grown shrinks only as fast as it is written anew. When
//! neither leaves room, nothing more is written: rows wait in memory (tail.rs), and
//! what has no room there is counted.

use std::time::Duration;

use super::{
    error::StoreError,
    retention::Limits,
    store::{BUSY, Store},
};
use crate::{output::HistorySize, row::Row};

/// Why there is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// Somebody reads an older state of it.
    #[error(
        "it has {} MiB and max_mib is {}: somebody who reads it keeps its log, {} MiB, from \
         being shortened; end what has had it open for long (a query, sqlite3, a backup)",
        mib(size.all()), mib(*most), mib(size.log)
    )]
    Read {
        /// What it has.
        size: HistorySize,
        /// `max_mib`, bytes.
        most: u64,
    },
    /// It has grown, or `max_mib` was lowered.
    #[error(
        "it has {} MiB and max_mib is {}: the oldest events are removed first",
        mib(size.all()), mib(*most)
    )]
    Grown {
        /// What it has.
        size: HistorySize,
        /// `max_mib`, bytes.
        most: u64,
    },
}

/// A document with its row, its indexes and its tallies, over its own bytes.
const ROW_OVER_DOCUMENT: u64 = 2;

/// Pages given back to the file system in one step.
const GIVE_BACK_PAGES: u64 = 256;

impl Store {
    /// How much it takes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn size(&self) -> Result<HistorySize, StoreError> {
        let number = |pragma: &str| {
            self.connection
                .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        };
        let (page, pages, free) =
            (number("page_size")?, number("page_count")?, number("freelist_count")?);
        let used = pages.saturating_sub(free) * page;
        Ok(HistorySize { used, free: free * page, log: self.log_bytes() })
    }

    /// Sees to it that the log is shortened before it takes much of the room.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn hold_to(&self, limits: Limits) -> Result<(), StoreError> {
        let page: i64 = self.connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let log = limits.log().cast_signed();
        self.connection.pragma_update(None, "wal_autocheckpoint", (log / page.max(1)).max(1))?;
        self.connection.pragma_update(None, "journal_size_limit", log)?;
        Ok(())
    }

    /// Whether there is room for documents of `bytes` bytes. `None` when there is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn room_for(&self, bytes: u64, limits: Limits) -> Result<Option<Full>, StoreError> {
        // A transaction, and a step of a purge after it, may take a little more. Unused
        // pages are used before the file grows.
        let grows = |size: HistorySize| (bytes * ROW_OVER_DOCUMENT).saturating_sub(size.free);
        let is_room = |size: HistorySize| size.all() + grows(size) <= limits.bytes;
        if is_room(self.size()?) {
            return Ok(None);
        }
        self.settle_at_once()?;
        let size = self.size()?;
        if is_room(size) {
            return Ok(None);
        }
        let most = limits.bytes;
        Ok(Some(match size.log {
            0 => Full::Grown { size, most },
            _ => Full::Read { size, most },
        }))
    }

    /// Sees to it that the log is not much longer than it should be; whether it is not.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn cut_log(&self, limits: Limits) -> Result<bool, StoreError> {
        let is_short = || self.log_bytes() <= 2 * limits.log();
        if !is_short() {
            self.settle_at_once()?;
        }
        Ok(is_short())
    }

    fn log_bytes(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |metadata| metadata.len())
    }

    /// Settles without waiting: whoever reads may read for hours.
    fn settle_at_once(&self) -> Result<(), StoreError> {
        self.connection.busy_timeout(Duration::ZERO)?;
        let settled = self.settle();
        self.connection.busy_timeout(BUSY)?;
        settled
    }

    /// Gives unused pages back to the file system, a little.
    ///
    /// # Errors
    /// When it cannot.
    pub fn give_back(&self) -> Result<(), StoreError> {
        // It removes a page per step, so it has to be stepped to its end.
        let vacuum = format!("PRAGMA incremental_vacuum({GIVE_BACK_PAGES})");
        let mut statement = self.connection.prepare(&vacuum)?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        // The file is cut when the log is put into it, which without this waits for
        // a thousand pages of new rows.
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Puts what is in the log into the database, and cuts the log, as far as nobody
    /// reads what is older.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settle(&self) -> Result<(), StoreError> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// How many of the rows go into one transaction.
pub fn transaction(rows: &[&Row], limits: Limits) -> usize {
    let mut bytes = 0;
    let fit = rows.iter().take_while(|row| {
        bytes += row.document.len() as u64;
        bytes <= limits.transaction()
    });
    fit.count().max(1).min(rows.len())
}

const fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
