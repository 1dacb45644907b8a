//! Two rings read as one: the records of owners within their budgets, and the first
//! acts of those beyond. What one thread did stays in the order in which it did it.

use anyhow::{Result, bail};
use aya::maps::Map;

use super::{
    maps::Source,
    ring::{Record, Ring},
};

/// Both rings.
pub struct Rings {
    records: Ring,
    reserved: Ring,
}

impl Rings {
    pub(super) fn from(source: Source<'_>) -> Result<Self> {
        let mut ring = |name: &str| match source(name)? {
            Map::RingBuf(data) => Ring::of(&data),
            _ => bail!("{name} is not a ring buffer"),
        };
        Ok(Self { records: ring("RECORDS")?, reserved: ring("RESERVED")? })
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
        match (records_ns, reserved_ns) {
            (Some(records_ns), Some(reserved_ns)) if records_ns <= reserved_ns => {
                self.records.take()
            }
            (_, Some(_)) => self.reserved.take(),
            (_, None) => self.records.take(),
        }
    }

    /// Gives back the room of what was taken: it is written down, and will not be read
    /// again by an agent after this one.
    pub fn give_back(&self) {
        self.records.give_back();
        self.reserved.give_back();
    }

    /// Whether there is more to take, now or once it has been written.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.records.is_behind() || self.reserved.is_behind()
    }
}
