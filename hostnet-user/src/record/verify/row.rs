//! Whether one row follows from the one before it. Nothing here knows what a row says of
//! others.

use rusqlite::types::ValueRef;

use super::Bad;
use crate::{
    record::chain::{Hash, Link},
    text,
};

/// A row as it is there.
pub struct StoredRow<'a> {
    /// What the chain is made of.
    pub link: Link<'a>,
    /// Bytes of all documents up to and with its own, as it says.
    total: u64,
    /// The chain's value after it, as it says; `None` when it is none.
    hash: Option<Hash>,
}

/// The last good row.
pub struct Previous {
    /// Its place; of the first row, the place that the chain begins after.
    pub id: u64,
    /// The chain's value after it.
    pub hash: Hash,
    /// Bytes of all documents up to and with its own; `None` when the rows before the first
    /// are gone.
    pub total: Option<u64>,
    run: Vec<u8>,
    sequence: u64,
}

impl<'a> StoredRow<'a> {
    /// What a history has in the columns of its rows. What is of another type is empty or
    /// zero, and does not follow.
    pub fn read(row: &'a rusqlite::Row<'_>) -> Self {
        let bytes = |index| match row.get_ref(index) {
            Ok(ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => bytes,
            _ => &[][..],
        };
        let number = |index| row.get::<_, i64>(index).map_or(0, i64::cast_unsigned);
        let link = Link {
            id: number(0),
            run: bytes(1),
            sequence: number(2),
            time_ns: number(3),
            event_id: bytes(4),
            dataset: bytes(5),
            action: bytes(6),
            owner: bytes(7),
            document: bytes(8),
        };
        Self { link, total: number(9), hash: Hash::from_bytes(bytes(10)) }
    }

    /// It is not as it was kept.
    pub fn bad(&self, why: &str) -> Bad {
        let run = text::text(self.link.run).readable;
        Bad::at(self.link.id, &run, self.link.sequence, why.to_owned())
    }
}

impl Previous {
    /// Before the first row.
    pub const fn start(id: u64, hash: Hash, total: Option<u64>) -> Self {
        Self { id, hash, total, run: Vec::new(), sequence: 0 }
    }

    /// Whether a row follows; the chain's value after it.
    pub fn followed_by(&self, row: &StoredRow<'_>) -> Result<Hash, Bad> {
        let hash = self.hash.then(&row.link);
        self.is_later(row)?;
        self.is_chained(row, hash)?;
        self.is_counted(row)?;
        Ok(hash)
    }

    fn is_later(&self, row: &StoredRow<'_>) -> Result<(), Bad> {
        if row.link.id <= self.id {
            return Err(row.bad("it is before the row at which the chain begins"));
        }
        Ok(())
    }

    fn is_chained(&self, row: &StoredRow<'_>, hash: Hash) -> Result<(), Bad> {
        let id = row.link.id;
        if row.hash == Some(hash) {
            return Ok(());
        }
        if id == self.id + 1 {
            return Err(row.bad("its content or its place was changed"));
        }
        let (first, last) = (self.id + 1, id - 1);
        let why = format!("rows {first} to {last} are missing, or row {id} was changed");
        Err(self.next(why))
    }

    fn is_counted(&self, row: &StoredRow<'_>) -> Result<(), Bad> {
        let length = row.link.document.len() as u64;
        if self.total.is_some_and(|before| before + length != row.total) {
            return Err(row.bad("the count of bytes up to it is wrong"));
        }
        Ok(())
    }

    /// The places between it and a row that were never taken, first and last. A run that
    /// began while the history could not be read left places before it.
    pub fn missing(&self, link: &Link<'_>) -> Option<(u64, u64)> {
        let is_begin = link.run != self.run;
        let skipped = link.id - self.id - 1;
        let missing = if is_begin { skipped.min(link.sequence - 1) } else { skipped };
        (missing > 0).then(|| (link.id - missing, link.id - 1))
    }

    /// A row is good.
    pub fn step(&mut self, row: &StoredRow<'_>, hash: Hash) {
        let StoredRow { link, total, .. } = row;
        (self.id, self.sequence, self.hash, self.total) =
            (link.id, link.sequence, hash, Some(*total));
        self.run.clear();
        self.run.extend_from_slice(link.run);
    }

    /// Something is wrong with the row after it.
    pub fn next(&self, why: String) -> Bad {
        let run = text::text(&self.run).readable;
        Bad::at(self.id + 1, &run, self.sequence + 1, why)
    }
}
