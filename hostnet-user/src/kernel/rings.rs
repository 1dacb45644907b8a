//! Two rings read as one: the records of owners within their budgets, and the first
//! acts of those beyond. What one thread did stays in the order in which it did it.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Result, bail};
use aya::maps::Map;

use super::{
    maps::Source,
    ring::{Record, Ring, RingNumbers},
};

/// Both rings.
pub struct Rings {
    records: Ring,
    reserved: Ring,
    /// What was taken and is not given back: up to where in each ring, and up to
    /// which event that was told.
    due: VecDeque<Due>,
}

struct Due {
    told: u64,
    records: u64,
    reserved: u64,
}

impl Rings {
    pub(super) fn from(source: Source<'_>) -> Result<Self> {
        let mut ring = |name: &str| match source(name)? {
            Map::RingBuf(data) => Ring::of(&data),
            _ => bail!("{name} is not a ring buffer"),
        };
        let (records, reserved) = (ring("RECORDS")?, ring("RESERVED")?);
        Ok(Self { records, reserved, due: VecDeque::new() })
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

    /// What was taken until now has led to `told` events, of which `written` are written
    /// for good. Gives back the room of the records before those: an agent after this
    /// one will not read them again.
    pub fn give_back(&mut self, told: u64, written: u64) {
        let (records, reserved) = (self.records.position(), self.reserved.position());
        let has_more =
            |last: &Due| (last.records, last.reserved) != (records, reserved) && last.told < told;
        match self.due.back_mut() {
            // Records that led to no event go with those before them.
            Some(last) if !has_more(last) => (last.records, last.reserved) = (records, reserved),
            _ => self.due.push_back(Due { told, records, reserved }),
        }
        while let Some(due) = self.due.pop_front_if(|due| due.told <= written) {
            self.records.give_back(due.records);
            self.reserved.give_back(due.reserved);
        }
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
