//! Events that wait, for a moment, for the name of their container.
//!
//! A container may act before its runtime has answered who it is. Its events
//! wait for the answer here; those of others do not wait for them. The wait is
//! bounded in time and in number, and after it they are told by id alone.

use std::collections::HashMap;

use crate::event::{Event, shares::Fill};

/// The longest an event waits, nanoseconds. A runtime that starts four
/// containers at once answers an inspect within a quarter of it.
const PATIENCE_NS: u64 = 200_000_000;

/// Most events that wait, all containers together. One container has at most as many as
/// are left free (`shares.rs`).
const MOST: usize = 1 << 15;

/// The events, by full container id.
#[derive(Debug, Default)]
pub struct Held {
    containers: HashMap<String, Waiting>,
    count: usize,
}

#[derive(Debug)]
struct Waiting {
    since_ns: u64,
    /// When the oldest of them happened, which may have been long before.
    oldest_ns: u64,
    events: Vec<Event>,
}

impl Held {
    /// Holds an event of container `id`. Returns `false` when that was one too
    /// many: the container's events are then to be told.
    /// The wait begins at `now_ns`: an event may be old when it is taken in.
    pub fn hold(&mut self, id: &str, event: Event, now_ns: u64) -> bool {
        let free = MOST - self.count;
        self.count += 1;
        match self.containers.get_mut(id) {
            Some(waiting) => {
                waiting.oldest_ns = waiting.oldest_ns.min(event.boot_ns);
                waiting.events.push(event);
                waiting.events.len() < free
            }
            None => {
                let (since_ns, oldest_ns) = (now_ns, event.boot_ns);
                let waiting = Waiting { since_ns, oldest_ns, events: vec![event] };
                self.containers.insert(id.to_owned(), waiting);
                free > 1
            }
        }
    }

    /// How many wait.
    pub const fn fill(&self) -> Fill {
        Fill::of(self.count, MOST)
    }

    /// The events of one container, in their order.
    pub fn take(&mut self, id: &str) -> Vec<Event> {
        let events = self.containers.remove(id).map(|waiting| waiting.events).unwrap_or_default();
        self.count -= events.len();
        events
    }

    /// When the oldest event that waits happened.
    pub fn waits_since(&self) -> Option<u64> {
        self.containers.values().map(|waiting| waiting.oldest_ns).min()
    }

    /// Containers that have waited long enough at `boot_ns`.
    pub fn overdue(&self, boot_ns: u64) -> Vec<String> {
        let is_overdue =
            |waiting: &Waiting| boot_ns.saturating_sub(waiting.since_ns) >= PATIENCE_NS;
        let overdue = self.containers.iter().filter(|(_, waiting)| is_overdue(waiting));
        let mut overdue: Vec<_> = overdue.map(|(id, waiting)| (waiting.since_ns, id)).collect();
        overdue.sort_unstable();
        overdue.into_iter().map(|(_, id)| id.clone()).collect()
    }

    /// Since when the first container waits for its name, and how many do.
    pub fn containers(&self) -> (Option<u64>, usize) {
        let since_ns = self.containers.values().map(|waiting| waiting.since_ns).min();
        (since_ns, self.containers.len())
    }
}
