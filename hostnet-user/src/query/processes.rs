//! Processes: what ran, whose it was, from when to when, and who made it.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use serde::Serialize;

use super::{
    Answer, Filter, History, Moment, Time,
    filter::{Condition, IS_RARE},
    history::{COLUMNS, Event},
    known::known,
};
use crate::event::Action;

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessRow {
    /// Its start.
    pub start: Option<Time>,
    /// Its end; empty while it runs, as far as is known.
    pub end: Option<Time>,
    /// Name of the container, or `host`.
    pub container: String,
    /// Its full id, or `host`.
    pub container_id: String,
    /// Its image.
    pub image: Option<String>,
    /// Id on the host.
    pub pid: u32,
    /// Name of its program.
    pub process: String,
    /// Path of its file.
    pub executable: Option<String>,
    /// Arguments.
    pub command_line: Option<String>,
    /// Where it ran.
    pub working_directory: Option<String>,
    /// User id on the host.
    pub user: Option<String>,
    /// The parent's process id.
    pub parent_pid: Option<u32>,
    /// The parent's name.
    pub parent: Option<String>,
    /// Exit status.
    pub status: Option<u32>,
    /// The signal that ended it.
    pub signal: Option<u32>,
    /// The same for one process of one boot of one host, and for no other.
    pub entity_id: String,
    /// The parent's.
    pub parent_entity_id: Option<String>,
}

/// When a process of an owner ended, at a moment or later, if that was recorded.
pub(super) fn end_of(
    history: &History,
    entity_id: &str,
    (owner, from): (&str, Time),
) -> Result<Option<Time>> {
    let ended = Action::ProcessEnded.name();
    let question = format!(
        "SELECT {COLUMNS} FROM event e WHERE {IS_RARE} AND e.action = '{ended}' AND e.time_ns >= ?1 \
         AND e.owner = ?2 AND instr(e.document, ?3) > 0 ORDER BY e.time_ns"
    );
    let values = [from.0.into(), owner.to_owned().into(), entity_id.to_owned().into()];
    let mut at = None;
    history.each(&question, &values, |event| {
        // Its child's end has the same text in it.
        if event.read.process.entity_id.as_deref() == Some(entity_id) {
            at = Some(event.time);
        }
        Ok(at.is_none())
    })?;
    Ok(at)
}

/// What processes are put together from: what began before the agent is known by what it
/// did later.
pub const OF_PROCESSES: [&str; 5] = [
    Action::Executed.name(),
    Action::ProcessEnded.name(),
    Action::BoundSocket.name(),
    Action::ListenForConnections.name(),
    Action::ExistingSocket.name(),
];

impl Answer for ProcessRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("start", "START"),
        ("end", "END"),
        ("container", "CONTAINER"),
        ("pid", "PID"),
        ("parent_pid", "PPID"),
        ("process", "PROCESS"),
        ("status", "STATUS"),
        ("command_line", "COMMAND"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let Self { container, pid, process, .. } = self;
        let command = self.command_line.as_deref().unwrap_or(process);
        let start = format!("{container} ran {command} (pid {pid})");
        let end = format!("{process} (pid {pid}) of {container} ended");
        let start = self.start.map(|at| Moment::new(at, "Process Started", start));
        let end = self.end.map(|at| Moment::new(at, "Process Ended", end));
        start.into_iter().chain(end).collect()
    }
}

/// The processes that are meant, in the order in which they began.
///
/// # Errors
/// When the history cannot be read, or has nobody like that.
pub fn processes(history: &History, filter: &Filter) -> Result<Vec<ProcessRow>> {
    let owners = filter.owners(history)?;
    let mut rows = all(history, owners.as_ref(), filter.until)?;
    rows.retain(|row| {
        let wanted = filter.process.as_deref();
        let is = |text: &str| wanted.is_none_or(|wanted| wanted == text);
        let is_named = is(&row.process)
            || is(&row.entity_id)
            || row.executable.as_deref().is_some_and(is)
            || is(&row.pid.to_string());
        is_named
            && row.end.is_none_or(|end| end >= filter.from())
            && row.start.is_none_or(|start| start <= filter.to())
    });
    rows.truncate(filter.most());
    Ok(rows)
}

/// Processes of these owners, whoever told of them.
pub(super) fn all(
    history: &History,
    owners: Option<&BTreeSet<String>>,
    until: Option<Time>,
) -> Result<Vec<ProcessRow>> {
    let mut found = Found::default();
    let mut condition = Condition::default();
    condition.plain(IS_RARE);
    condition.one_of("e.action", OF_PROCESSES.into_iter());
    if let Some(owners) = owners {
        condition.one_of("e.owner", owners.iter().map(String::as_str));
    }
    if let Some(until) = until {
        condition.with(
            concat!("(e.time_ns <= ? OR e.action = ", action_list!(ProcessEnded), ")"),
            until.0,
        );
    }
    let question = format!("SELECT {COLUMNS} FROM event e WHERE {} ORDER BY e.id", condition.sql());
    history.each(&question, &condition.values, |event| {
        found.take(&event);
        Ok(true)
    })?;
    // A process that has only ever connected is told of by the first and the last
    // thing that its owner did.
    for known in known(history)? {
        if owners.is_none_or(|owners| owners.contains(&known.owner)) {
            for id in [known.ids.0, known.ids.1] {
                history.event(id)?.iter().for_each(|event| found.take(event));
            }
        }
    }
    let mut rows: Vec<ProcessRow> = found.rows.into_values().collect();
    rows.sort_by(|one, other| (one.start, &one.entity_id).cmp(&(other.start, &other.entity_id)));
    Ok(rows)
}

#[derive(Default)]
struct Found {
    rows: HashMap<String, ProcessRow>,
}

impl Found {
    fn take(&mut self, event: &Event) {
        let read = &event.read;
        let process = &read.process;
        let (Some(pid), Some(entity)) = (process.pid, &process.entity_id) else { return };
        let time = |text: &Option<String>| text.as_deref().and_then(Time::read);
        let row = self.rows.entry(entity.clone()).or_insert_with(|| ProcessRow {
            start: time(&process.start),
            end: None,
            container: event.owner.clone(),
            container_id: event.owner.clone(),
            image: None,
            pid,
            process: String::new(),
            executable: None,
            command_line: None,
            working_directory: None,
            user: None,
            parent_pid: process.parent.pid,
            parent: None,
            status: None,
            signal: None,
            entity_id: entity.clone(),
            parent_entity_id: None,
        });
        // Names come late, and a process may run another program.
        if let Some(name) = read.container.label() {
            name.clone_into(&mut row.container);
        }
        row.image = read.container.image().or(row.image.take());
        if let Some(name) = &process.name {
            row.process.clone_from(name);
        }
        let newer = |new: &Option<String>, old: &mut Option<String>| {
            if new.is_some() {
                old.clone_from(new);
            }
        };
        newer(&process.executable, &mut row.executable);
        newer(&process.command_line, &mut row.command_line);
        newer(&process.working_directory, &mut row.working_directory);
        newer(&read.user.id, &mut row.user);
        newer(&process.parent.name, &mut row.parent);
        newer(&process.parent.entity_id, &mut row.parent_entity_id);
        if read.event.action() == Some(Action::ProcessEnded) {
            row.end = Some(event.time);
            row.status = read.hostnet.exit.status;
            row.signal = read.hostnet.exit.signal;
        }
    }
}
