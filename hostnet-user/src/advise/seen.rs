//! What was seen of one thing: how often, from when to when, and where to look it up.

use serde::Serialize;
use uuid::Uuid;

use crate::event::Event;

/// Acts that are the same for the advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// How many.
    pub count: u64,
    /// When the first was: UTC nanoseconds since 1970.
    pub first_ns: u64,
    /// When the last was.
    pub last_ns: u64,
    /// The first one's `event.id`.
    pub event_id: Uuid,
    /// The first one as a sentence.
    pub example: String,
}

impl Seen {
    /// The first of them.
    #[must_use]
    pub fn first(event: &Event) -> Self {
        Self {
            count: 1,
            first_ns: event.wall_ns,
            last_ns: event.wall_ns,
            event_id: event.id,
            example: event.operation.to_string(),
        }
    }

    /// One more.
    pub fn again(&mut self, event: &Event) {
        self.count += 1;
        self.first_ns = self.first_ns.min(event.wall_ns);
        self.last_ns = self.last_ns.max(event.wall_ns);
    }

    /// More of them.
    pub fn absorb(&mut self, other: Self) {
        if other.first_ns < self.first_ns {
            (self.event_id, self.example) = (other.event_id, other.example);
        }
        self.count += other.count;
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
    }
}
