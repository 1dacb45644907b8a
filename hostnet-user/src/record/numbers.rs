//! The history in numbers: the writer puts them down from time to time, and the journal
//! reads what was put down last.

use std::sync::{Arc, Mutex, PoisonError};

use super::store::Store;
use crate::output::HistoryNumbers;

/// Adds what the history itself says. What cannot be read is left out: that it cannot be
/// is reported by whoever writes.
pub fn look(numbers: &mut HistoryNumbers, store: Option<&Store>) {
    let query = "SELECT time_ns FROM event WHERE id > ?1 ORDER BY id LIMIT 1";
    let oldest = |store: &Store| store.ask(query, 0, |row| row.get::<_, i64>(0)).ok()?;
    numbers.size = store.and_then(|store| store.size().ok());
    numbers.oldest_ns = store.and_then(oldest).map(i64::cast_unsigned);
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
