//! Documentation that is made from the code: docs/events.md with one real
//! sample per kind, from a recorded run, and the JSON Schema of our own fields.

mod detections;
mod formats;

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

pub use detections::detections;
pub use formats::formats;

use crate::{
    engine::{
        capture::Recording,
        input::{self, Input, World},
        stages::{Filter, Stages},
    },
    event::Action,
    format::{
        self,
        ecs::{ECS_VERSION, Encoder},
        fields::{FIELDS, Field, Kind},
    },
    judge::Judge,
    output::Output,
    text::{for_terminal, json},
};

/// A run on a real host, with the kinds of events that one run can have.
pub static EVERY_KIND: &[u8] = include_bytes!("../../tests/data/every-kind.hostnet");

/// Replays a recording into ECS documents.
///
/// # Errors
/// When the bytes are not a recording of this version.
pub fn replay(recording: &[u8]) -> Result<Vec<Value>> {
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
    let lines = lines.recv().context("the replay ended early")?;
    lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Ok(serde_json::from_slice(line)?))
        .collect()
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

/// docs/events.md.
///
/// # Errors
/// When the recorded run cannot be replayed.
pub fn events() -> Result<String> {
    let mut text = format!(
        "# Events\n\n\
         <!-- Made by `cargo xtask docs` from the code and a recorded run; edit neither here. -->\n\n\
         Every event is one line of JSON in the Elastic Common Schema {ECS_VERSION}; what ECS has no \
         field for is under `hostnet`, and [hostnet-event.schema.json](hostnet-event.schema.json) is \
         the JSON Schema of that part.\n\n\
         `event.sequence` counts from 1 without a hole per run (`agent.ephemeral_id`); what the agent \
         lost is told by `records-lost` events in the same stream, and what it only counted, because its \
         owner did so much of it, by `records-suppressed` events. `source` and `client` are the side \
         that began a connection; `hostnet.local` and `hostnet.remote` do not depend on who began.\n\n\
         ## Our own fields\n\n| field | holds | what it says |\n|---|---|---|\n"
    );
    for Field { name, kind, text: says } in FIELDS.iter() {
        writeln!(text, "| `hostnet.{name}` | {} | {says} |", kind.in_words())?;
    }
    text.push_str(
        "\n## Samples\n\nOne real event of each kind, transport and outcome of a recorded run, whole.\n",
    );
    let mut samples: BTreeMap<(u8, String), Value> = BTreeMap::new();
    for event in replay(EVERY_KIND)? {
        let action = event["event"]["action"].as_str().unwrap_or_default().to_owned();
        let outcome = event["event"]["outcome"].as_str().unwrap_or_default();
        let transport = event["network"]["transport"].as_str().unwrap_or_default();
        let title = [&action, transport, outcome].join(" ").replace("  ", " ");
        let order = ["hostnet.network", "hostnet.process", "hostnet.state", "hostnet.health"];
        let dataset = event["event"]["dataset"].as_str().unwrap_or_default();
        let place = order.iter().position(|known| *known == dataset).unwrap_or(order.len());
        samples.entry((place as u8, title)).or_insert(event);
    }
    let has_sample =
        |action: &Action| samples.values().any(|e| e["event"]["action"] == action.name());
    let without: Vec<&Action> = Action::ALL.iter().filter(|action| !has_sample(action)).collect();
    for ((_, title), event) in &samples {
        let message = for_terminal(event["message"].as_str().unwrap_or_default());
        let sample = json::pretty(event)?;
        write!(text, "\n### {title}\n\n{message}\n\n```json\n{sample}```\n")?;
    }
    text.push_str(
        "\n## Kinds without a recorded sample\n\n\
         They did not happen in the recorded run. Their fields are in the table above.\n\n\
         | action | what |\n|---|---|\n",
    );
    for action in without {
        writeln!(text, "| `{}` | {} |", action.name(), format::Kind::of_action(*action).caption)?;
    }
    Ok(text)
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
