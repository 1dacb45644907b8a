//! The agent about itself: start, stop, losses, the runtime's reachability.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Action, Colour, Common, Documented, Field, FieldKind, Fitted, Info, LossCount, NotOurs,
    Outcome, Owner, Range, RecordHealth, RuleFault, Told, field,
    health_fields::{LossFields, LossOf, OwnOfHealth, said},
    total,
};

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
    /// Acts of an owner beyond its budget were counted instead of told, between two
    /// boot-clock times.
    #[serde(skip)]
    Suppressed { from_ns: u64, to_ns: u64, by: Vec<LossCount> },
    /// The programs went on between two boot-clock times while no agent read what they
    /// told; with how many records that nobody will, when they were another version's.
    Adopted { from_ns: u64, to_ns: u64, unread: Option<u64> },
    /// Hooks are no longer, or again, what the coverage statement said of them.
    CoverageChanged { coverage: Vec<Value>, complete: bool },
    /// Maps that the programs and the agent share were emptied by somebody.
    MapsWiped { maps: Vec<String> },
    /// These maps are full: should somebody empty them, it will not be noticed.
    MapsUnmarked { maps: Vec<String> },
    /// The agent itself stood still between two boot-clock times; what happened
    /// meanwhile waited in the ring.
    Stalled { from_ns: u64, to_ns: u64 },
    /// The container runtime answers.
    RuntimeReachable { endpoint: String, version: String },
    /// The container runtime does not answer; names will be late.
    RuntimeUnreachable { endpoint: String, reason: String },
    /// Of the user's rules so many are judged and others are not: `refused` faults, and
    /// the first of them.
    RulesRefused { judged: usize, refused: usize, faults: Vec<RuleFault> },
    /// The user's rules have no fault any more.
    RulesMended { judged: usize },
    /// How the agent is, in numbers.
    Heartbeat { numbers: Value },
    /// A record could not be read; the kernel side and the agent disagree.
    Undecodable { reason: String, count: u64 },
    /// The history, a sink or the run itself: how the record stands.
    Record(Box<RecordHealth>),
}

/// The most operations that the first event names; `hostnet doctor` lists all.
const MAX_NAMED: usize = 4;

/// `not seen on this kernel: errno of a refused bind, … (hostnet doctor lists them)`
fn unseen(f: &mut fmt::Formatter<'_>, coverage: &Value) -> fmt::Result {
    let mut operations: Vec<&str> = Vec::new();
    for row in coverage.as_array().into_iter().flatten() {
        let name = row["operation"].as_str().unwrap_or("?");
        // Both IP versions have a hook each.
        let name = name.trim_end_matches(", IPv4").trim_end_matches(", IPv6");
        if row["state"] != "proven" && row["set"] != "start" && !operations.contains(&name) {
            operations.push(name);
        }
    }
    let more = operations.len().saturating_sub(MAX_NAMED);
    operations.truncate(MAX_NAMED);
    write!(f, "not seen on this kernel: {}", operations.join("; "))?;
    if more > 0 {
        write!(f, "; and {more} more")?;
    }
    write!(f, " (hostnet doctor lists them)")
}

/// `5 operations of web counted but not shown: over its limit of events per second`
fn suppressed(f: &mut fmt::Formatter<'_>, by: &[LossCount]) -> fmt::Result {
    let mut owners: BTreeMap<&str, u64> = BTreeMap::new();
    for one in by {
        let label = one.owner.as_deref().map_or("unknown", Owner::label);
        let of_owner = owners.entry(label).or_default();
        *of_owner = total([*of_owner, one.count]);
    }
    const WHY: &str = "limit of observe.events_per_second";
    if let [(owner, count)] = owners.iter().collect::<Vec<_>>()[..] {
        write!(f, "{count} operations of {owner} counted but not shown: over its {WHY}")?;
        return match total(by.iter().map(|one| one.new)) {
            0 => Ok(()),
            new => write!(f, "; {new} of them were no repeats"),
        };
    }
    let count = total(owners.values().copied());
    write!(f, "{count} operations counted but not shown: over their owners' {WHY}")?;
    for (index, (owner, count)) in owners.iter().enumerate() {
        write!(f, "{}{owner} {count}", if index == 0 { ": " } else { ", " })?;
    }
    Ok(())
}

impl Told for Health {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others begin and end nothing")]
    fn info(&self) -> Info {
        Info::new(
            Self::OPERATIONS[0],
            match self {
                Self::Started { .. } => Action::AgentStarted,
                Self::Stopped { .. } => Action::AgentStopped,
                Self::Lost { .. } => Action::RecordsLost,
                Self::Suppressed { .. } => Action::RecordsSuppressed,
                Self::CoverageChanged { .. } => Action::CoverageChanged,
                Self::MapsWiped { .. } => Action::MapsWiped,
                Self::MapsUnmarked { .. } => Action::MapsUnmarked,
                Self::Stalled { .. } => Action::AgentStalled,
                Self::Adopted { unread: None, .. } => Action::ProgramsAdopted,
                Self::Adopted { .. } => Action::ProgramsReplaced,
                Self::RuntimeReachable { .. } => Action::RuntimeReachable,
                Self::RuntimeUnreachable { .. } => Action::RuntimeUnreachable,
                Self::RulesRefused { .. } => Action::RulesRefused,
                Self::RulesMended { .. } => Action::RulesMended,
                Self::Heartbeat { .. } => Action::AgentHeartbeat,
                Self::Undecodable { .. } => Action::RecordsUndecodable,
                Self::Record(record) => record.action(),
            },
            match self {
                Self::Started { .. } => &["start"],
                Self::Stopped { .. } => &["end"],
                _ => &["info"],
            },
            Colour::Dim,
        )
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are of one moment")]
    fn range(&self) -> Option<Range> {
        match self {
            Self::Lost { from_ns, to_ns, .. }
            | Self::Suppressed { from_ns, to_ns, .. }
            | Self::Adopted { from_ns, to_ns, .. }
            | Self::Stalled { from_ns, to_ns } => Some(Range::Boot(*from_ns, *to_ns)),
            Self::Record(record) => record.range(),
            _ => None,
        }
    }
    fn outcome(&self) -> Outcome {
        match self {
            Self::Started { complete: true, .. }
            | Self::Stopped { .. }
            | Self::CoverageChanged { complete: true, .. }
            | Self::Adopted { unread: None | Some(0), .. }
            | Self::RulesMended { .. }
            | Self::Heartbeat { .. }
            | Self::RuntimeReachable { .. } => Outcome::Success,
            Self::Record(record) => record.outcome(),
            Self::Started { .. }
            | Self::Lost { .. }
            | Self::Suppressed { .. }
            | Self::Adopted { .. }
            | Self::CoverageChanged { .. }
            | Self::MapsWiped { .. }
            | Self::MapsUnmarked { .. }
            | Self::Stalled { .. }
            | Self::RuntimeUnreachable { .. }
            | Self::RulesRefused { .. }
            | Self::Undecodable { .. } => Outcome::Failure(None),
        }
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { complete: true, .. } => {
                write!(f, "hostnet observes the host's network; every hook was proven")
            }
            Self::Started { coverage, .. } => {
                write!(f, "hostnet observes the host's network; ")?;
                unseen(f, coverage)
            }
            Self::Stopped { reason, events, lost } => {
                write!(
                    f,
                    "hostnet stopped ({reason}): {events} events written, {lost} records lost"
                )
            }
            Self::Lost { place, from_ns, to_ns, by } => {
                let count = total(by.iter().map(|loss| loss.count));
                let seconds = to_ns.saturating_sub(*from_ns) as f64 / 1e9;
                write!(f, "{count} records lost in {seconds:.1} s ({place})")
            }
            Self::Suppressed { by, .. } => suppressed(f, by),
            Self::CoverageChanged { coverage, .. } => {
                let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("?").to_owned();
                write!(f, "coverage changed:")?;
                coverage.iter().try_for_each(|row| {
                    write!(f, " {} is {}", text(row, "hook"), text(row, "state"))?;
                    row["reason"].as_str().map_or(Ok(()), |reason| write!(f, " ({reason})"))
                })
            }
            Self::MapsWiped { maps } => {
                write!(
                    f,
                    "the maps of hostnet's eBPF programs were emptied by another program: {}",
                    maps.join(", ")
                )
            }
            Self::MapsUnmarked { maps } => {
                write!(
                    f,
                    "maps of hostnet's eBPF programs are full ({}): what they should hold is missing, \
                     and hostnet cannot notice whether another program empties them",
                    maps.join(", ")
                )
            }
            Self::Stalled { from_ns, to_ns } => {
                let seconds = to_ns.saturating_sub(*from_ns) as f64 / 1e9;
                write!(
                    f,
                    "hostnet did not run for {seconds:.1} s: it was stopped or got no processor time"
                )
            }
            Self::Adopted { from_ns, to_ns, unread } => {
                let seconds = to_ns.saturating_sub(*from_ns) as f64 / 1e9;
                write!(f, "no agent ran for {seconds:.1} s; ")?;
                match unread {
                    None => write!(f, "the pinned programs went on, and what they saw follows"),
                    Some(count) => write!(
                        f,
                        "{count} records of the pinned programs are lost: another version made them"
                    ),
                }
            }
            Self::RuntimeReachable { endpoint, version } => {
                write!(f, "container runtime answers: {version} at {endpoint}")
            }
            Self::RuntimeUnreachable { endpoint, reason } => {
                write!(f, "container runtime at {endpoint} does not answer: {reason}")
            }
            Self::RulesRefused { judged, refused, faults } => {
                write!(f, "{refused} faults in rule files, {judged} rules in use")?;
                faults.first().map_or(Ok(()), |first| write!(f, ": {first}"))
            }
            Self::RulesMended { judged } => {
                write!(f, "rule files have no faults any more, {judged} rules in use")
            }
            Self::Heartbeat { numbers } => {
                let number = |path| numbers.pointer(path).and_then(Value::as_u64);
                let told = number("/told").unwrap_or_default();
                let lost = number("/lost_total").unwrap_or_default();
                write!(
                    f,
                    "hostnet observes the host's network: {told} events written, {lost} records lost"
                )
            }
            Self::Undecodable { reason, count } => {
                write!(f, "{count} records could not be read: {reason}")
            }
            Self::Record(record) => record.sentence(f),
        }
    }
}

impl Documented for Health {
    const OPERATIONS: &'static [&'static str] = &["health"];
    const FIELDS: &'static [&'static [Field]] = &[HEALTH, LossFields::ROWS, LossOf::ROWS];
    type Own<'a> = OwnOfHealth<'a>;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfHealth<'a> {
        match self {
            Self::Lost { place, by, .. } => OwnOfHealth::of_loss(Some(LossFields::by(place, by))),
            Self::Suppressed { by, .. } => {
                OwnOfHealth::of_loss(Some(LossFields::by("kernel-budget", by)))
            }
            Self::Undecodable { reason, count } => {
                OwnOfHealth::of_loss(Some(LossFields::of("decode", *count, Some(reason))))
            }
            Self::Stalled { .. } => OwnOfHealth::of_loss(None),
            Self::Heartbeat { numbers } => {
                OwnOfHealth { health: Some(numbers.clone()), loss: None }
            }
            Self::Record(record) => record.own(),
            Self::Adopted { unread, .. } => {
                OwnOfHealth::of(Map::from_iter([("unread".to_owned(), (*unread).into())]))
            }
            Self::Started { .. }
            | Self::Stopped { .. }
            | Self::CoverageChanged { .. }
            | Self::MapsWiped { .. }
            | Self::MapsUnmarked { .. }
            | Self::RuntimeReachable { .. }
            | Self::RuntimeUnreachable { .. }
            | Self::RulesRefused { .. }
            | Self::RulesMended { .. } => OwnOfHealth::of(said(self)),
        }
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are the record's")]
    fn read(own: OwnOfHealth<'_>, common: &Common<'_>) -> Result<Self, NotOurs> {
        let action = common.action.ok_or_else(|| NotOurs::of_kind(common.action_name))?;
        let variant = match action {
            Action::AgentStarted => "Started",
            Action::AgentStopped => "Stopped",
            Action::CoverageChanged => "CoverageChanged",
            Action::MapsWiped => "MapsWiped",
            Action::MapsUnmarked => "MapsUnmarked",
            Action::RuntimeReachable => "RuntimeReachable",
            Action::RuntimeUnreachable => "RuntimeUnreachable",
            Action::RulesRefused => "RulesRefused",
            Action::RulesMended => "RulesMended",
            Action::RecordsLost => {
                let (from_ns, to_ns) = common.boot_range()?;
                let loss = own.loss()?;
                let place = loss.place.clone().into_owned();
                return Ok(Self::Lost { place, from_ns, to_ns, by: loss.counts() });
            }
            Action::RecordsSuppressed => {
                let (from_ns, to_ns) = common.boot_range()?;
                return Ok(Self::Suppressed { from_ns, to_ns, by: own.loss()?.counts() });
            }
            Action::RecordsUndecodable => {
                let LossFields { reason, count, .. } = own.loss()?;
                let reason = reason.unwrap_or_default().into_owned();
                return Ok(Self::Undecodable { reason, count });
            }
            Action::AgentStalled => {
                let (from_ns, to_ns) = common.boot_range()?;
                return Ok(Self::Stalled { from_ns, to_ns });
            }
            Action::ProgramsAdopted | Action::ProgramsReplaced => {
                let (from_ns, to_ns) = common.boot_range()?;
                let range = [("from_ns", from_ns.into()), ("to_ns", to_ns.into())];
                return own.read("Adopted", range);
            }
            Action::AgentHeartbeat => {
                let numbers = own.health.ok_or_else(|| NotOurs::missing("hostnet.health"))?;
                return Ok(Self::Heartbeat { numbers });
            }
            other => return RecordHealth::read(other, own, common).map(Box::new).map(Self::Record),
        };
        own.read(variant, [])
    }
}

const HEALTH: &[Field] = &[field(
    "health",
    FieldKind::Free,
    "Of the agent: coverage and settings at start, counts at stop, the runtime's endpoint, the \
     numbers of a heartbeat (as in /metrics), what is wrong with which rule (`faults`: file, \
     line, reason); of the record: docs/history.md.",
)];
