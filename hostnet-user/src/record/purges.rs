//! What is to go from a history: planned, told, and, once the record of it is kept,
//! removed step by step.

use std::{collections::BTreeMap, time::Instant};

use super::{
    age::Ages,
    error::StoreError,
    now_ns,
    retention::{self, Limits},
    store::Store,
};
use crate::event::Purge;

/// The purges of a run.
pub struct Purges {
    limits: Limits,
    ages: Option<Ages>,
    planned: Option<Purge>,
    current: Option<Purge>,
    /// Up to which row none has an age, as far as was looked.
    undated: u64,
    /// Rows removed, by reason.
    removed: BTreeMap<String, u64>,
}

impl Purges {
    /// None yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let removed = [retention::AGE, retention::BYTES].map(|reason| (reason.to_owned(), 0));
        let removed = removed.into();
        Self { limits, ages: None, planned: None, current: None, undated: 0, removed }
    }

    /// Looks at the clock: how old rows are follows from it.
    ///
    /// # Errors
    /// When the newest row cannot be read.
    pub fn look_at_clock(&mut self, store: &Store) -> Result<(), StoreError> {
        let (now, wall_ns, last) = (Instant::now(), now_ns(), store.head().id);
        let ages = match &mut self.ages {
            Some(ages) => ages,
            none => {
                let newest = store.row_at(last)?;
                none.insert(Ages::new(last, newest.map(|row| row.time_ns), wall_ns, now))
            }
        };
        if ages.look(last, wall_ns, now, self.limits.age) {
            // Rows that no clock had dated have an age now.
            self.undated = 0;
        }
        Ok(())
    }

    /// What is to go now, if anything is that is not known yet; the caller tells it.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn plan(&mut self, store: &Store) -> Result<Option<Purge>, StoreError> {
        match &self.ages {
            Some(ages) if self.planned.is_none() && self.current.is_none() => {
                retention::plan(store, self.limits, ages, Instant::now(), &mut self.undated)
            }
            _ => Ok(None),
        }
    }

    /// It is told.
    pub fn told(&mut self, purge: Purge) {
        self.planned = Some(purge);
    }

    /// The record of it is kept: now it may go.
    pub fn recorded(&mut self) {
        self.current = self.planned.take();
    }

    /// Whether one is told and its record not kept yet.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.planned.is_some()
    }

    /// Removes rows, at least `least` where something is to go; else gives back what
    /// was removed. Returns whether there is more to do at once.
    ///
    /// # Errors
    /// When the history cannot be written.
    pub fn step(&mut self, store: &mut Store, least: u64) -> Result<bool, StoreError> {
        let Some(purge) = &self.current else {
            return if least == 0 { retention::give_back(store, self.limits) } else { Ok(false) };
        };
        let removed = retention::step(store, purge, self.limits, least)?;
        *self.removed.entry(purge.reason.clone()).or_default() += removed;
        if removed == 0 {
            self.current = None;
        }
        Ok(removed > 0)
    }

    /// Rows that were removed, by reason.
    #[must_use]
    pub const fn removed(&self) -> &BTreeMap<String, u64> {
        &self.removed
    }

    /// Forgets what was planned: the history is another, or cannot be used.
    pub fn forget(&mut self) {
        (self.planned, self.current, self.undated) = (None, None, 0);
    }
}
