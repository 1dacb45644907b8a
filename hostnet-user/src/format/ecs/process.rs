//! A process: `process`, and under `hostnet.process` what ECS has no field for.

use serde::Serialize;
use serde_json::{Map, Value, json as object, value::RawValue};
use sha2::{Digest, Sha256};

use super::{
    super::fit::{self, Cut},
    timestamp::Timestamps,
};
use crate::{
    event::{Ancestor, Event, Process},
    text::{self, json::hex, json_cut, json_length},
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
    /// Which fields are not whole.
    pub cut: Cut,
}

impl ProcessParts {
    /// The parts of an event's process and thread, in this boot, of at most `most` bytes each.
    pub fn of(
        event: &Event,
        (boot, most): (&Boot, usize),
        times: &mut Timestamps,
        exit_code: Option<u32>,
    ) -> Self {
        let (mut cut, mut cut_of_own) = (Cut::new(), Cut::new());
        let mut texts = Texts { most, at: "process", cut: &mut cut };
        let mut value = event.process.as_deref().map_or_else(Map::new, |process| {
            let wall_minus_boot = event.wall_ns.wrapping_sub(event.boot_ns);
            let time = |start_ns: u64| times.format(start_ns.wrapping_add(wall_minus_boot));
            boot.process(process, time, &mut texts)
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
        let mut texts = Texts { most, at: "hostnet.process", cut: &mut cut_of_own };
        let own = event.process.as_deref().map(|process| Own::of(process, &mut texts));
        cut.append(&mut cut_of_own);
        let own = own.map(|own| fit::part(&own, "hostnet.process", most, &mut cut));
        Self { ecs: fit::part(&value, "process", most, &mut cut), own, cut }
    }
}

/// Texts of a process, each cut to its share of what a part may have. A process is as short
/// as its author likes, so what is made for each may not cost more than its words are worth.
struct Texts<'a> {
    most: usize,
    /// The name of the object that they are in.
    at: &'static str,
    cut: &'a mut Cut,
}

impl Texts<'_> {
    fn text(&mut self, name: &str, bytes: &[u8], share: usize) -> String {
        let mut text = text::text(bytes).readable;
        self.fit(name, &mut text, self.most / share);
        text
    }

    /// The exact bytes of what is no text.
    fn exact(&mut self, name: &str, bytes: &[u8], share: usize) -> Option<String> {
        let mut hex = text::text(bytes).hex?;
        self.fit(name, &mut hex, (self.most / share) & !1);
        Some(hex)
    }

    fn fit(&mut self, name: &str, text: &mut String, most: usize) {
        let length = json_cut(text, most).len();
        if length < text.len() {
            text.truncate(length);
            self.cut.insert(format!("{}.{name}", self.at));
        }
    }

    /// The first of a list; one that does not fit is cut and the last.
    fn list(
        &mut self,
        name: &str,
        items: &[Vec<u8>],
        share: usize,
        written: impl Fn(&[u8]) -> String,
    ) -> Vec<String> {
        let mut left = self.most / share;
        let mut list = Vec::new();
        for item in items {
            let mut text = written(item);
            let length = json_length(&text) + r#""","#.len();
            if length > left {
                self.fit(name, &mut text, left.saturating_sub(r#""","#.len()) & !1);
                list.push(text);
                self.cut.insert(format!("{}.{name}", self.at));
                break;
            }
            left -= length;
            list.push(text);
        }
        list
    }
}

impl Boot {
    fn process(
        &self,
        process: &Process,
        mut time: impl FnMut(u64) -> String,
        texts: &mut Texts<'_>,
    ) -> Map<String, Value> {
        let mut value = Map::new();
        value.insert("pid".into(), process.pid.into());
        value.insert("vpid".into(), process.namespace_pid.into());
        value.insert("entity_id".into(), self.entity_id(process.pid, process.start_ns).into());
        value.insert("name".into(), texts.text("name", &process.name, 8).into());
        let executable = texts.text("executable", &process.executable.path, 6);
        value.insert("executable".into(), executable.into());
        if !process.directory.path.is_empty() {
            let directory = texts.text("working_directory", &process.directory.path, 8);
            value.insert("working_directory".into(), directory.into());
        }
        if !process.arguments.is_empty() {
            let arguments = texts.list("args", &process.arguments, 3, readable);
            value.insert("args".into(), arguments.into());
            if let Some(count) = process.count_of_arguments() {
                value.insert("args_count".into(), count.into());
            }
            let mut line = text::command_line(&process.arguments);
            texts.fit("command_line", &mut line, texts.most / 3);
            value.insert("command_line".into(), line.into());
        }
        value.insert("start".into(), time(process.start_ns).into());
        let mut parent = object!({ "pid": process.parent });
        if let Some(known) = &process.known_parent {
            parent["entity_id"] = self.entity_id(known.pid, known.start_ns).into();
            parent["name"] = texts.text("parent", &known.name, 8).into();
            parent["executable"] = texts.text("parent", &known.executable, 8).into();
            parent["start"] = time(known.start_ns).into();
        }
        value.insert("parent".into(), parent);
        value
    }

    /// Which process, in a few words: those of the peer at `at`.
    pub fn short(&self, process: &Process, most: usize, at: &'static str, cut: &mut Cut) -> Value {
        let mut texts = Texts { most, at, cut };
        let mut value = object!({
            "pid": process.pid,
            "name": texts.text("process", &process.name, 8),
            "executable": texts.text("process", &process.executable.path, 6),
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
    fn of(process: &Process, texts: &mut Texts<'_>) -> Self {
        let Process { executable, directory, called, file, .. } = process;
        let is_other_name = !called.is_empty() && *called != executable.path;
        let is_text = |argument: &Vec<u8>| std::str::from_utf8(argument).is_ok();
        let args_hex = (!process.arguments.iter().all(is_text))
            .then(|| texts.list("args_hex", &process.arguments, 3, hex));
        let ancestors = process.ancestors.iter().map(|one| AncestorFields::of(one, texts));
        let ancestors = ancestors.collect();
        Self {
            source: if process.from_proc { "proc" } else { "exec" },
            called: is_other_name.then(|| texts.text("called", called, 6)),
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
            ancestors,
            name_hex: texts.exact("name_hex", &process.name, 8),
            executable_hex: texts.exact("executable_hex", &executable.path, 6),
            called_hex: texts.exact("called_hex", called, 6),
            working_directory_hex: texts.exact("working_directory_hex", &directory.path, 8),
            args_hex,
        }
    }
}

impl AncestorFields {
    fn of(ancestor: &Ancestor, texts: &mut Texts<'_>) -> Self {
        Self {
            pid: ancestor.pid,
            name: texts.text("ancestors", &ancestor.name, 16),
            executable: texts.text("ancestors", &ancestor.executable, 16),
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
