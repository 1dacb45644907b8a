//! How long and how much a history keeps.
//!
//! What is to go is told first, as a record with the chain's value at its end; it
//! goes once that record is kept, a little at a time. A purge that a crash cut
//! short is finished by the next one.

use std::time::{Duration, Instant};

use super::{age::Ages, chain::hex, error::StoreError, store::Store};
use crate::event::Purge;

/// Rows went for their age.
pub const AGE: &str = "age";

/// Rows went because there was no room for more.
pub const BYTES: &str = "bytes";

/// Rows looked at in one step for their age.
const LOOKED_AT: u64 = 20_000;

/// What is kept at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Older rows go.
    pub age: Duration,
    /// The oldest go before file, log and unused pages have more bytes than this.
    pub bytes: u64,
}

impl Limits {
    /// A smaller history has no room for what is on its way to the writer, MiB.
    pub const LEAST_MIB: u32 = 32;

    /// From how many bytes in use on the oldest rows go: what is left to the limit is
    /// for the log, and for what comes until their going is recorded.
    const fn crowded(self) -> u64 {
        let fifth = self.bytes / 5;
        self.bytes - if fifth < 128 << 20 { fifth } else { 128 << 20 }
    }

    /// To how many bytes in use they go, so that not every row is told of.
    const fn comfortable(self) -> u64 {
        self.crowded() - (self.bytes - self.crowded()) / 2
    }

    /// From how many bytes on the log is put into the file.
    #[must_use]
    pub fn log(self) -> u64 {
        (self.bytes / 40).clamp(64 << 10, 16 << 20)
    }

    /// Bytes of documents in one transaction at most.
    #[must_use]
    pub fn transaction(self) -> u64 {
        (self.bytes / 80).max(64 << 10)
    }

    /// Rows removed in one transaction.
    fn step(self) -> u64 {
        (self.bytes >> 17).clamp(50, 1000)
    }

    /// Unused bytes from which on some are given back to the file system.
    const fn unused(self) -> u64 {
        self.bytes / 20
    }
}

/// What is to go now, if anything is. Up to row `undated` no row has an age, as far as was
/// looked; this looks further.
///
/// # Errors
/// When the history cannot be read.
pub fn plan(
    store: &Store,
    limits: Limits,
    ages: &Ages,
    now: Instant,
    undated: &mut u64,
) -> Result<Option<Purge>, StoreError> {
    let (start, _) = store.start()?;
    *undated = start.max(*undated);
    let old = too_old(store, undated, limits.age, ages, now)?;
    if old > start {
        return purge(store, start, old, AGE);
    }
    let size = store.size()?;
    if size.used <= limits.crowded() {
        return Ok(None);
    }
    let before = store
        .ask("SELECT total - length(CAST(document AS BLOB)) FROM event WHERE id > ?1 ORDER BY id LIMIT 1", start, |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })?
        .unwrap_or(0);
    let kept = store.head().total.saturating_sub(before);
    // The file has more than documents: what goes is in proportion.
    let surplus = size.used - limits.comfortable();
    let goes = (u128::from(kept) * u128::from(surplus) / u128::from(size.used)) as u64;
    let last = last_within(store, start, before + goes + 1)?;
    purge(store, start, last.max(start + 1), BYTES)
}

/// Takes one step of a purge, of at least `least` rows; returns how many it has removed,
/// which is none when the purge is done.
///
/// # Errors
/// When nothing could be removed.
pub fn step(
    store: &mut Store,
    purge: &Purge,
    limits: Limits,
    least: u64,
) -> Result<u64, StoreError> {
    store.purge(purge.last, limits.step().max(least))
}

/// Gives back to the file system what purges have left unused, a little; whether there
/// may be more.
///
/// # Errors
/// When it cannot.
pub fn give_back(store: &Store, limits: Limits) -> Result<bool, StoreError> {
    let is_much = |store: &Store| Ok::<_, StoreError>(store.size()?.free > limits.unused());
    if !is_much(store)? {
        return Ok(false);
    }
    store.give_back()?;
    is_much(store)
}

/// The last of the rows after `undated` that are too old; 0 when none is. Those that no
/// clock that was set can have written go with what is too old after them.
fn too_old(
    store: &Store,
    undated: &mut u64,
    age: Duration,
    ages: &Ages,
    now: Instant,
) -> Result<u64, StoreError> {
    let mut statement = store
        .connection
        .prepare_cached("SELECT id, time_ns FROM event WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = statement.query([undated.cast_signed(), LOOKED_AT.cast_signed()])?;
    // More than what is due goes at once, so that not every row is told of.
    let goes = age - age / 20;
    let (mut old, last) = (0, ages.last_that_may_go(now, goes));
    while let Some(row) = rows.next()? {
        let (id, time_ns): (i64, i64) = (row.get(0)?, row.get(1)?);
        let id = id.cast_unsigned();
        match ages.of(time_ns.cast_unsigned()) {
            _ if id > last => break,
            Some(found) if found > if old == 0 { age } else { goes } => old = id,
            Some(_young) => break,
            None if old == 0 => *undated = id,
            None => {}
        }
    }
    Ok(old)
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

/// The last row up to which all documents have less than `total` bytes, found by halving.
fn last_within(store: &Store, start: u64, total: u64) -> Result<u64, StoreError> {
    let query = "SELECT total FROM event WHERE id <= ?1 ORDER BY id DESC LIMIT 1";
    let (mut low, mut high) = (start, store.head().id);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let value = store.ask(query, middle, |row| row.get::<_, i64>(0).map(i64::cast_unsigned))?;
        if value.is_none_or(|value| value < total) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}
