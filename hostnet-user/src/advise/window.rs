//! How well was looked: when an agent observed, how far the kernel let it, and what it
//! lost. A verdict may claim no more than this allows.

use std::collections::HashMap;

use hostnet_abi::Hook;
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

/// Something that is missing, and when: nanoseconds since 1970.
#[derive(Clone, Debug)]
struct Gap {
    from_ns: u64,
    until_ns: u64,
    says: String,
}

/// What was lost, nobody knows whose, and when that was told.
#[derive(Clone, Copy, Debug)]
struct LostAt {
    told_ns: u64,
    losses: Losses,
}

/// The time that was looked at, of all containers.
#[derive(Clone, Debug)]
pub struct Window {
    /// When each run of an agent observed: from and until, nanoseconds since 1970.
    runs: Vec<(u64, u64)>,
    beyond_ip: BeyondIp,
    hooks_missing: bool,
    /// Whether every run saw multicast groups joined; `None` without a run.
    groups_joined: Option<bool>,
    by_container: HashMap<String, Losses>,
    of_nobody: Vec<LostAt>,
    gaps: Vec<Gap>,
    is_running: bool,
}

/// Most gaps and losses told apart; more are added to the last.
const MOST_GAPS: usize = 1 << 10;
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
            groups_joined: None,
            by_container: HashMap::new(),
            of_nobody: Vec::new(),
            gaps: Vec::new(),
            is_running: false,
        }
    }
}

impl Window {
    /// Notes what the event says of the observation.
    pub fn take(&mut self, event: &Event) {
        let now = event.wall_ns;
        let Operation::Health(health) = &event.operation else { return self.observed(now) };
        if let Health::Started { coverage, .. } = health {
            self.covered(coverage);
            return self.began(now);
        }
        self.observed(now);
        match health {
            Health::Stopped { .. } => self.is_running = false,
            Health::CoverageChanged { complete: false, .. }
            | Health::MapsWiped { .. }
            | Health::MapsUnmarked { .. }
            | Health::Undecodable { .. }
            | Health::Adopted { unread: Some(1..), .. } => {
                self.gap(now, now, event.operation.to_string());
            }
            // The programs went on, and what they told is in the record.
            Health::Adopted { .. } => self.went_on(),
            Health::Lost { by, .. } => self.count(now, by, |losses| &mut losses.lost),
            Health::Suppressed { by, .. } => self.count(now, by, |losses| &mut losses.suppressed),
            Health::Record(record) => match &**record {
                RecordHealth::HistoryRecovered { given_up: 1.., failed_ns, .. } => {
                    let from = now.saturating_sub(*failed_ns);
                    self.gap(from, now, event.operation.to_string());
                }
                RecordHealth::HistoryFailed { .. } => {
                    self.gap(now, now, event.operation.to_string());
                }
                // That a run crashed shows as time without an agent.
                RecordHealth::HistoryRecovered { .. }
                | RecordHealth::HistoryPurged(_)
                | RecordHealth::Checkpoint(_)
                | RecordHealth::SinkFailing { .. }
                | RecordHealth::SinkRecovered { .. }
                | RecordHealth::SinkDropped { .. }
                | RecordHealth::Crashed { .. }
                | RecordHealth::ClockStepped { .. } => {}
            },
            Health::Started { .. }
            | Health::CoverageChanged { .. }
            | Health::Stalled { .. }
            | Health::RuntimeReachable { .. }
            | Health::RuntimeUnreachable { .. }
            | Health::RulesRefused { .. }
            | Health::RulesMended { .. }
            | Health::Heartbeat { .. } => {}
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
        let joins = [Hook::IpMcJoinGroup, Hook::Ipv6SockMcJoin].map(Hook::attach_point);
        let sees = joins
            .iter()
            .all(|at| rows.iter().any(|row| row["hook"] == *at && is(row, &["proven"])));
        self.groups_joined = Some(sees && self.groups_joined != Some(false));
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
        if let Some((_, until)) = self.runs.last().copied()
            && now > until
        {
            let seconds = (now - until) as f64 / 1e9;
            self.gap(until, now, format!("no agent observed for {seconds:.1} s"));
        }
        if self.runs.len() < MOST_RUNS {
            self.runs.push((now, now));
        }
        self.is_running = true;
    }

    /// The last two runs are as good as one.
    fn went_on(&mut self) {
        if let [.., (_, before), (from, _)] = self.runs.as_mut_slice() {
            let (left, began) = (*before, *from);
            *from = left;
            self.gaps.retain(|gap| (gap.from_ns, gap.until_ns) != (left, began));
        }
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

    fn gap(&mut self, from_ns: u64, until_ns: u64, says: String) {
        if self.gaps.len() < MOST_GAPS {
            self.gaps.push(Gap { from_ns, until_ns, says });
        } else if let Some(last) = self.gaps.last_mut() {
            last.until_ns = last.until_ns.max(until_ns);
            "more gaps than are told apart".clone_into(&mut last.says);
        }
    }

    fn count(&mut self, now: u64, by: &[LossCount], which: fn(&mut Losses) -> &mut u64) {
        for loss in by {
            let owner = loss.owner.as_deref();
            match owner.and_then(|owner| owner.container_id.as_ref()) {
                Some(id) if self.by_container.len() < MOST_CONTAINERS => {
                    let losses = self.by_container.entry(id.clone()).or_default();
                    *which(losses) = which(losses).saturating_add(loss.count);
                }
                // Lost acts of the host's are no container's.
                None if owner.is_some_and(|owner| owner.kind == OwnerKind::Host) => {}
                _ => {
                    if self.of_nobody.len() < MOST_GAPS {
                        self.of_nobody.push(LostAt { told_ns: now, losses: Losses::default() });
                    }
                    if let Some(last) = self.of_nobody.last_mut() {
                        let losses = &mut last.losses;
                        *which(losses) = which(losses).saturating_add(loss.count);
                        last.told_ns = now;
                    }
                }
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

    /// Whether a socket that joined a multicast group was always told of.
    #[must_use]
    pub fn sees_groups_joined(&self) -> bool {
        self.groups_joined == Some(true)
    }

    /// Whether hooks of the sets that were chosen were not proven.
    #[must_use]
    pub const fn hooks_missing(&self) -> bool {
        self.hooks_missing
    }

    /// What was lost of these containers, and in these times, nobody knows whose.
    #[must_use]
    pub fn losses<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a String>,
        times: &[(u64, u64)],
    ) -> (Losses, Losses) {
        let own = ids.into_iter().filter_map(|id| self.by_container.get(id));
        // It is told within seconds of the loss.
        let is_then = |told: u64| {
            times.iter().any(|(from, until)| *from <= told && told <= until.saturating_add(LATE_NS))
        };
        let nobody = self.of_nobody.iter().filter(|lost| is_then(lost.told_ns));
        (sum(own), sum(nobody.map(|lost| &lost.losses)))
    }

    /// What is missing of these times.
    #[must_use]
    pub fn gaps(&self, times: &[(u64, u64)]) -> Vec<String> {
        let is_then = |gap: &&Gap| {
            times.iter().any(|(from, until)| *from <= gap.until_ns && gap.from_ns <= *until)
        };
        self.gaps.iter().filter(is_then).map(|gap| gap.says.clone()).collect()
    }

    /// When who was seen last at this moment, and not gone, was there until at least:
    /// a later run would have told of it.
    #[must_use]
    pub fn there_until(&self, last_ns: u64) -> u64 {
        let later = |(from, _): &&(u64, u64)| *from > last_ns;
        let before = self.runs.iter().take_while(|run| !later(run));
        before.last().map_or(last_ns, |(_, until)| (*until).max(last_ns))
    }
}

/// How long after a loss it may be told.
const LATE_NS: u64 = 60_000_000_000;

fn sum<'a>(all: impl Iterator<Item = &'a Losses>) -> Losses {
    all.fold(Losses::default(), |sum, one| Losses {
        lost: sum.lost.saturating_add(one.lost),
        suppressed: sum.suppressed.saturating_add(one.suppressed),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        event::{Action, Told as _},
        format::ecs::parse::tests::samples,
    };

    /// Who chooses events by their actions misses none that is looked at.
    #[test]
    fn no_other_event_of_the_agent_tells_anything() {
        let mut telling = BTreeSet::new();
        for event in samples::all() {
            let Operation::Health(health) = &event.operation else { continue };
            let mut window = Window::default();
            window.observed(event.wall_ns);
            let before = format!("{window:?}");
            window.take(&event);
            if format!("{window:?}") != before {
                telling.insert(health.action().name());
            }
        }
        let stated: BTreeSet<&str> =
            Action::that(Action::is_of_observation).map(Action::name).collect();
        assert!(telling.is_subset(&stated), "{telling:?}");
        // That the programs went on tells something only after two runs, and a crash shows
        // as time without an agent.
        let unshown: Vec<_> = stated.difference(&telling).copied().collect();
        let expected = [Action::AgentCrashed, Action::ProgramsAdopted].map(Action::name);
        assert_eq!(unshown, expected);
    }
}
