//! The history in numbers, for `/metrics` and heartbeats. The writer puts them down from
//! time to time; the journal reads what was put down last.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

use super::{room::Size, store::Store};

/// How the history does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryNumbers {
    /// Whether rows can be kept.
    pub is_writable: bool,
    /// What it takes of its disk; `None` while it cannot be opened.
    pub size: Option<Size>,
    /// What it may take, bytes.
    pub limit_bytes: u64,
    /// Rows of this run that were kept.
    pub kept: u64,
    /// Rows of this run that will never be in it: it could not be written, and there was
    /// no more memory to wait in.
    pub not_kept: u64,
    /// Rows that were removed in this run, by the limit that they were beyond.
    pub purged: BTreeMap<String, u64>,
    /// `@timestamp` of the oldest row, nanoseconds since 1970; `None` where there is none.
    pub oldest_ns: Option<u64>,
}

impl HistoryNumbers {
    /// Adds what the history itself says. What cannot be read is left out: that it cannot
    /// be is reported by whoever writes.
    pub(super) fn look(&mut self, store: Option<&Store>) {
        let query = "SELECT time_ns FROM event WHERE id > ?1 ORDER BY id LIMIT 1";
        let oldest = |store: &Store| store.ask(query, 0, |row| row.get::<_, i64>(0)).ok()?;
        self.size = store.and_then(|store| store.size().ok());
        self.oldest_ns = store.and_then(oldest).map(i64::cast_unsigned);
    }
}

/// Where the numbers are put down; clones are the same. Without a history none are.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Option<HistoryNumbers>>>);

impl Board {
    /// Puts numbers down.
    pub fn put(&self, numbers: HistoryNumbers) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(numbers);
    }

    /// The numbers that were put down last.
    #[must_use]
    pub fn read(&self) -> Option<HistoryNumbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
