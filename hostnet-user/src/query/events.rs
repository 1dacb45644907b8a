//! Events themselves: all that are meant, those around a moment, and findings.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value as Json;

use super::{
    Answer, Filter, History, Moment, Time,
    filter::{Condition, IS_FINDING, IS_RARE, are_rare},
    history::{COLUMNS, Event},
};
use crate::{
    event::Action,
    format::{Kind, ecs::read::Side},
};

/// One event, in short.
#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    /// When it happened.
    pub time: Time,
    /// Its place in the history.
    pub id: u64,
    /// `event.id`.
    pub event_id: String,
    /// `event.dataset`.
    pub dataset: String,
    /// `event.action`.
    pub action: String,
    /// `event.outcome`.
    pub outcome: String,
    /// Name of the container, or `host`.
    pub container: String,
    /// Its full id.
    pub container_id: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// Name of the process.
    pub process: Option<String>,
    /// Its id on the host.
    pub pid: Option<u32>,
    /// The same for one process of one boot of one host, and for no other.
    pub entity_id: Option<String>,
    /// Protocol of the socket.
    pub protocol: Option<String>,
    /// Local end.
    pub local: Option<String>,
    /// Remote end.
    pub remote: Option<String>,
    /// Who is at the other end, when that is this host.
    pub peer: Option<String>,
    /// The event as a sentence.
    pub message: String,
    /// The document as it was kept.
    #[serde(skip)]
    pub document: String,
}

impl Answer for EventRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("time", "TIME"),
        ("container", "CONTAINER"),
        ("process", "PROCESS"),
        ("pid", "PID"),
        ("action", "ACTION"),
        ("outcome", "OUTCOME"),
        ("message", "MESSAGE"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let action = Action::from_name(&self.action);
        let kind = action.map_or(self.action.as_str(), |action| Kind::of_action(action).caption);
        vec![Moment::new(self.time, kind, self.message.clone())]
    }
}

impl EventRow {
    fn of(event: Event) -> Self {
        let Event { id, time, owner, document, read, .. } = event;
        let container = read.container.label().map_or(owner, str::to_owned);
        let socket = &read.hostnet.socket;
        Self {
            time,
            id,
            event_id: read.event.id,
            dataset: read.event.dataset,
            action: read.event.action,
            outcome: read.event.outcome,
            container,
            image: read.container.image(),
            container_id: read.container.id,
            process: read.process.name,
            pid: read.process.pid,
            entity_id: read.process.entity_id,
            protocol: socket.cookie.map(|_| socket.protocol.clone()),
            local: read.hostnet.local.as_ref().and_then(end),
            remote: read.hostnet.remote.as_ref().and_then(end),
            peer: read.hostnet.peer.as_ref().map(|peer| peer.label()),
            message: read.message,
            document,
        }
    }
}

/// An end as text: `127.0.0.1:80`, `[::1]:80`, or a name.
pub(super) fn end(side: &Side) -> Option<String> {
    match (&side.ip, side.port) {
        (Some(ip), Some(port)) if ip.contains(':') => Some(format!("[{ip}]:{port}")),
        (Some(ip), Some(port)) => Some(format!("{ip}:{port}")),
        (Some(ip), None) => Some(ip.clone()),
        (None, _) => side.name.clone(),
    }
}

/// Hands every event that is meant to `take`, in the order in which they happened.
///
/// # Errors
/// When the history cannot be read or has nobody like that, or `take` fails.
pub fn events(
    history: &History,
    filter: &Filter,
    mut take: impl FnMut(EventRow) -> Result<()>,
) -> Result<()> {
    let mut condition = Condition::default();
    condition.time(filter);
    if let Some(owners) = filter.owners(history)? {
        condition.one_of("e.owner", owners.iter().map(String::as_str));
    }
    if !filter.actions.is_empty() {
        condition.one_of("e.action", filter.actions.iter().map(String::as_str));
        if are_rare(filter.actions.iter().map(String::as_str)) {
            condition.plain(IS_RARE);
        }
    }
    each(history, &condition, filter, |event| take(EventRow::of(event)))
}

/// The events of which a condition is true and that the filter's process did.
fn each(
    history: &History,
    condition: &Condition,
    filter: &Filter,
    mut take: impl FnMut(Event) -> Result<()>,
) -> Result<()> {
    let question =
        format!("SELECT {COLUMNS} FROM event e WHERE {} ORDER BY e.time_ns, e.id", condition.sql());
    let mut left = filter.most();
    if left == 0 {
        return Ok(());
    }
    history.each(&question, &condition.values, |event| {
        if filter.is_of_process(&event) {
            take(event)?;
            left -= 1;
        }
        Ok(left > 0)
    })
}

/// What happened within `within_ns` of a moment, before and after.
///
/// # Errors
/// As [`events`].
pub fn around(
    history: &History,
    at: Time,
    within_ns: i64,
    filter: &Filter,
    take: impl FnMut(EventRow) -> Result<()>,
) -> Result<()> {
    let (since, until) = (Some(at.before(within_ns)), Some(at.after(within_ns)));
    events(history, &Filter { since, until, ..filter.clone() }, take)
}

/// Something that should not be.
#[derive(Clone, Debug, Serialize)]
pub struct FindingRow {
    /// When it happened.
    pub time: Time,
    /// `rule.id`, or the action of a finding that has no rule.
    pub rule_id: String,
    /// `rule.name`.
    pub rule: Option<String>,
    /// `event.severity`.
    pub severity: Option<u64>,
    /// MITRE ATT&CK techniques, separated by blanks.
    pub technique: Option<String>,
    /// Name of the container, or `host`.
    pub container: String,
    /// Its full id.
    pub container_id: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// Name of the process.
    pub process: Option<String>,
    /// Its id on the host.
    pub pid: Option<u32>,
    /// Remote end.
    pub remote: Option<String>,
    /// Who is there, when that is this host.
    pub peer: Option<String>,
    /// The finding as a sentence.
    pub message: String,
    /// `event.id`.
    pub event_id: String,
    /// `hostnet.finding` as JSON.
    pub finding: Option<String>,
}

impl Answer for FindingRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("time", "TIME"),
        ("severity", "SEVERITY"),
        ("rule_id", "RULE"),
        ("technique", "TECHNIQUE"),
        ("container", "CONTAINER"),
        ("process", "PROCESS"),
        ("message", "MESSAGE"),
    ];

    fn moments(&self) -> Vec<Moment> {
        vec![Moment::new(self.time, "Finding", self.message.clone())]
    }
}

/// The findings that are meant.
///
/// # Errors
/// When the history cannot be read, or has nobody like that.
pub fn findings(history: &History, filter: &Filter) -> Result<Vec<FindingRow>> {
    let mut condition = Condition::default();
    condition.plain(IS_FINDING);
    condition.time(filter);
    if let Some(owners) = filter.owners(history)? {
        condition.one_of("e.owner", owners.iter().map(String::as_str));
    }
    if !filter.actions.is_empty() {
        condition.one_of("e.action", filter.actions.iter().map(String::as_str));
    }
    let mut rows = Vec::new();
    each(history, &condition, filter, |event| {
        rows.push(finding(event));
        Ok(())
    })?;
    Ok(rows)
}

fn finding(event: Event) -> FindingRow {
    let own = &event.read.hostnet.finding;
    let finding = (!own.is_null()).then(|| own.to_string());
    let technique = words(&event.read.threat.technique.id);
    let (rule, severity) = (event.read.rule.clone(), event.read.event.severity);
    let row = EventRow::of(event);
    FindingRow {
        time: row.time,
        rule_id: rule.id.unwrap_or(row.action),
        rule: rule.name,
        severity,
        technique,
        container: row.container,
        container_id: row.container_id,
        image: row.image,
        process: row.process,
        pid: row.pid,
        remote: row.remote,
        peer: row.peer,
        message: row.message,
        event_id: row.event_id,
        finding,
    }
}

/// A text or several, as one.
#[expect(clippy::wildcard_enum_match_arm, reason = "a value of another type has no words")]
fn words(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Array(all) => {
            let all: Vec<&str> = all.iter().filter_map(Json::as_str).collect();
            (!all.is_empty()).then(|| all.join(" "))
        }
        _ => None,
    }
}
