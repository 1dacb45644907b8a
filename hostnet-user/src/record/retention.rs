//! How long and how much a history keeps.
//!
//! What is to go is told first, as a record with the chain's value at its end; it
//! goes once that record is kept, a little at a time. A purge that a crash cut
//! short is finished by the next one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{chain::hex, error::StoreError, store::Store};

/// Rows removed in one step.
const STEP: u64 = 1000;

/// Of what is kept, the part that goes at once, so that not every row is told of.
const PART: u64 = 20;

/// Bytes given back to the file system in one step, and left for what comes.
const GIVE_BACK_PAGES: u32 = 256;

/// What is kept at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Older rows go.
    pub age: Duration,
    /// The oldest go when there are more bytes than this in the file.
    pub bytes: u64,
}

/// What goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The first row that goes.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The chain's value after it, in hexadecimal: what is left still follows from it.
    pub hash: String,
    /// `@timestamp` of the last, nanoseconds since 1970.
    pub until_ns: u64,
    /// Which limit it is: `age` or `bytes`.
    pub reason: String,
}

/// What is to go now, if anything is.
///
/// # Errors
/// When the history cannot be read.
pub fn plan(store: &Store, limits: Limits, now_ns: u64) -> Result<Option<Purge>, StoreError> {
    let (start, _) = store.start()?;
    let oldest =
        store.ask("SELECT time_ns FROM event WHERE id > ?1 ORDER BY id LIMIT 1", start, |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })?;
    let Some(oldest_ns) = oldest else { return Ok(None) };
    let age_ns = u64::try_from(limits.age.as_nanos()).unwrap_or(u64::MAX);
    if oldest_ns < now_ns.saturating_sub(age_ns) {
        let keep_from = now_ns.saturating_sub(age_ns - age_ns / PART);
        return purge(store, start, bound(store, start, Column::Time, keep_from)?, "age");
    }
    let size = store.size()?;
    if size.used > limits.bytes {
        let before = store
            .ask("SELECT total - length(CAST(document AS BLOB)) FROM event WHERE id > ?1 ORDER BY id LIMIT 1", start, |row| {
                row.get::<_, i64>(0).map(i64::cast_unsigned)
            })?
            .unwrap_or(0);
        let kept = store.head().total.saturating_sub(before);
        // The file has more than documents: what goes is in proportion.
        let surplus = size.used - (limits.bytes - limits.bytes / PART);
        let goes = (u128::from(kept) * u128::from(surplus) / u128::from(size.used)) as u64;
        let last = bound(store, start, Column::Total, before + goes + 1)?;
        return purge(store, start, last.max(start + 1), "bytes");
    }
    Ok(None)
}

/// Takes one step of a purge; returns whether it is done.
///
/// # Errors
/// When nothing could be removed.
pub fn step(store: &mut Store, purge: &Purge) -> Result<bool, StoreError> {
    Ok(store.purge(purge.last, STEP)? == 0)
}

/// Gives back to the file system what purges have left unused, a little.
///
/// # Errors
/// When it cannot.
pub fn give_back(store: &Store, limits: Limits) -> Result<(), StoreError> {
    let size = store.size()?;
    if size.free > limits.bytes / PART { store.give_back(GIVE_BACK_PAGES) } else { Ok(()) }
}

fn purge(store: &Store, start: u64, last: u64, reason: &str) -> Result<Option<Purge>, StoreError> {
    // The newest row stays, whatever its age: the next run tells from it how this one ended.
    let last = last.min(store.head().id.saturating_sub(1));
    if last <= start {
        return Ok(None);
    }
    let found = store.ask(
        "SELECT id, hash, time_ns FROM event WHERE id <= ?1 ORDER BY id DESC LIMIT 1",
        last,
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?)),
    )?;
    Ok(found.map(|(last, hash, until_ns)| Purge {
        first: start + 1,
        last: last.cast_unsigned(),
        hash: hex(&hash),
        until_ns: until_ns.cast_unsigned(),
        reason: reason.to_owned(),
    }))
}

/// A column that grows with the rows.
#[derive(Clone, Copy)]
enum Column {
    Time,
    Total,
}

/// The last row whose column is below `limit`, found by halving: the column has no
/// index, and a clock that was set back makes the answer earlier, not wrong.
fn bound(store: &Store, start: u64, column: Column, limit: u64) -> Result<u64, StoreError> {
    let query = match column {
        Column::Time => "SELECT time_ns FROM event WHERE id <= ?1 ORDER BY id DESC LIMIT 1",
        Column::Total => "SELECT total FROM event WHERE id <= ?1 ORDER BY id DESC LIMIT 1",
    };
    let (mut low, mut high) = (start, store.head().id);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let value = store.ask(query, middle, |row| row.get::<_, i64>(0).map(i64::cast_unsigned))?;
        if value.is_none_or(|value| value < limit) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}
