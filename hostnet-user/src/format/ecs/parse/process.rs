//! Processes: `process` and `hostnet.process` together.

use std::sync::Arc;

use super::{
    super::{
        process::{Boot, TICK_NS},
        process_fields::{AncestorFields, FileFields, Id, OwnProcess, ProcessFields, ShortFields},
    },
    Document, NotOurs, Parser,
};
use crate::event::{
    Actor, Ancestor, ExecutedFile, Location, Process, Text,
    document::{bytes, nanoseconds, read},
};

/// The process of an event, and the thread that acted.
pub type Acting = (Option<Arc<Process>>, Option<Actor>);

impl Parser {
    /// The event's process and thread; `wall_minus_boot` is what its times are later by
    /// than the boot clock's.
    pub fn process(
        &mut self,
        document: &Document<'_>,
        wall_minus_boot: u64,
    ) -> Result<Acting, NotOurs> {
        let Some(fields) = document.process else { return Ok((None, None)) };
        let own = document.hostnet.process;
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
            let fields: ProcessFields<'_> = read("process", fields)?;
            let own = own.map(|own| read::<OwnProcess<'_>>("hostnet.process", own)).transpose()?;
            let process = own.map(|own| process(&fields, &own, start)).transpose()?;
            Ok((process.map(Arc::new), actor(&fields)?))
        };
        let boot = identity.map_or("", |identity| &*identity.boot_id);
        let own = own.map_or("", |own| own.get());
        self.processes.get(&[fields.get(), own, boot], make)
    }
}

/// The thread that acted, when the document names one.
fn actor(fields: &ProcessFields<'_>) -> Result<Option<Actor>, NotOurs> {
    let Some(tid) = fields.thread.as_ref().map(|thread| thread.id) else { return Ok(None) };
    let tgid = fields.pid.ok_or_else(|| NotOurs::missing("process.pid"))?;
    let id = |field: &str, id: &Option<Id<'_>>| {
        let Some(id) = id else { return Err(NotOurs::missing(field)) };
        let reason = "not the number of a user or group";
        id.id.parse().map_err(|_| NotOurs::field(field, reason))
    };
    let (uid, gid) = (id("process.user.id", &fields.user)?, id("process.group.id", &fields.group)?);
    Ok(Some(Actor { tgid, tid, uid, gid }))
}

fn process(
    fields: &ProcessFields<'_>,
    own: &OwnProcess<'_>,
    start: impl Fn(&str, u32, Option<&str>, Option<&str>) -> Result<u64, NotOurs>,
) -> Result<Process, NotOurs> {
    let exact = |text: &str, field: &str, hex: &Option<Text<'_>>| match hex {
        Some(hex) => bytes(&format!("hostnet.process.{field}"), hex),
        None => Ok(text.as_bytes().to_vec()),
    };
    let text = |text: &Option<Text<'_>>, field: &str, hex: &Option<Text<'_>>| {
        exact(text.as_deref().unwrap_or_default(), field, hex)
    };
    let pid = fields.pid.ok_or_else(|| NotOurs::missing("process.pid"))?;
    let executable = text(&fields.executable, "executable_hex", &own.executable_hex)?;
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
            executable: parent.executable.as_deref().unwrap_or_default().into(),
            cgroup: None,
        }))
    });
    let (began, id) = (fields.start.as_deref(), fields.entity_id.as_deref());
    Ok(Process {
        pid,
        namespace_pid: fields.vpid.unwrap_or_default(),
        parent: parent.map_or(0, |parent| parent.pid),
        start_ns: start("process.start", pid, began, id)?,
        name: text(&fields.name, "name_hex", &own.name_hex)?,
        executable: Location {
            path: executable,
            outside: own.executable_outside,
            truncated: own.executable_truncated,
        },
        file: own.file.as_ref().map_or(Ok(ExecutedFile::default()), file)?,
        called,
        called_truncated: own.called_truncated,
        directory: Location {
            path: text(
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

fn file(fields: &FileFields<'_>) -> Result<ExecutedFile, NotOurs> {
    let device = match &*fields.device {
        "" => Some((0, 0)),
        device => device
            .split_once(':')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?))),
    };
    let device = device.ok_or_else(|| {
        NotOurs::field("hostnet.process.file.device", "not two numbers as MAJOR:MINOR")
    })?;
    let FileFields { inode, deleted, memfd, .. } = *fields;
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

impl From<&ShortFields<'_>> for Process {
    fn from(fields: &ShortFields<'_>) -> Self {
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
