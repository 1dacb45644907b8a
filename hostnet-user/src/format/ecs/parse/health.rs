//! What the agent told of itself.

use std::sync::Arc;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    NotOurs,
    document::{Document, nanoseconds, summable},
    part,
    who::{CgroupFields, ContainerFields, named},
};
use crate::event::{
    Action, Cgroup, Health, LossCount, Owner, OwnerKind, Purge, RecordHealth, RuleFault,
};

#[derive(Deserialize)]
struct Started {
    coverage: Value,
    complete: bool,
    settings: Value,
}

#[derive(Deserialize)]
struct Stopped {
    reason: String,
    events: u64,
    lost: u64,
}

#[derive(Deserialize)]
struct CoverageChanged {
    coverage: Vec<Value>,
    complete: bool,
}

#[derive(Deserialize)]
struct MapsWiped {
    maps: Vec<String>,
}

#[derive(Deserialize)]
struct Adopted {
    unread: Option<u64>,
}

#[derive(Deserialize)]
struct Runtime {
    endpoint: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct UserRules {
    judged: usize,
    #[serde(default)]
    refused: usize,
    #[serde(default)]
    faults: Vec<RuleFault>,
}

#[derive(Deserialize)]
struct History {
    path: String,
    #[serde(default)]
    reason: String,
    set_aside: Option<String>,
    #[serde(default)]
    failed_ns: u64,
}

#[derive(Deserialize)]
struct Purged {
    first: u64,
    last: u64,
    hash: String,
    until: String,
    reason: String,
}

#[derive(Deserialize)]
struct SinkFields {
    sink: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    waiting: u64,
    #[serde(default)]
    failed_ns: u64,
    #[serde(default)]
    dropped: u64,
    #[serde(default)]
    refused: u64,
}

#[derive(Deserialize)]
struct Crashed {
    run: String,
    sequence: u64,
}

#[derive(Deserialize)]
struct ClockStepped {
    by_ns: i64,
}

/// `hostnet.loss`.
#[derive(Deserialize)]
struct Loss<'a> {
    place: String,
    count: u64,
    #[serde(default)]
    reason: String,
    #[serde(borrow, default)]
    by: Vec<LossOf<'a>>,
}

#[derive(Deserialize)]
struct LossOf<'a> {
    operation: String,
    count: u64,
    #[serde(default)]
    new: u64,
    owner: Option<String>,
    #[serde(borrow)]
    cgroup: Option<CgroupFields<'a>>,
    #[serde(borrow)]
    container: Option<ContainerFields<'a>>,
}

/// What a document of the agent about itself says.
pub fn health(document: &Document<'_>) -> Result<Health, NotOurs> {
    let Some(action) = Action::from_name(&document.event.action) else {
        return Err(NotOurs::of_kind(&document.event.action));
    };
    Ok(match action {
        Action::AgentStarted => {
            let Started { coverage, complete, settings } = fields(document)?;
            Health::Started { coverage, complete, settings }
        }
        Action::AgentStopped => {
            let Stopped { reason, events, lost } = fields(document)?;
            Health::Stopped { reason, events, lost }
        }
        Action::RecordsLost => {
            let (from_ns, to_ns) = boot_range(document)?;
            let Loss { place, by, .. } = loss(document)?;
            Health::Lost { place, from_ns, to_ns, by: counts(by) }
        }
        Action::RecordsSuppressed => {
            let (from_ns, to_ns) = boot_range(document)?;
            Health::Suppressed { from_ns, to_ns, by: counts(loss(document)?.by) }
        }
        Action::RecordsUndecodable => {
            let Loss { reason, count, .. } = loss(document)?;
            Health::Undecodable { reason, count }
        }
        Action::CoverageChanged => {
            let CoverageChanged { coverage, complete } = fields(document)?;
            Health::CoverageChanged { coverage, complete }
        }
        Action::MapsWiped => {
            let MapsWiped { maps } = fields(document)?;
            Health::MapsWiped { maps }
        }
        Action::MapsUnmarked => {
            let MapsWiped { maps } = fields(document)?;
            Health::MapsUnmarked { maps }
        }
        Action::AgentStalled => {
            let (from_ns, to_ns) = boot_range(document)?;
            Health::Stalled { from_ns, to_ns }
        }
        Action::ProgramsAdopted | Action::ProgramsReplaced => {
            let (from_ns, to_ns) = boot_range(document)?;
            let Adopted { unread } = fields(document)?;
            Health::Adopted { from_ns, to_ns, unread }
        }
        Action::RuntimeReachable => {
            let Runtime { endpoint, version, .. } = fields(document)?;
            Health::RuntimeReachable { endpoint, version }
        }
        Action::RuntimeUnreachable => {
            let Runtime { endpoint, reason, .. } = fields(document)?;
            Health::RuntimeUnreachable { endpoint, reason }
        }
        Action::RulesRefused => {
            let UserRules { judged, refused, faults } = fields(document)?;
            Health::RulesRefused { judged, refused, faults }
        }
        Action::RulesMended => {
            let UserRules { judged, .. } = fields(document)?;
            Health::RulesMended { judged }
        }
        Action::AgentHeartbeat => Health::Heartbeat { numbers: fields(document)? },
        _ => Health::Record(Box::new(record(action, document)?)),
    })
}

/// What the record told of itself.
fn record(action: Action, document: &Document<'_>) -> Result<RecordHealth, NotOurs> {
    Ok(match action {
        Action::HistoryFailed => {
            let History { path, reason, set_aside, .. } = fields(document)?;
            RecordHealth::HistoryFailed { path, reason, set_aside }
        }
        Action::HistoryRecovered => {
            let History { path, failed_ns, .. } = fields(document)?;
            // Nothing is said of a loss where there was none.
            let loss: Option<Loss<'_>> = part("hostnet.loss", document.hostnet.loss)?;
            let given_up = loss.map_or(0, |loss| loss.count);
            RecordHealth::HistoryRecovered { path, failed_ns, given_up }
        }
        Action::HistoryPurged => {
            let Purged { first, last, hash, until, reason } = fields(document)?;
            let until_ns = nanoseconds("hostnet.health.until", &until)?;
            RecordHealth::HistoryPurged(Purge { first, last, hash, until_ns, reason })
        }
        Action::ChainCheckpoint => RecordHealth::Checkpoint(fields(document)?),
        Action::SinkFailing => {
            let SinkFields { sink, reason, waiting, .. } = fields(document)?;
            RecordHealth::SinkFailing { sink, reason, waiting }
        }
        Action::SinkRecovered => {
            let SinkFields { sink, waiting, failed_ns, .. } = fields(document)?;
            RecordHealth::SinkRecovered { sink, waiting, failed_ns }
        }
        Action::SinkDropped => {
            let SinkFields { sink, dropped, refused, .. } = fields(document)?;
            let reason = loss(document)?.reason;
            summable("hostnet.health.dropped", [dropped, refused])?;
            RecordHealth::SinkDropped { sink, dropped, refused, reason }
        }
        Action::AgentCrashed => {
            let Crashed { run, sequence } = fields(document)?;
            let (last_ns, found_ns) = range(document)?;
            RecordHealth::Crashed { run, sequence, last_ns, found_ns }
        }
        Action::ClockStepped => {
            let ClockStepped { by_ns } = fields(document)?;
            RecordHealth::ClockStepped { by_ns }
        }
        _ => return Err(NotOurs::of_kind(action.name())),
    })
}

/// `hostnet.health`.
fn fields<T: DeserializeOwned>(document: &Document<'_>) -> Result<T, NotOurs> {
    part("hostnet.health", document.hostnet.health)?
        .ok_or_else(|| NotOurs::missing("hostnet.health"))
}

fn loss<'a>(document: &Document<'a>) -> Result<Loss<'a>, NotOurs> {
    let loss: Option<Loss<'_>> = part("hostnet.loss", document.hostnet.loss)?;
    let loss = loss.ok_or_else(|| NotOurs::missing("hostnet.loss"))?;
    summable("hostnet.loss.by.count", loss.by.iter().map(|one| one.count))?;
    Ok(loss)
}

/// From when to when, by the wall clock.
fn range(document: &Document<'_>) -> Result<(u64, u64), NotOurs> {
    let event = &document.event;
    let time = |field, text: Option<&str>| {
        nanoseconds(field, text.ok_or_else(|| NotOurs::missing(field))?)
    };
    Ok((time("event.start", event.start.as_deref())?, time("event.end", event.end.as_deref())?))
}

/// The same by the boot clock.
fn boot_range(document: &Document<'_>) -> Result<(u64, u64), NotOurs> {
    let now_ns = nanoseconds("@timestamp", &document.timestamp)?;
    let boot_ns = document.hostnet.time.boot_ns;
    let boot = |wall_ns: u64| boot_ns.saturating_sub(now_ns.saturating_sub(wall_ns));
    let (start, end) = range(document)?;
    Ok((boot(start), boot(end)))
}

fn counts(by: Vec<LossOf<'_>>) -> Vec<LossCount> {
    by.into_iter()
        .map(|one| {
            let owner = one.owner.as_deref().map(|label| owner(&one, label));
            LossCount { owner, operation: one.operation, count: one.count, new: one.new }
        })
        .collect()
}

/// Whoever has that label.
fn owner(loss: &LossOf<'_>, label: &str) -> Arc<Owner> {
    let kind = match (&loss.container, label) {
        (Some(_), _) => OwnerKind::Container,
        (None, "host") => OwnerKind::Host,
        (None, "container-unknown") => OwnerKind::ContainerUnknown,
        (None, _) => OwnerKind::Unknown,
    };
    let cgroup = loss.cgroup.as_ref().map(Cgroup::from);
    named(kind, loss.container.as_ref(), cgroup)
}
