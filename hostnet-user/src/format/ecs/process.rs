//! A process: `process`, and under `hostnet.process` what ECS has no field for.

use serde::Serialize;
use serde_json::{Map, Value, json as object, value::RawValue};
use sha2::{Digest, Sha256};

use super::timestamp::Timestamps;
use crate::{
    event::{Ancestor, Event, Process},
    json::{hex, raw},
    text,
};

/// Clock ticks are all that /proc tells of a start.
pub const TICK_NS: u64 = 10_000_000;

/// Which boot of which host.
pub struct Boot {
    pub host_id: String,
    pub boot_id: String,
}

/// What a process contributes.
pub struct ProcessParts {
    /// `process`.
    pub ecs: Box<RawValue>,
    /// `hostnet.process`.
    pub own: Option<Box<RawValue>>,
}

impl ProcessParts {
    /// The parts of an event's process and thread.
    pub fn of(event: &Event, boot: &Boot, times: &mut Timestamps, exit_code: Option<u32>) -> Self {
        let mut value = event.process.as_deref().map_or_else(Map::new, |process| {
            let wall_minus_boot = event.wall_ns.wrapping_sub(event.boot_ns);
            boot.process(process, |start_ns| times.format(start_ns.wrapping_add(wall_minus_boot)))
        });
        if let Some(actor) = event.actor {
            value.entry("pid").or_insert_with(|| actor.tgid.into());
            value.insert("thread".into(), object!({ "id": actor.tid }));
            value.insert("user".into(), object!({ "id": actor.uid.to_string() }));
            value.insert("group".into(), object!({ "id": actor.gid.to_string() }));
        }
        if let Some(code) = exit_code {
            value.insert("exit_code".into(), code.into());
        }
        let own = event.process.as_deref().map(|process| raw(&Own::of(process)));
        Self { ecs: raw(&value), own }
    }
}

impl Boot {
    fn process(
        &self,
        process: &Process,
        mut time: impl FnMut(u64) -> String,
    ) -> Map<String, Value> {
        let mut value = Map::new();
        value.insert("pid".into(), process.pid.into());
        value.insert("vpid".into(), process.namespace_pid.into());
        value.insert("entity_id".into(), self.entity_id(process.pid, process.start_ns).into());
        value.insert("name".into(), readable(&process.name).into());
        value.insert("executable".into(), readable(&process.executable.path).into());
        if !process.directory.path.is_empty() {
            value.insert("working_directory".into(), readable(&process.directory.path).into());
        }
        if !process.arguments.is_empty() {
            let arguments = process.arguments.iter().map(|argument| readable(argument));
            value.insert("args".into(), arguments.collect::<Vec<_>>().into());
            if let Some(count) = process.count_of_arguments() {
                value.insert("args_count".into(), count.into());
            }
            value.insert("command_line".into(), text::command_line(&process.arguments).into());
        }
        value.insert("start".into(), time(process.start_ns).into());
        let mut parent = object!({ "pid": process.parent });
        if let Some(known) = &process.known_parent {
            parent["entity_id"] = self.entity_id(known.pid, known.start_ns).into();
            parent["name"] = readable(&known.name).into();
            parent["executable"] = readable(&known.executable).into();
            parent["start"] = time(known.start_ns).into();
        }
        value.insert("parent".into(), parent);
        value
    }

    /// Which process, in a few words.
    pub fn short(&self, process: &Process) -> Value {
        let mut value = object!({
            "pid": process.pid,
            "name": readable(&process.name),
            "executable": readable(&process.executable.path),
        });
        // A process that is known from a document alone has no start.
        if process.start_ns != 0 {
            value["entity_id"] = self.entity_id(process.pid, process.start_ns).into();
        }
        value
    }

    /// The same for one process on one boot of one host, and for no other.
    /// Start is taken in clock ticks, which is all that /proc shows.
    pub fn entity_id(&self, pid: u32, start_ns: u64) -> String {
        let ticks = start_ns / TICK_NS;
        let text = format!("{} {} {pid} {ticks}", self.host_id, self.boot_id);
        hex(&Sha256::digest(text)[..8])
    }
}

/// What ECS has no field for. Flags are written where they are true.
#[derive(Serialize)]
struct Own {
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    called_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileFields>,
    #[serde(skip_serializing_if = "is_false")]
    executable_outside: bool,
    #[serde(skip_serializing_if = "is_false")]
    executable_truncated: bool,
    #[serde(skip_serializing_if = "is_false")]
    working_directory_outside: bool,
    #[serde(skip_serializing_if = "is_false")]
    working_directory_truncated: bool,
    #[serde(skip_serializing_if = "is_false")]
    args_truncated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ancestors: Vec<AncestorFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_directory_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args_hex: Option<Vec<String>>,
}

#[derive(Serialize)]
struct FileFields {
    inode: u64,
    device: String,
    #[serde(skip_serializing_if = "is_false")]
    deleted: bool,
    #[serde(skip_serializing_if = "is_false")]
    memfd: bool,
}

#[derive(Serialize)]
struct AncestorFields {
    pid: u32,
    name: String,
    executable: String,
}

impl Own {
    fn of(process: &Process) -> Self {
        let Process { executable, directory, called, file, .. } = process;
        let exact = |bytes: &[u8]| text::text(bytes).hex;
        let is_other_name = !called.is_empty() && *called != executable.path;
        let is_text = |argument: &Vec<u8>| std::str::from_utf8(argument).is_ok();
        let args_hex = (!process.arguments.iter().all(is_text))
            .then(|| process.arguments.iter().map(|argument| hex(argument)).collect());
        Self {
            source: if process.from_proc { "proc" } else { "exec" },
            called: is_other_name.then(|| readable(called)),
            called_truncated: process.called_truncated,
            file: (file.inode != 0).then(|| FileFields {
                inode: file.inode,
                device: format!("{}:{}", file.device.0, file.device.1),
                deleted: file.deleted,
                memfd: file.memfd,
            }),
            executable_outside: executable.outside,
            executable_truncated: executable.truncated,
            working_directory_outside: directory.outside,
            working_directory_truncated: directory.truncated,
            args_truncated: process.arguments_truncated,
            ancestors: process.ancestors.iter().map(|one| AncestorFields::of(one)).collect(),
            name_hex: exact(&process.name),
            executable_hex: exact(&executable.path),
            called_hex: exact(called),
            working_directory_hex: exact(&directory.path),
            args_hex,
        }
    }
}

impl AncestorFields {
    fn of(ancestor: &Ancestor) -> Self {
        Self {
            pid: ancestor.pid,
            name: readable(&ancestor.name),
            executable: readable(&ancestor.executable),
        }
    }
}

fn readable(bytes: &[u8]) -> String {
    text::text(bytes).readable
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
