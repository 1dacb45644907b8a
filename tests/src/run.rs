//! What an agent wrote, and how tests find events in it.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

use serde_json::Value;

use crate::{
    events::{Event, near_misses},
    field::at,
    want::Want,
};

/// What an agent wrote from start to end.
pub struct Run {
    /// Every event in order, but for those of other programs' containers.
    pub events: Vec<Value>,
    /// What it wrote on standard error.
    pub messages: String,
    /// How it ended.
    pub status: ExitStatus,
}

impl Run {
    /// Whether all hooks of a set are proven on this kernel.
    pub fn proves(&self, set: &str) -> bool {
        let coverage = at(&self.events[0], "hostnet.health.coverage");
        let rows = coverage.and_then(Value::as_array).expect("the start event tells coverage");
        let mut of_set = rows.iter().filter(|row| row["set"] == set).peekable();
        of_set.peek().is_some() && of_set.all(|row| row["state"] == "proven")
    }

    pub fn all(&self, want: &Want) -> Vec<&Value> {
        self.events.iter().filter(|event| want.matches(event)).collect()
    }

    /// The only event of a kind.
    pub fn only(&self, want: &Want) -> &Value {
        self.exactly(1, want)[0]
    }

    /// All events of a kind, which must be this many.
    pub fn exactly(&self, count: usize, want: &Want) -> Vec<&Value> {
        let found = self.all(want);
        if found.len() != count {
            let events: Vec<Event> = self
                .events
                .iter()
                .map(|json| Event { line: json.to_string().into_bytes(), json: json.clone() })
                .collect();
            panic!(
                "{} events where {count} were expected; {}",
                found.len(),
                near_misses(&events, want)
            );
        }
        found
    }

    /// That no event is of this kind.
    pub fn none(&self, want: &Want) {
        self.exactly(0, want);
    }

    /// Exit code, when it was not ended by a signal.
    pub fn code(&self) -> Option<i32> {
        assert_eq!(self.status.signal(), None, "{}", self.messages);
        self.status.code()
    }
}
