//! Counts what is told of a crowd, as it is told: its events are too many to keep.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::{
    crowd::{self, Verdict, container_id, verdict},
    glance::Glance,
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

    /// Counts what a line says of the crowd; returns its sequence if it is the crowd's.
    pub fn take(&self, line: &[u8]) -> Option<u64> {
        let told: Glance<'_> = serde_json::from_slice(line).ok()?;
        let mut counts = self.counts.lock().expect("not poisoned");
        let wrong = || String::from_utf8_lossy(line).into_owned();
        if told.event.action == "records-lost" {
            counts.lost += told.hostnet.loss.by.iter().map(|lost| lost.count).sum::<u64>();
            return None;
        }
        if let Some(index) = crowd::truth(&told).filter(|index| *index < self.containers) {
            let verdict = verdict(&told, index);
            if verdict == Verdict::Wrong {
                counts.first_wrong.get_or_insert_with(wrong);
            }
            if verdict == Verdict::Named {
                counts.named.insert(index);
            }
            let existing = told.event.action == "existing_socket";
            let kind = if existing { &mut counts.existing } else { &mut counts.acted };
            *kind.entry(verdict).or_default() += 1;
            return told.event.sequence;
        }
        let name = told.container.name?;
        let index = name.strip_prefix("crowd-")?.parse().ok()?;
        if told.container.id == Some(&*container_id(index)) {
            counts.named.insert(index);
        } else {
            counts.first_wrong.get_or_insert_with(wrong);
        }
        told.event.sequence
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
