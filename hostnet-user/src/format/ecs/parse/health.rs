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
use crate::{
    event::{Cgroup, Health, LossCount, Owner, OwnerKind, RecordHealth},
    judge::sigma::RuleFault,
    record::{Purge, checkpoint},
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
    Ok(match &*document.event.action {
        "agent-started" => {
            let Started { coverage, complete, settings } = fields(document)?;
            Health::Started { coverage, complete, settings }
        }
        "agent-stopped" => {
            let Stopped { reason, events, lost } = fields(document)?;
            Health::Stopped { reason, events, lost }
        }
        "records-lost" => {
            let (from_ns, to_ns) = boot_range(document)?;
            let Loss { place, by, .. } = loss(document)?;
            Health::Lost { place, from_ns, to_ns, by: counts(by) }
        }
        "records-suppressed" => {
            let (from_ns, to_ns) = boot_range(document)?;
            Health::Suppressed { from_ns, to_ns, by: counts(loss(document)?.by) }
        }
        "records-undecodable" => {
            let Loss { reason, count, .. } = loss(document)?;
            Health::Undecodable { reason, count }
        }
        "coverage-changed" => {
            let CoverageChanged { coverage, complete } = fields(document)?;
            Health::CoverageChanged { coverage, complete }
        }
        "maps-wiped" => {
            let MapsWiped { maps } = fields(document)?;
            Health::MapsWiped { maps }
        }
        "maps-unmarked" => {
            let MapsWiped { maps } = fields(document)?;
            Health::MapsUnmarked { maps }
        }
        "agent-stalled" => {
            let (from_ns, to_ns) = boot_range(document)?;
            Health::Stalled { from_ns, to_ns }
        }
        "programs-adopted" | "programs-replaced" => {
            let (from_ns, to_ns) = boot_range(document)?;
            let Adopted { unread } = fields(document)?;
            Health::Adopted { from_ns, to_ns, unread }
        }
        "runtime-reachable" => {
            let Runtime { endpoint, version, .. } = fields(document)?;
            Health::RuntimeReachable { endpoint, version }
        }
        "runtime-unreachable" => {
            let Runtime { endpoint, reason, .. } = fields(document)?;
            Health::RuntimeUnreachable { endpoint, reason }
        }
        "rules-refused" => {
            let UserRules { judged, refused, faults } = fields(document)?;
            Health::RulesRefused { judged, refused, faults }
        }
        "rules-mended" => {
            let UserRules { judged, .. } = fields(document)?;
            Health::RulesMended { judged }
        }
        "agent-heartbeat" => Health::Heartbeat { numbers: fields(document)? },
        _ => Health::Record(Box::new(record(document)?)),
    })
}

/// What the record told of itself.
fn record(document: &Document<'_>) -> Result<RecordHealth, NotOurs> {
    Ok(match &*document.event.action {
        "history-failed" => {
            let History { path, reason, set_aside, .. } = fields(document)?;
            RecordHealth::HistoryFailed { path, reason, set_aside }
        }
        "history-recovered" => {
            let History { path, failed_ns, .. } = fields(document)?;
            // Nothing is said of a loss where there was none.
            let loss: Option<Loss<'_>> = part("hostnet.loss", document.hostnet.loss)?;
            let given_up = loss.map_or(0, |loss| loss.count);
            RecordHealth::HistoryRecovered { path, failed_ns, given_up }
        }
        "history-purged" => {
            let Purged { first, last, hash, until, reason } = fields(document)?;
            let until_ns = nanoseconds("hostnet.health.until", &until)?;
            RecordHealth::HistoryPurged(Purge { first, last, hash, until_ns, reason })
        }
        checkpoint::ACTION => RecordHealth::Checkpoint(fields(document)?),
        "sink-failing" => {
            let SinkFields { sink, reason, waiting, .. } = fields(document)?;
            RecordHealth::SinkFailing { sink, reason, waiting }
        }
        "sink-recovered" => {
            let SinkFields { sink, waiting, failed_ns, .. } = fields(document)?;
            RecordHealth::SinkRecovered { sink, waiting, failed_ns }
        }
        "sink-dropped" => {
            let SinkFields { sink, dropped, refused, .. } = fields(document)?;
            let reason = loss(document)?.reason;
            summable("hostnet.health.dropped", [dropped, refused])?;
            RecordHealth::SinkDropped { sink, dropped, refused, reason }
        }
        "agent-crashed" => {
            let Crashed { run, sequence } = fields(document)?;
            let (last_ns, found_ns) = range(document)?;
            RecordHealth::Crashed { run, sequence, last_ns, found_ns }
        }
        "clock-stepped" => {
            let ClockStepped { by_ns } = fields(document)?;
            RecordHealth::ClockStepped { by_ns }
        }
        action => {
            let action = action.chars().take(super::LONGEST_REASON).collect();
            return Err(NotOurs::UnknownKind { action });
        }
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
