//! Who had a local port: at a moment, or ever. An honest answer has three ends:
//! somebody, nobody, and not known.

use anyhow::Result;
use rusqlite::types::Value;
use serde::Serialize;

use super::{
    Answer, Began, Doubt, Ended, Held, History, Holding, Moment, Runs, Time, history::COLUMNS,
    holdings::Machine, runs,
};

/// Whether somebody had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It did.
    Held,
    /// It did unless something happened that was not told.
    Perhaps,
    /// Nobody did.
    Nobody,
    /// Whether anybody did is not known.
    Unknown,
}

/// Somebody who had the port, or why nobody is named.
#[derive(Clone, Debug, Serialize)]
pub struct PortRow {
    /// Whether it had it.
    pub answer: Verdict,
    /// The port.
    pub port: u16,
    /// Protocol; empty where nobody is named and none was asked for.
    pub protocol: String,
    /// Address.
    pub address: Option<String>,
    /// Whether it listened, was bound, or was connected from.
    pub state: Option<Held>,
    /// Who could reach it: `loopback`, `specific`, `any`.
    pub exposure: Option<String>,
    /// Name of the container, or `host`.
    pub container: Option<String>,
    /// Its full id.
    pub container_id: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// Name of the process.
    pub process: Option<String>,
    /// Its id on the host.
    pub pid: Option<u32>,
    /// Path of its file.
    pub executable: Option<String>,
    /// The same for one process of one boot of one host, and for no other.
    pub entity_id: Option<String>,
    /// From when.
    pub since: Option<Time>,
    /// How that is known.
    pub began: Option<Began>,
    /// Until when; empty while it has it.
    pub until: Option<Time>,
    /// How that is known.
    pub ended: Option<Ended>,
    /// What makes it less than certain.
    pub why: Option<String>,
    /// The event that told of it first.
    pub event_id: Option<String>,
}

impl Answer for PortRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("answer", "ANSWER"),
        ("protocol", "PROTOCOL"),
        ("address", "ADDRESS"),
        ("port", "PORT"),
        ("state", "STATE"),
        ("container", "CONTAINER"),
        ("image", "IMAGE"),
        ("process", "PROCESS"),
        ("pid", "PID"),
        ("since", "SINCE"),
        ("until", "UNTIL"),
        ("why", "WHY"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let who = self.container.as_deref().unwrap_or("nobody that is known");
        let what = format!("{who} had {} port {}", self.protocol, self.port);
        let since = self.since.map(|at| Moment::new(at, "Port Taken", what.clone()));
        let until = self.until.map(|at| Moment::new(at, "Port Released", what));
        since.into_iter().chain(until).collect()
    }
}

/// Who had a port, and what may be missing.
#[derive(Clone, Debug)]
pub struct PortAnswer {
    /// Everybody who had it; at a moment, or one row that says that nobody is named.
    pub rows: Vec<PortRow>,
    /// What may be missing.
    pub doubts: Vec<Doubt>,
}

/// Records that tell who has a port from now on.
const BEGINNINGS: [&str; 5] = ["bind", "bind-asked", "listen", "connect-outcome", "datagram"];

/// Records that tell that somebody has it no longer.
const ENDS: [&str; 2] = ["close", "datagram-close"];

/// Who had local port `port`: at `at`, or, without it, whoever ever had.
///
/// # Errors
/// When the history cannot be read.
pub fn who_had_port(
    history: &History,
    port: u16,
    protocol: Option<&str>,
    at: Option<Time>,
) -> Result<PortAnswer> {
    let runs = runs(history)?;
    let mut holdings = holdings_of(history, &runs, port)?;
    holdings.retain(|one| protocol.is_none_or(|protocol| one.protocol == protocol));
    let Some(at) = at else {
        let why = |one: &Holding| one.unsure.as_ref().map(|(_, why)| why.clone());
        let rows = holdings.iter().map(|one| row(one, Verdict::Held, why(one), None)).collect();
        return Ok(PortAnswer { rows, doubts: runs.losses });
    };
    let mut rows = Vec::new();
    for holding in &holdings {
        let doubt = doubt_of(holding, &runs, at);
        if holding.is_at(at) {
            let verdict = if doubt.is_some() { Verdict::Perhaps } else { Verdict::Held };
            rows.push(row(holding, verdict, doubt, Some(at)));
        }
    }
    rows.sort_by_key(|row| row.answer != Verdict::Held);
    let doubts = doubts_at(&runs, at);
    if rows.is_empty() {
        let answer = if doubts.is_empty() { Verdict::Nobody } else { Verdict::Unknown };
        let why = doubts.first().map(|doubt| doubt.why.clone());
        rows.push(nobody(port, protocol, answer, why));
    }
    Ok(PortAnswer { rows, doubts })
}

/// Every socket that ever had a local port.
pub(super) fn holdings_of(history: &History, runs: &Runs, port: u16) -> Result<Vec<Holding>> {
    // The spans one after the other, and in each the port alone.
    let question = format!(
        "WITH RECURSIVE spans(span) AS (SELECT min(span) FROM port UNION ALL \
         SELECT (SELECT min(span) FROM port WHERE port.span > spans.span) FROM spans \
         WHERE spans.span IS NOT NULL) \
         SELECT {COLUMNS} FROM spans CROSS JOIN port p ON p.span = spans.span AND p.port = ?1 \
         CROSS JOIN event e ON e.id = p.id ORDER BY e.id"
    );
    let mut machine = Machine::default();
    history.each(&question, &[Value::from(i64::from(port))], |event| {
        machine.take(event, runs);
        Ok(true)
    })?;
    machine.finish(history, runs)
}

/// What makes it less than certain that it had it at that moment.
fn doubt_of(holding: &Holding, runs: &Runs, at: Time) -> Option<String> {
    if holding.began == Began::NotTold {
        return Some("when it began was not told".to_owned());
    }
    if runs.at(at).is_none() {
        return Some(runs.why_not_at(at).why);
    }
    let is_bound_tcp = holding.held == Held::Bound && holding.protocol == "tcp";
    let began_in = runs.runs.iter().rposition(|run| run.began <= holding.since);
    let asked_in = runs.runs.iter().rposition(|run| run.began <= at);
    if is_bound_tcp && began_in != asked_in {
        return Some("the agent was started anew, which does not show sockets like it".to_owned());
    }
    if let Some((from, why)) = &holding.unsure
        && *from <= at
    {
        return Some(why.clone());
    }
    if holding.is_closed() {
        return None;
    }
    runs.lost(holding.since, at, &ENDS).next().map(|loss| loss.why.clone())
}

/// Why somebody may have had it of whom nothing is known.
fn doubts_at(runs: &Runs, at: Time) -> Vec<Doubt> {
    let Some(run) = runs.at(at) else { return vec![runs.why_not_at(at)] };
    let mut doubts = Vec::new();
    if !run.is_whole {
        doubts.push(Doubt {
            from: Time(0),
            to: run.began,
            why: format!("the history begins at {}, in the middle of a run", run.began),
            kinds: Vec::new(),
        });
    }
    // Every start looks at all sockets that there are: older losses are made good.
    doubts.extend(runs.lost(run.began, at, &BEGINNINGS).cloned());
    doubts
}

fn row(holding: &Holding, answer: Verdict, why: Option<String>, at: Option<Time>) -> PortRow {
    let event = &holding.event;
    let (container, process) = (&event.read.container, holding.process(at));
    PortRow {
        answer,
        port: holding.port,
        protocol: holding.protocol.clone(),
        address: Some(holding.address.clone()),
        state: Some(holding.held),
        exposure: holding.scope().map(str::to_owned),
        container: Some(container.label().unwrap_or(&event.owner).to_owned()),
        container_id: container.id.clone(),
        image: container.image(),
        process: process.name.clone(),
        pid: process.pid,
        executable: process.executable.clone(),
        entity_id: process.entity_id.clone(),
        since: Some(holding.since),
        began: Some(holding.began),
        until: holding.until,
        ended: holding.ended,
        why,
        event_id: Some(event.read.event.id.clone()),
    }
}

fn nobody(port: u16, protocol: Option<&str>, answer: Verdict, why: Option<String>) -> PortRow {
    PortRow {
        answer,
        port,
        protocol: protocol.unwrap_or_default().to_owned(),
        address: None,
        state: None,
        exposure: None,
        container: None,
        container_id: None,
        image: None,
        process: None,
        pid: None,
        executable: None,
        entity_id: None,
        since: None,
        began: None,
        until: None,
        ended: None,
        why,
        event_id: None,
    }
}
