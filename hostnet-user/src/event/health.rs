//! The agent about itself: start, stop, losses, the runtime's reachability.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Category, Outcome, Owner, Told};

/// Records of one owner and kind that were lost.
#[derive(Clone, Debug)]
pub struct LossCount {
    /// Whose; `None` when even that was lost.
    pub owner: Option<Arc<Owner>>,
    /// Kind of record, or name of the program that was not run.
    pub operation: String,
    /// How many.
    pub count: u64,
}

/// The same while only the owner's cgroup is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lost {
    /// Cgroup of the owner; `None` when even that was lost.
    pub cgroup: Option<u64>,
    /// Kind of record, or name of the program that was not run.
    pub operation: String,
    /// How many.
    pub count: u64,
}

/// What the agent tells of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Health {
    /// Observing, with this coverage of operations.
    Started { coverage: Value, complete: bool, settings: Value },
    /// No longer observing; how many events were told and records lost.
    Stopped { reason: String, events: u64, lost: u64 },
    /// Records were lost in `place` between two boot-clock times.
    #[serde(skip)]
    Lost { place: String, from_ns: u64, to_ns: u64, by: Vec<LossCount> },
    /// The container runtime answers.
    RuntimeReachable { endpoint: String, version: String },
    /// The container runtime does not answer; names will be late.
    RuntimeUnreachable { endpoint: String, reason: String },
    /// How the agent is, in numbers.
    Heartbeat { numbers: Value },
    /// A record could not be read; the kernel side and the agent disagree.
    Undecodable { reason: String, count: u64 },
}

impl Told for Health {
    fn operation(&self) -> &'static str {
        "health"
    }
    fn action(&self) -> &'static str {
        match self {
            Self::Started { .. } => "agent-started",
            Self::Stopped { .. } => "agent-stopped",
            Self::Lost { .. } => "records-lost",
            Self::RuntimeReachable { .. } => "runtime-reachable",
            Self::RuntimeUnreachable { .. } => "runtime-unreachable",
            Self::Heartbeat { .. } => "agent-heartbeat",
            Self::Undecodable { .. } => "records-undecodable",
        }
    }
    fn category(&self) -> Category {
        Category::Health
    }
    fn types(&self) -> &'static [&'static str] {
        match self {
            Self::Started { .. } => &["start"],
            Self::Stopped { .. } => &["end"],
            _ => &["info"],
        }
    }
    fn outcome(&self) -> Outcome {
        match self {
            Self::Started { complete: true, .. }
            | Self::Stopped { .. }
            | Self::Heartbeat { .. }
            | Self::RuntimeReachable { .. } => Outcome::Success,
            _ => Outcome::Failure(None),
        }
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { complete: true, .. } => {
                write!(f, "hostnet observes the host network namespace, every hook proven")
            }
            Self::Started { .. } => {
                write!(f, "hostnet observes the host network namespace, some hooks unproven")
            }
            Self::Stopped { reason, events, lost } => {
                write!(f, "hostnet stopped ({reason}): {events} events told, {lost} records lost")
            }
            Self::Lost { place, from_ns, to_ns, by } => {
                let count: u64 = by.iter().map(|loss| loss.count).sum();
                let seconds = to_ns.saturating_sub(*from_ns) as f64 / 1e9;
                write!(f, "{count} records lost in {seconds:.1} s ({place})")
            }
            Self::RuntimeReachable { endpoint, version } => {
                write!(f, "container runtime answers: {version} at {endpoint}")
            }
            Self::RuntimeUnreachable { endpoint, reason } => {
                write!(f, "container runtime at {endpoint} does not answer: {reason}")
            }
            Self::Heartbeat { numbers } => {
                let number = |path| numbers.pointer(path).and_then(Value::as_u64);
                let told = number("/told").unwrap_or_default();
                let lost = number("/lost_total").unwrap_or_default();
                write!(f, "hostnet observes: {told} events told, {lost} records lost")
            }
            Self::Undecodable { reason, count } => {
                write!(f, "{count} records could not be read: {reason}")
            }
        }
    }
}
