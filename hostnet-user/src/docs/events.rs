//! docs/events.md: our own fields, one event whole, and of the samples what is their own. It
//! must not know where samples are from.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::{FIELDS, Field, samples};
use crate::{
    event::{Action, Category},
    format::ecs::ECS_VERSION,
    text::{for_terminal, json},
};

/// The sample that is shown whole.
const WHOLE: &str = "connection_attempted tcp success";

/// What is shown of no other: nearly every event has it.
const OF_ALL: [&str; 15] = [
    "@timestamp",
    "agent",
    "data_stream",
    "ecs",
    "event.created",
    "event.dataset",
    "event.id",
    "event.module",
    "event.sequence",
    "host",
    "hostnet.attribution",
    "hostnet.netns",
    "hostnet.time",
    "message",
    "related",
];

/// What is shown where it is what the event is about.
const OF_CONTAINER: [&str; 4] =
    ["container", "hostnet.compose", "hostnet.container", "hostnet.owner"];
const OF_PROCESS: [&str; 3] = ["hostnet.process", "process", "user"];

/// Columns of a line of a sample.
const WIDTH: usize = 100;

/// docs/events.md.
///
/// # Errors
/// When the samples cannot be read.
pub fn events() -> Result<String> {
    let mut text = format!(
        "# Events\n\n\
         <!-- Made by `cargo xtask docs` from the code and recorded events; edit neither here. -->\n\n\
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
    let samples = by_title()?;
    let whole = samples.iter().find(|((_, title), _)| title == WHOLE);
    let (_, whole) = whole.context("the event that is shown whole was not recorded")?;
    write!(
        text,
        "\n## One event, whole\n\n{}\n\n```json\n{}```\n\n## Samples\n\n\
         A real event of every action, and of those in the recorded run one of each transport and \
         outcome. What nearly every event has is left out below: `{}`. So is, where an event is \
         about neither, who did it: `{}` and `{}`.\n",
        message(whole),
        laid_out(whole),
        OF_ALL.join("`, `"),
        OF_CONTAINER.join("`, `"),
        OF_PROCESS.join("`, `"),
    )?;
    for ((action, title), event) in &samples {
        let own = own_part(event, action.category());
        write!(text, "\n### {title}\n\n{}\n\n```json\n{}```\n", message(event), laid_out(&own))?;
    }
    Ok(text)
}

/// The first event of each action, transport and outcome.
fn by_title() -> Result<BTreeMap<(Action, String), Value>> {
    let mut by_title = BTreeMap::new();
    for event in samples()? {
        let words = ["/event/action", "/network/transport", "/event/outcome"]
            .map(|place| event.pointer(place).and_then(Value::as_str));
        let action = words[0].and_then(Action::from_name).context("an event without an action")?;
        let title = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        by_title.entry((action, title)).or_insert(event);
    }
    Ok(by_title)
}

fn message(event: &Value) -> String {
    for_terminal(event["message"].as_str().unwrap_or_default()).into_owned()
}

/// What of an event is not shown once for all.
fn own_part(event: &Value, category: Category) -> Value {
    let is_left_out = |path: &str| {
        OF_ALL.contains(&path)
            || category != Category::State && OF_CONTAINER.contains(&path)
            || category != Category::Process && OF_PROCESS.contains(&path)
    };
    without(event, "", &is_left_out).unwrap_or_default()
}

fn without(value: &Value, path: &str, is_left_out: &dyn Fn(&str) -> bool) -> Option<Value> {
    if is_left_out(path) {
        return None;
    }
    let Value::Object(object) = value else { return Some(value.clone()) };
    let left = object.iter().filter_map(|(name, value)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        Some((name.clone(), without(value, &path, is_left_out)?))
    });
    let left: Map<String, Value> = left.collect();
    (!left.is_empty()).then_some(Value::Object(left))
}

/// The value as JSON, whatever fits into a line in one, and a newline.
fn laid_out(value: &Value) -> String {
    let mut text = String::new();
    lay_out(value, 0, 0, &mut text);
    text.push('\n');
    text
}

/// After `used` columns of a line that is indented by `indent`.
fn lay_out(value: &Value, indent: usize, used: usize, text: &mut String) {
    let line = json::raw(value);
    let (open, close, parts): (_, _, Vec<(String, &Value)>) = match value {
        Value::Object(object) => {
            let parts = object.iter();
            let named = parts.map(|(name, part)| (format!("{}: ", json::raw(name).get()), part));
            ('{', '}', named.collect())
        }
        Value::Array(array) => {
            ('[', ']', array.iter().map(|value| (String::new(), value)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            ('\0', '\0', Vec::new())
        }
    };
    let is_outermost = indent == 0 && used == 0;
    // A comma may follow.
    if parts.is_empty() || !is_outermost && used + line.get().len() < WIDTH {
        text.push_str(line.get());
        return;
    }
    text.push(open);
    let indented = indent + 2;
    for (at, (name, part)) in parts.into_iter().enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        text.extend(std::iter::repeat_n(' ', indented));
        text.push_str(&name);
        lay_out(part, indented, indented + name.len(), text);
    }
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
    text.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_into_a_line_is_in_one_and_all_of_it_comes_back() {
        let long = "x".repeat(WIDTH);
        let value = json!({ "a": { "b": [1, { "c": null }] }, "d": { "e": long, "f": [] } });
        let text = laid_out(&value);
        assert_eq!(
            text,
            format!(
                "{{\n  \"a\": {{\"b\":[1,{{\"c\":null}}]}},\n  \"d\": {{\n    \"e\": \"{long}\",\n    \"f\": []\n  }}\n}}\n"
            )
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn an_event_shows_its_container_where_it_is_about_it() {
        let event = json!({
            "event": { "action": "x", "id": "1" },
            "container": { "id": "c" },
            "process": { "pid": 1 },
            "hostnet": { "time": { "boot_ns": 1 }, "process": { "source": "exec" } },
        });
        let own = |category| own_part(&event, category);
        assert_eq!(own(Category::Network), json!({ "event": { "action": "x" } }));
        let of_container = json!({ "event": { "action": "x" }, "container": { "id": "c" } });
        assert_eq!(own(Category::State), of_container);
        assert_eq!(own(Category::Process)["hostnet"], json!({ "process": { "source": "exec" } }));
    }
}
