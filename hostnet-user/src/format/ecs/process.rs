//! A process: `process`, and under `hostnet.process` what ECS has no field for.

use serde_json::{Value, json, value::RawValue};
use sha2::{Digest, Sha256};

use super::{
    super::fit::{self, Cut},
    process_fields::{
        AncestorFields, FileFields, Id, OwnProcess, ParentFields, ProcessFields, ShortFields,
        ThreadId,
    },
};
use crate::{
    event::{Ancestor, Event, Process, Text, Timestamps},
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
        let mut value = event.process.as_deref().map_or_else(ProcessFields::default, |process| {
            let wall_minus_boot = event.wall_ns.wrapping_sub(event.boot_ns);
            let time = |start_ns: u64| times.format(start_ns.wrapping_add(wall_minus_boot));
            boot.process(process, time, &mut texts)
        });
        if let Some(actor) = event.actor {
            value.pid = value.pid.or(Some(actor.tgid));
            value.thread = Some(ThreadId { id: actor.tid });
            value.user = Some(Id { id: actor.uid.to_string().into() });
            value.group = Some(Id { id: actor.gid.to_string().into() });
        }
        value.exit_code = exit_code;
        let mut texts = Texts { most, at: "hostnet.process", cut: &mut cut_of_own };
        let own = event.process.as_deref().map(|process| OwnProcess::of(process, &mut texts));
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
    fn exact(&mut self, name: &str, bytes: &[u8], share: usize) -> Option<Text<'static>> {
        let mut hex = text::text(bytes).hex?;
        self.fit(name, &mut hex, (self.most / share) & !1);
        Some(hex.into())
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
    ) -> Vec<Text<'static>> {
        let mut left = self.most / share;
        let mut list = Vec::new();
        for item in items {
            let mut text = written(item);
            let length = json_length(&text) + r#""","#.len();
            if length > left {
                self.fit(name, &mut text, left.saturating_sub(r#""","#.len()) & !1);
                list.push(text.into());
                self.cut.insert(format!("{}.{name}", self.at));
                break;
            }
            left -= length;
            list.push(text.into());
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
    ) -> ProcessFields<'static> {
        let name = texts.text("name", &process.name, 8);
        let executable = texts.text("executable", &process.executable.path, 6);
        let directory = &process.directory.path;
        let directory =
            (!directory.is_empty()).then(|| texts.text("working_directory", directory, 8).into());
        let mut fields = ProcessFields {
            entity_id: Some(self.entity_id(process.pid, process.start_ns).into()),
            executable: Some(executable.into()),
            name: Some(name.into()),
            pid: Some(process.pid),
            start: Some(time(process.start_ns).into()),
            vpid: Some(process.namespace_pid),
            working_directory: directory,
            ..ProcessFields::default()
        };
        if !process.arguments.is_empty() {
            fields.args = texts.list("args", &process.arguments, 3, readable);
            fields.args_count = process.count_of_arguments();
            let mut line = text::command_line(&process.arguments);
            texts.fit("command_line", &mut line, texts.most / 3);
            fields.command_line = Some(line);
        }
        let known = process.known_parent.as_deref();
        fields.parent = Some(ParentFields {
            entity_id: known.map(|known| self.entity_id(known.pid, known.start_ns).into()),
            executable: known.map(|known| texts.text("parent", &known.executable, 8).into()),
            name: known.map(|known| texts.text("parent", &known.name, 8).into()),
            pid: process.parent,
            start: known.map(|known| time(known.start_ns).into()),
        });
        fields
    }

    /// Which process, in a few words: those of the peer at `at`.
    pub fn short(&self, process: &Process, most: usize, at: &'static str, cut: &mut Cut) -> Value {
        let mut texts = Texts { most, at, cut };
        let name = texts.text("process", &process.name, 8).into();
        let executable = texts.text("process", &process.executable.path, 6).into();
        // A process that is known from a document alone has no start.
        let is_known = process.start_ns != 0;
        let entity_id = is_known.then(|| self.entity_id(process.pid, process.start_ns));
        json!(ShortFields { entity_id, executable, name, pid: process.pid })
    }

    /// The same for one process on one boot of one host, and for no other.
    /// Start is taken in clock ticks, which is all that /proc shows.
    pub fn entity_id(&self, pid: u32, start_ns: u64) -> String {
        let ticks = start_ns / TICK_NS;
        let text = format!("{} {} {pid} {ticks}", self.host_id, self.boot_id);
        hex(&Sha256::digest(text)[..8])
    }
}

impl OwnProcess<'static> {
    fn of(process: &Process, texts: &mut Texts<'_>) -> Self {
        let Process { executable, directory, called, file, .. } = process;
        let is_other_name = !called.is_empty() && *called != executable.path;
        let is_text = |argument: &Vec<u8>| std::str::from_utf8(argument).is_ok();
        let args_hex = (!process.arguments.iter().all(is_text))
            .then(|| texts.list("args_hex", &process.arguments, 3, hex));
        let ancestors = process.ancestors.iter().map(|one| AncestorFields::of(one, texts));
        let ancestors = ancestors.collect();
        Self {
            source: if process.from_proc { "proc" } else { "exec" }.into(),
            called: is_other_name.then(|| texts.text("called", called, 6).into()),
            called_truncated: process.called_truncated,
            file: (file.inode != 0).then(|| FileFields {
                inode: file.inode,
                device: format!("{}:{}", file.device.0, file.device.1).into(),
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

impl AncestorFields<'static> {
    fn of(ancestor: &Ancestor, texts: &mut Texts<'_>) -> Self {
        Self {
            pid: ancestor.pid,
            name: texts.text("ancestors", &ancestor.name, 16).into(),
            executable: texts.text("ancestors", &ancestor.executable, 16).into(),
        }
    }
}

fn readable(bytes: &[u8]) -> String {
    text::text(bytes).readable
}
