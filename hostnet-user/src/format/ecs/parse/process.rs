//! Processes: `process` and `hostnet.process` together.

use std::{borrow::Borrow as _, sync::Arc};

use serde::Deserialize;

use super::{
    NotOurs, Parser,
    document::{Document, Text, nanoseconds, raw},
    ends::bytes,
    read,
};
use crate::{
    event::{Ancestor, ExecutedFile, Location, Process},
    format::ecs::process::{Boot, TICK_NS},
};

/// `process`.
#[derive(Deserialize)]
struct Fields<'a> {
    pid: u32,
    #[serde(default)]
    vpid: u32,
    #[serde(borrow)]
    entity_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    executable: Text<'a>,
    #[serde(borrow, default)]
    working_directory: Text<'a>,
    #[serde(borrow, default)]
    args: Vec<Text<'a>>,
    args_count: Option<u32>,
    #[serde(borrow)]
    start: Option<Text<'a>>,
    #[serde(borrow)]
    parent: Option<Parent<'a>>,
}

#[derive(Deserialize)]
struct Parent<'a> {
    pid: u32,
    #[serde(borrow)]
    entity_id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    executable: Text<'a>,
    #[serde(borrow)]
    start: Option<Text<'a>>,
}

/// `hostnet.process`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Own<'a> {
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    called: Option<Text<'a>>,
    called_truncated: bool,
    #[serde(borrow)]
    file: Option<File<'a>>,
    executable_outside: bool,
    executable_truncated: bool,
    working_directory_outside: bool,
    working_directory_truncated: bool,
    args_truncated: bool,
    #[serde(borrow)]
    ancestors: Vec<AncestorFields<'a>>,
    #[serde(borrow)]
    name_hex: Option<Text<'a>>,
    #[serde(borrow)]
    executable_hex: Option<Text<'a>>,
    #[serde(borrow)]
    called_hex: Option<Text<'a>>,
    #[serde(borrow)]
    working_directory_hex: Option<Text<'a>>,
    #[serde(borrow)]
    args_hex: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
struct File<'a> {
    inode: u64,
    #[serde(borrow, default)]
    device: Text<'a>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    memfd: bool,
}

#[derive(Deserialize)]
struct AncestorFields<'a> {
    pid: u32,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    executable: Text<'a>,
}

impl Parser {
    /// The event's process; `wall_minus_boot` is what its times are later by than the
    /// boot clock's.
    pub fn process(
        &mut self,
        document: &Document<'_>,
        wall_minus_boot: u64,
    ) -> Result<Option<Arc<Process>>, NotOurs> {
        // Of a process of which nothing is known, `process` has the thread that acted.
        let (Some(fields), Some(own)) = (document.process, document.hostnet.process) else {
            return Ok(None);
        };
        let identity = self.run.as_ref().map(|(_, identity)| identity);
        let make = || {
            let boot = identity.map(|identity| Boot {
                host_id: identity.host_id.clone(),
                boot_id: identity.boot_id.clone(),
            });
            let start = |field: &str, pid, text: Option<&str>, entity_id: Option<&str>| {
                let Some(text) = text else { return Ok(0) };
                let near = nanoseconds(field, text)?.wrapping_sub(wall_minus_boot);
                let id = boot.as_ref().zip(entity_id);
                Ok(id.map_or(near, |(boot, id)| exact_start(boot, pid, near, id)))
            };
            let fields: Fields<'_> = read("process", fields.get().as_bytes())?;
            let own: Own<'_> = read("hostnet.process", own.get().as_bytes())?;
            process(&fields, &own, start).map(Arc::new)
        };
        let boot = identity.map_or("", |identity| &*identity.boot_id);
        self.processes.get(&[raw(document.process), own.get(), boot], make).map(Some)
    }
}

fn process(
    fields: &Fields<'_>,
    own: &Own<'_>,
    start: impl Fn(&str, u32, Option<&str>, Option<&str>) -> Result<u64, NotOurs>,
) -> Result<Process, NotOurs> {
    let exact = |text: &str, field: &str, hex: &Option<Text<'_>>| match hex {
        Some(hex) => bytes(&format!("hostnet.process.{field}"), hex),
        None => Ok(text.as_bytes().to_vec()),
    };
    let executable = exact(&fields.executable, "executable_hex", &own.executable_hex)?;
    let from_proc = own.source == "proc";
    let called = match (&own.called_hex, &own.called) {
        (Some(_), _) => exact("", "called_hex", &own.called_hex)?,
        (None, Some(called)) => called.as_bytes().to_vec(),
        // It is left out where it is the file's own, and where it was not seen.
        (None, None) if from_proc => Vec::new(),
        (None, None) => executable.clone(),
    };
    let arguments = match &own.args_hex {
        Some(all) => all
            .iter()
            .map(|hex| bytes("hostnet.process.args_hex", hex))
            .collect::<Result<_, _>>()?,
        None => fields.args.iter().map(|argument| argument.as_bytes().to_vec()).collect(),
    };
    let parent = fields.parent.as_ref();
    let known_parent = parent.and_then(|parent| parent.name.as_ref().zip(Some(parent)));
    let known_parent = known_parent.map(|(name, parent)| {
        let (text, id) = (parent.start.as_deref(), parent.entity_id.as_deref());
        Ok(Arc::new(Ancestor {
            pid: parent.pid,
            start_ns: start("process.parent.start", parent.pid, text, id)?,
            name: name.as_bytes().to_vec(),
            executable: parent.executable.as_bytes().to_vec(),
            cgroup: None,
        }))
    });
    let (text, id) = (fields.start.as_deref(), fields.entity_id.as_deref());
    Ok(Process {
        pid: fields.pid,
        namespace_pid: fields.vpid,
        parent: parent.map_or(0, |parent| parent.pid),
        start_ns: start("process.start", fields.pid, text, id)?,
        name: exact(&fields.name, "name_hex", &own.name_hex)?,
        executable: Location {
            path: executable,
            outside: own.executable_outside,
            truncated: own.executable_truncated,
        },
        file: own.file.as_ref().map_or(Ok(ExecutedFile::default()), file)?,
        called,
        called_truncated: own.called_truncated,
        directory: Location {
            path: exact(
                &fields.working_directory,
                "working_directory_hex",
                &own.working_directory_hex,
            )?,
            outside: own.working_directory_outside,
            truncated: own.working_directory_truncated,
        },
        arguments,
        arguments_truncated: own.args_truncated,
        argument_count: fields.args_count.filter(|_| own.args_truncated),
        from_proc,
        known_parent: known_parent.transpose()?,
        ancestors: own.ancestors.iter().map(|one| Arc::new(one.into())).collect(),
        ..Process::default()
    })
}

impl From<&AncestorFields<'_>> for Ancestor {
    fn from(fields: &AncestorFields<'_>) -> Self {
        Self {
            pid: fields.pid,
            name: fields.name.as_bytes().to_vec(),
            executable: fields.executable.as_bytes().to_vec(),
            ..Self::default()
        }
    }
}

fn file(fields: &File<'_>) -> Result<ExecutedFile, NotOurs> {
    let device = match fields.device.borrow() {
        "" => Some((0, 0)),
        device => device
            .split_once(':')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?))),
    };
    let device = device.ok_or_else(|| {
        NotOurs::field("hostnet.process.file.device", "not two numbers as MAJOR:MINOR")
    })?;
    let File { inode, deleted, memfd, .. } = *fields;
    Ok(ExecutedFile { inode, device, deleted, memfd })
}

/// A process with the start that its entity id was made of. How far the wall clock is
/// from the boot clock changes a little from event to event, so that a start told as
/// wall-clock time may come out in the clock tick beside its own.
fn exact_start(boot: &Boot, pid: u32, near_ns: u64, entity_id: &str) -> u64 {
    let tick = near_ns / TICK_NS;
    let is_it = |tick: u64| boot.entity_id(pid, tick.saturating_mul(TICK_NS)) == entity_id;
    if is_it(tick) {
        near_ns
    } else if is_it(tick.wrapping_add(1)) {
        tick.wrapping_add(1).saturating_mul(TICK_NS)
    } else if tick > 0 && is_it(tick - 1) {
        tick * TICK_NS - 1
    } else {
        near_ns
    }
}

/// `peer.process`: which one, in a few words.
#[derive(Deserialize)]
pub struct Short<'a> {
    pid: u32,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    executable: Text<'a>,
}

impl From<&Short<'_>> for Process {
    fn from(fields: &Short<'_>) -> Self {
        Self {
            pid: fields.pid,
            name: fields.name.as_bytes().to_vec(),
            executable: Location {
                path: fields.executable.as_bytes().to_vec(),
                ..Location::default()
            },
            ..Self::default()
        }
    }
}
