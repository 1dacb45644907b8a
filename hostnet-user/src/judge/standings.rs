//! How containers stand, remembered, because every event asks.

use std::{collections::HashMap, sync::Arc};

use super::expectations::{Expectations, Standing};
use crate::event::{Container, Owner};

/// Most containers remembered; then all are asked for anew.
const MOST: usize = 1 << 14;

const DAY_NS: u64 = 24 * 3_600_000_000_000;

/// Expectations, with what they said today.
#[derive(Debug)]
pub struct Standings {
    expectations: Expectations,
    day: u64,
    /// By where the description is in memory, which stays its own while it is held.
    known: HashMap<usize, (Arc<Container>, Standing)>,
}

impl Standings {
    pub fn new(expectations: Expectations) -> Self {
        Self { expectations, day: 0, known: HashMap::new() }
    }

    /// How the owner stands; `None` when it is no container that the runtime has
    /// described.
    pub fn of(&mut self, owner: &Owner, wall_ns: u64) -> Option<&Standing> {
        let container = owner.container.as_ref().filter(|container| container.is_inspected())?;
        let day = wall_ns / DAY_NS;
        if day != self.day || self.known.len() >= MOST {
            self.day = day;
            self.known.clear();
        }
        let standing = || (Arc::clone(container), self.expectations.standing(container, wall_ns));
        let at = Arc::as_ptr(container) as usize;
        Some(&self.known.entry(at).or_insert_with(standing).1)
    }
}
