//! How well was looked: when an agent observed, how far the kernel let it, and what it
//! lost. A verdict may claim no more than this allows.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::event::{Event, Health, LossCount, Operation, OwnerKind, RecordHealth};

/// Kinds of operation that only some kernels show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BeyondIp {
    /// The record does not say.
    Unknown,
    /// Not seen.
    Unseen,
    /// Seen when first used, changes of the network not among them.
    FirstUse,
    /// Seen as they happen.
    Families,
}

/// What was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Records that were lost.
    pub lost: u64,
    /// Repeats that were counted and not told.
    pub suppressed: u64,
}

/// The time that was looked at, of all containers.
#[derive(Clone, Debug)]
pub struct Window {
    /// When each run of an agent observed: from and until, nanoseconds since 1970.
    runs: Vec<(u64, u64)>,
    beyond_ip: BeyondIp,
    hooks_missing: bool,
    by_container: HashMap<String, Losses>,
    of_nobody: Losses,
    gaps: Vec<String>,
    more_gaps: u64,
    is_running: bool,
}

/// Most gaps that are named.
const MOST_GAPS: usize = 16;
/// Most containers whose losses are told apart.
const MOST_CONTAINERS: usize = 1 << 14;
/// Most runs told apart; more are taken for one.
const MOST_RUNS: usize = 1 << 12;

impl Default for Window {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            beyond_ip: BeyondIp::Unknown,
            hooks_missing: false,
            by_container: HashMap::new(),
            of_nobody: Losses::default(),
            gaps: Vec::new(),
            more_gaps: 0,
            is_running: false,
        }
    }
}

impl Window {
    /// Notes what the event says of the observation.
    pub fn take(&mut self, event: &Event) {
        let now = event.wall_ns;
        let Operation::Health(health) = &event.operation else { return self.observed(now) };
        match health {
            Health::Started { coverage, .. } => {
                self.covered(coverage);
                self.began(now);
            }
            Health::Stopped { .. } => {
                self.observed(now);
                self.is_running = false;
            }
            Health::CoverageChanged { complete, coverage } => {
                self.observed(now);
                if !complete {
                    let hooks: Vec<&str> =
                        coverage.iter().filter_map(|row| row["hook"].as_str()).collect();
                    self.gap(format!("hooks were lost for a time: {}", hooks.join(", ")));
                }
            }
            Health::Lost { by, .. } => {
                self.observed(now);
                self.count(by, |losses, count| losses.lost += count);
            }
            Health::Suppressed { by, .. } => {
                self.observed(now);
                self.count(by, |losses, count| losses.suppressed += count);
            }
            Health::MapsWiped { .. } | Health::Undecodable { .. } => {
                self.observed(now);
                self.gap(event.operation.to_string());
            }
            Health::Adopted { unread: Some(1..), .. } => self.gap(event.operation.to_string()),
            Health::Record(record) => self.recorded(record, event),
            _ => self.observed(now),
        }
    }

    fn recorded(&mut self, record: &RecordHealth, event: &Event) {
        match record {
            RecordHealth::HistoryRecovered { given_up: 1.., .. }
            | RecordHealth::HistoryFailed { .. }
            | RecordHealth::Crashed { .. } => self.gap(event.operation.to_string()),
            _ => self.observed(event.wall_ns),
        }
    }

    /// What the last agent before the window said of its coverage, when the window
    /// does not begin with its start.
    pub fn began_before(&mut self, start: &Event) {
        if let Operation::Health(Health::Started { coverage, .. }) = &start.operation {
            self.covered(coverage);
        }
    }

    fn covered(&mut self, coverage: &Value) {
        let rows = coverage.as_array().map_or(&[][..], Vec::as_slice);
        let is = |row: &Value, states: &[&str]| {
            row["state"].as_str().is_some_and(|state| states.contains(&state))
        };
        let has = |set: &str| {
            rows.iter().any(|row| row["set"] == set && is(row, &["proven", "unproven"]))
        };
        // A set that was refused whole has another in its place, or is told as such.
        let is_missing = |row: &Value| {
            !is(row, &["proven"])
                && row["set"].as_str().is_some_and(|set| set != "start" && has(set))
        };
        self.hooks_missing |= rows.iter().any(is_missing);
        let beyond_ip = if rows.is_empty() {
            BeyondIp::Unknown
        } else if has("families") {
            BeyondIp::Families
        } else if has("first-use") {
            BeyondIp::FirstUse
        } else {
            BeyondIp::Unseen
        };
        // Of several runs, the worst is what can be claimed.
        let is_first = self.runs.is_empty() && self.beyond_ip == BeyondIp::Unknown;
        self.beyond_ip = if is_first { beyond_ip } else { self.beyond_ip.min(beyond_ip) };
    }

    fn began(&mut self, now: u64) {
        if let Some((_, until)) = self.runs.last()
            && now > *until
        {
            let seconds = (now - until) as f64 / 1e9;
            self.gap(format!("no agent observed for {seconds:.1} s"));
        }
        if self.runs.len() < MOST_RUNS {
            self.runs.push((now, now));
        }
        self.is_running = true;
    }

    fn observed(&mut self, now: u64) {
        match self.runs.last_mut() {
            Some((from, until)) => {
                // Events of a run may be older than its start: sockets that were there.
                *until = (*until).max(now);
                if !self.is_running {
                    *from = (*from).min(now);
                }
            }
            None => {
                self.runs.push((now, now));
                self.is_running = true;
            }
        }
    }

    fn gap(&mut self, text: String) {
        if self.gaps.len() < MOST_GAPS {
            self.gaps.push(text);
        } else {
            self.more_gaps += 1;
        }
    }

    fn count(&mut self, by: &[LossCount], add: impl Fn(&mut Losses, u64)) {
        for loss in by {
            let owner = loss.owner.as_deref();
            match owner.and_then(|owner| owner.container_id.as_ref()) {
                Some(id) if self.by_container.len() < MOST_CONTAINERS => {
                    add(self.by_container.entry(id.clone()).or_default(), loss.count);
                }
                // Lost acts of the host's are no container's.
                None if owner.is_some_and(|owner| owner.kind == OwnerKind::Host) => {}
                _ => add(&mut self.of_nobody, loss.count),
            }
        }
    }

    /// Whether somebody observed at this moment from before on: what begins now is seen
    /// from its beginning.
    #[must_use]
    pub fn has_seen_begin(&self, moment_ns: u64) -> bool {
        self.runs.iter().any(|(from, until)| *from < moment_ns && moment_ns <= *until)
    }

    /// How long was observed between two moments, in nanoseconds.
    #[must_use]
    pub fn observed_ns(&self, from: u64, until: u64) -> u64 {
        let overlap =
            |(began, ended): &(u64, u64)| until.min(*ended).saturating_sub(from.max(*began));
        self.runs.iter().map(overlap).sum()
    }

    /// From when to when something was observed; `None` when nothing was.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        let from = self.runs.iter().map(|(from, _)| *from).min()?;
        let until = self.runs.iter().map(|(_, until)| *until).max()?;
        Some((from, until))
    }

    /// How many runs of an agent.
    #[must_use]
    pub const fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How far operations beyond IP were seen, where they were seen least.
    #[must_use]
    pub const fn beyond_ip(&self) -> BeyondIp {
        self.beyond_ip
    }

    /// Whether hooks of the sets that were chosen were not proven.
    #[must_use]
    pub const fn hooks_missing(&self) -> bool {
        self.hooks_missing
    }

    /// What was lost of these containers, and what may have been theirs.
    #[must_use]
    pub fn losses<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> (Losses, Losses) {
        let mut own = Losses::default();
        for losses in ids.into_iter().filter_map(|id| self.by_container.get(id)) {
            own.lost += losses.lost;
            own.suppressed += losses.suppressed;
        }
        (own, self.of_nobody)
    }

    /// Times in which nobody observed or what was told is not in the record.
    #[must_use]
    pub fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// How many more of them there were.
    #[must_use]
    pub const fn more_gaps(&self) -> u64 {
        self.more_gaps
    }
}
