//! Two rings read as one: the records of owners within their budgets, and the first
//! acts of those beyond. What one thread did stays in the order in which it did it.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use aya::maps::Map;

use super::{
    due::{Due, Progress},
    maps::Source,
    ring::{Place, Record, Ring, RingNumbers},
};

/// Both rings.
pub struct Rings {
    records: Ring,
    reserved: Ring,
    /// When the youngest of the records taken was made, `CLOCK_BOOTTIME` nanoseconds.
    latest_ns: u64,
    due: Due,
}

/// Where both were.
pub struct Bookmark {
    records: Place,
    reserved: Place,
    latest_ns: u64,
}

impl Rings {
    pub(super) fn from(source: Source<'_>) -> Result<Self> {
        let mut ring = |name: &str| match source(name)? {
            Map::RingBuf(data) => Ring::of(&data),
            _ => bail!("{name} is not a ring buffer"),
        };
        let (records, reserved) = (ring("RECORDS")?, ring("RESERVED")?);
        Ok(Self { records, reserved, latest_ns: 0, due: Due::default() })
    }

    /// The next record by time, if there is one.
    ///
    /// # Errors
    /// When a ring cannot be read; nothing is consumed then.
    pub fn take(&mut self) -> Result<Option<Record<'_>>> {
        let first_look = self.reserved.next_ns()?;
        let records_ns = self.records.next_ns()?;
        // A ring is looked at after the other had something: what the same thread did
        // before that is there by now.
        let reserved_ns = if first_look.is_none() && records_ns.is_some() {
            self.reserved.next_ns()?
        } else {
            first_look
        };
        let next_ns = records_ns.into_iter().chain(reserved_ns).min();
        self.latest_ns = self.latest_ns.max(next_ns.unwrap_or_default());
        match (records_ns, reserved_ns) {
            (Some(records_ns), Some(reserved_ns)) if records_ns <= reserved_ns => {
                self.records.take()
            }
            (_, Some(_)) => self.reserved.take(),
            (_, None) => self.records.take(),
        }
    }

    /// Gives back the room of records of which all is told and written: an agent after
    /// this one will not read them again. Where a ring is half full, what is to be told
    /// of records that wait is worth less than the room for others.
    pub fn give_back(&mut self, run: Progress) {
        let read_to = (self.records.position(), self.reserved.position());
        let hurries = self.records.is_half_full() || self.reserved.is_half_full();
        if let Some((records, reserved)) = self.due.settle(read_to, self.latest_ns, run, hurries) {
            self.records.give_back(records);
            self.reserved.give_back(reserved);
        }
    }

    /// Where reading is; until something is given back, one may return there.
    pub(super) const fn bookmark(&self) -> Bookmark {
        let (records, reserved) = (self.records.place(), self.reserved.place());
        Bookmark { records, reserved, latest_ns: self.latest_ns }
    }

    /// What was taken since is taken once more.
    pub(super) const fn return_to(&mut self, bookmark: &Bookmark) {
        self.records.return_to(bookmark.records);
        self.reserved.return_to(bookmark.reserved);
        self.latest_ns = bookmark.latest_ns;
    }

    /// How full each is, by its name.
    #[must_use]
    pub fn numbers(&self) -> BTreeMap<&'static str, RingNumbers> {
        [("records", self.records.numbers()), ("reserved", self.reserved.numbers())].into()
    }

    /// Whether there is more to take, now or once it has been written.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.records.is_behind() || self.reserved.is_behind()
    }
}
