//! Counts what is told of a crowd, as it is told: its events are too many to keep.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    crowd::{self, Verdict, container_id, verdict},
    events::at,
};

/// The counts; clones are the same.
#[derive(Clone)]
pub struct Tally {
    containers: u32,
    counts: Arc<Mutex<Counts>>,
}

/// What was told so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Sockets older than the agent.
    pub existing: BTreeMap<Verdict, u64>,
    /// Connects.
    pub acted: BTreeMap<Verdict, u64>,
    /// Containers whose name has been told, by an event or after it.
    pub named: BTreeSet<u32>,
    /// The first event with a wrong owner.
    pub first_wrong: Option<String>,
    /// Records that the agent says it lost.
    pub lost: u64,
}

impl Tally {
    pub fn of(containers: u32) -> Self {
        Self { containers, counts: Arc::default() }
    }

    /// Counts an event of the crowd, and says whether it was one.
    pub fn take(&self, event: &Value) -> bool {
        let mut counts = self.counts.lock().expect("not poisoned");
        let action = at(event, "event.action").and_then(Value::as_str);
        if action == Some("records-lost") {
            let by = at(event, "hostnet.loss.by").and_then(Value::as_array);
            counts.lost +=
                by.into_iter().flatten().filter_map(|one| one["count"].as_u64()).sum::<u64>();
            return false;
        }
        if let Some(index) = crowd::truth(event).filter(|index| *index < self.containers) {
            let verdict = verdict(event, index);
            if verdict == Verdict::Wrong {
                counts.first_wrong.get_or_insert_with(|| event.to_string());
            }
            if verdict == Verdict::Named {
                counts.named.insert(index);
            }
            let existing = action == Some("existing_socket");
            let kind = if existing { &mut counts.existing } else { &mut counts.acted };
            *kind.entry(verdict).or_default() += 1;
            return true;
        }
        let name = at(event, "container.name").and_then(Value::as_str).unwrap_or_default();
        let index = name.strip_prefix("crowd-").and_then(|number| number.parse().ok());
        if let Some(index) = index {
            let id = at(event, "container.id").and_then(Value::as_str);
            if id == Some(&*container_id(index)) {
                counts.named.insert(index);
            } else {
                counts.first_wrong.get_or_insert_with(|| event.to_string());
            }
        }
        index.is_some()
    }

    /// The counts now.
    pub fn now(&self) -> Counts {
        self.counts.lock().expect("not poisoned").clone()
    }

    /// Returns once the counts are so; says how far they came when they never are.
    pub fn wait(&self, what: &str, longest: Duration, are_so: impl Fn(&Counts) -> bool) {
        let deadline = Instant::now() + longest;
        while !are_so(&self.counts.lock().expect("not poisoned")) {
            assert!(Instant::now() < deadline, "{what} did not come; {}", self.now().text());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Counts {
    /// Without the names.
    pub fn text(&self) -> String {
        let Self { existing, acted, named, first_wrong, lost } = self;
        let named = named.len();
        format!(
            "existing {existing:?}, acted {acted:?}, {named} named, {lost} lost, {first_wrong:?}"
        )
    }

    pub fn all(of: &BTreeMap<Verdict, u64>) -> u64 {
        of.values().sum()
    }
}
