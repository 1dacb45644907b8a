//! Documentation that is made from the code and from real events: docs/events.md and the others
//! like it, and the JSON Schema of our own fields.

mod detections;
mod events;
mod formats;
mod samples;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

pub use detections::detections;
pub use events::events;
pub use formats::formats;
pub use samples::{SAMPLES, pick, samples};

use crate::{
    engine::{
        capture::Recording,
        input::{self, Input, World},
        stages::{Filter, Stages},
    },
    format::{
        ecs::{ECS_VERSION, Encoder},
        fields::{FIELDS, Field, Kind},
    },
    judge::Judge,
    output::Output,
    text::json,
};

/// A run on a real host, with the kinds of events that one run can have.
pub static EVERY_KIND: &[u8] = include_bytes!("../../tests/data/every-kind.hostnet");

/// Replays a recording into ECS documents.
///
/// # Errors
/// When the bytes are not a recording of this version.
pub fn replay(recording: &[u8]) -> Result<Vec<Value>> {
    let lines = replayed(recording)?;
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

/// The same as the lines that they are written in.
///
/// # Errors
/// When the bytes are not a recording of this version.
pub fn replayed(recording: &[u8]) -> Result<Vec<u8>> {
    let mut recording = Recording::read(recording)?;
    let (tag, bytes) = recording.frame()?.context("the recording is empty")?;
    let Input::World(World::Run { policy, identity, law }) = input::from_frame(tag, bytes)? else {
        bail!("the recording does not begin with where it was made");
    };
    let (sender, lines) = std::sync::mpsc::sync_channel(1);
    let output = Collect { encoder: Encoder::new(&identity), lines: Vec::new(), sender };
    let mut stages =
        Stages::new(policy, Judge::new(&law), Filter::default(), vec![Box::new(output)]);
    stages.identify(&identity);
    while let Some((tag, bytes)) = recording.frame()? {
        stages.input(input::from_frame(tag, bytes)?)?;
        drop(stages.take_requests());
    }
    stages.finish()?;
    stages.flush()?;
    lines.recv().context("the replay ended early")
}

/// Keeps every line and hands them over at the end.
struct Collect {
    encoder: Encoder,
    lines: Vec<u8>,
    sender: std::sync::mpsc::SyncSender<Vec<u8>>,
}

impl Output for Collect {
    fn write(&mut self, record: &crate::event::Recorded) -> Result<()> {
        self.encoder.encode(record, &mut self.lines)
    }

    fn flush(&mut self) -> Result<()> {
        self.sender.send(std::mem::take(&mut self.lines)).context("nobody takes the lines")
    }
}

/// docs/hostnet-event.schema.json.
///
/// # Errors
/// When the schema cannot be written as JSON.
pub fn schema() -> Result<String> {
    let hostnet = object(FIELDS.iter().map(|field| (field.name, field)).collect());
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hostnet event",
        "description": format!("ECS {ECS_VERSION}; this schema holds what is under `hostnet`."),
        "type": "object",
        "required": ["@timestamp", "ecs", "event", "hostnet"],
        "properties": { "hostnet": hostnet },
    });
    Ok(json::pretty(&schema)?)
}

/// The schema of an object whose fields have these remaining names.
fn object(fields: Vec<(&'static str, &'static Field)>) -> Value {
    let mut properties = Map::new();
    let mut groups: BTreeMap<&str, Vec<(&'static str, &'static Field)>> = BTreeMap::new();
    for (name, field) in fields {
        let (first, rest) = name.split_once('.').map_or((name, None), |(a, b)| (a, Some(b)));
        let group = groups.entry(first).or_default();
        match rest {
            Some(rest) => group.push((rest, field)),
            None => {
                properties.insert(first.to_owned(), field.kind.schema(field.text));
            }
        }
    }
    for (name, group) in groups.into_iter().filter(|(_, group)| !group.is_empty()) {
        let inner = object(group);
        match properties.get_mut(name) {
            // An array of such objects.
            Some(array) => array["items"] = inner,
            None => {
                properties.insert(name.to_owned(), inner);
            }
        }
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

impl Kind {
    fn in_words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Word(words) => {
                words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
            }
            Self::Number => "number".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Ip => "IP address".to_owned(),
            Self::Texts => "texts".to_owned(),
            Self::Objects => "objects".to_owned(),
            Self::Free => "object".to_owned(),
        }
    }

    fn schema(self, text: &str) -> Value {
        let mut schema = match self {
            Self::Text => json!({ "type": "string" }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Number => json!({ "type": "integer", "minimum": 0 }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Ip => json!({ "anyOf": [
                { "type": "string", "format": "ipv4" }, { "type": "string", "format": "ipv6" },
            ] }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Objects => json!({ "type": "array" }),
            Self::Free => json!({ "type": "object" }),
        };
        schema["description"] = text.into();
        schema
    }
}
