//! The most that one event may have, in bytes. Most of an event's words are chosen by
//! others: names, paths, arguments, labels. What is too long is cut, and
//! `hostnet.truncated` names the fields.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    event::{Category, Recorded},
    text::{json, json_cut, json_length},
};

/// Most bytes of an event in any format: with the frame of a syslog message around it, less
/// than the 8 KiB that rsyslog takes by default.
pub const MOST_BYTES: usize = 7680;

/// Of an event of the agent about itself, such as its coverage: less than the sinks' smallest
/// limit of their own, the 64 KiB of `max_message_bytes`.
pub const MOST_BYTES_OF_THE_AGENT: usize = 60 << 10;

/// How long a text may stay while the whole is too long. The last is longer than every
/// identifier, time and digest.
const LIMITS: [usize; 5] = [1024, 512, 256, 128, 80];

/// What `hostnet.truncated` itself may take.
const ROOM_FOR_NAMES: usize = 512;

/// How often a document is cut further for another format, which may write it longer.
const MOST_TRIES: usize = 8;

/// An ECS document.
type Document = Map<String, Value>;

/// Names of fields that were cut.
pub type Cut = BTreeSet<String>;

/// The most that an event of this data set may have.
pub fn most_bytes(dataset: &str) -> usize {
    if dataset == Category::Health.dataset() { MOST_BYTES_OF_THE_AGENT } else { MOST_BYTES }
}

/// The most that this record may have.
pub fn most_of(record: &Recorded) -> usize {
    most_bytes(record.event.operation.told().action().category().dataset())
}

/// Shortens what is longest in `value`, which is the field `name`, until it is written in
/// at most `most` bytes.
pub fn shorten(value: &mut Value, name: &str, most: usize, cut: &mut Cut) {
    for limit in LIMITS {
        if length(value) <= most {
            return;
        }
        shorten_to(value, &mut name.to_owned(), limit, cut);
    }
}

/// A part of a document, the field `name`, as it is written: in at most `most` bytes.
pub fn part(value: &impl Serialize, name: &str, most: usize, cut: &mut Cut) -> Box<RawValue> {
    let text = json::raw(value);
    if text.get().len() <= most {
        return text;
    }
    let mut value = serde_json::from_str(text.get()).unwrap_or_default();
    shorten(&mut value, name, most, cut);
    json::raw(&value)
}

/// A document of at most `most` bytes: the same, where it is no longer than that.
pub fn shorten_document(document: Document, most: usize) -> Document {
    let mut value = Value::Object(document);
    if length(&value) > most {
        let mut cut = Cut::new();
        shorten(&mut value, "", most.saturating_sub(ROOM_FOR_NAMES), &mut cut);
        name(&mut value, cut);
    }
    if let Value::Object(document) = value { document } else { Document::new() }
}

/// Appends what `write` makes of an ECS document, in at most as many bytes as an event may
/// have: another format may be longer, and its document is cut once more then.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    text: &str,
    to: &mut Vec<u8>,
    mut write: impl FnMut(&str, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let start = to.len();
    write(text, to)?;
    if to.len() - start <= MOST_BYTES {
        return Ok(());
    }
    let document: Document = serde_json::from_str(text).inspect_err(|_| to.truncate(start))?;
    let dataset = document.get("event").and_then(|event| event.get("dataset"));
    let most = most_bytes(dataset.and_then(Value::as_str).unwrap_or_default());
    let mut target = text.len();
    for _ in 1..MOST_TRIES {
        let written = to.len() - start;
        if written <= most {
            break;
        }
        target = target * most / written * 15 / 16;
        let short = json::raw(&shorten_document(document.clone(), target));
        // It may have become much shorter than that.
        target = target.min(short.get().len());
        to.truncate(start);
        write(short.get(), to)?;
    }
    Ok(())
}

fn length(value: &Value) -> usize {
    json::raw(value).get().len()
}

fn shorten_to(value: &mut Value, at: &mut String, limit: usize, cut: &mut Cut) {
    match value {
        Value::String(text) if json_length(text) > limit => {
            text.truncate(json_cut(text, limit).len());
            cut.insert(known_name(at));
        }
        Value::Array(items) => {
            for item in &mut *items {
                shorten_to(item, at, limit, cut);
            }
            let mut length: usize = items.iter().map(length_in_list).sum();
            while length > 2 * limit
                && let Some(last) = items.pop()
            {
                length -= length_in_list(&last);
                cut.insert(known_name(at));
            }
        }
        Value::Object(fields) => {
            // Names of labels are anybody's words as well, those of other fields ours.
            if at.rsplit('.').next() == Some("labels") && shorten_labels(fields, limit) {
                cut.insert(known_name(at));
            }
            for (name, value) in fields {
                let length = at.len();
                if !at.is_empty() {
                    at.push('.');
                }
                at.push_str(name);
                shorten_to(value, at, limit, cut);
                at.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn length_in_list(item: &Value) -> usize {
    length(item) + 1
}

/// Those of whom a container is a part of go last.
fn shorten_labels(labels: &mut Map<String, Value>, limit: usize) -> bool {
    let before = labels.len();
    labels.retain(|key, _| json_length(key) <= limit);
    let length_of = |key: &str, value: &Value| json_length(key) + length(value) + r#""":,"#.len();
    let mut all: usize = labels.iter().map(|(key, value)| length_of(key, value)).sum();
    let is_last = |key: &str| {
        ["com_docker_", "hostnet_", "io_kubernetes_"].iter().any(|own| key.starts_with(own))
    };
    while all > 2 * limit {
        let others = labels.keys().rev().find(|key| !is_last(key));
        let Some(key) = others.or_else(|| labels.keys().next_back()).cloned() else { break };
        if let Some(value) = labels.remove(&key) {
            all -= length_of(&key, &value);
        }
    }
    labels.len() < before
}

/// The name of a field as `hostnet.truncated` has it: two words, below `hostnet` three. What
/// is in lists and labels has none of its own.
fn known_name(at: &str) -> String {
    let words = if at.starts_with("hostnet.") { 3 } else { 2 };
    at.split('.').take(words).collect::<Vec<_>>().join(".")
}

/// Adds the names to those that the document has.
fn name(document: &mut Value, mut cut: Cut) {
    let Some(hostnet) = document.get_mut("hostnet").and_then(Value::as_object_mut) else { return };
    let before = hostnet.get("truncated").and_then(Value::as_array).into_iter().flatten();
    cut.extend(before.filter_map(|name| name.as_str().map(str::to_owned)));
    if !cut.is_empty() {
        hostnet.insert("truncated".to_owned(), cut.into_iter().collect());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_longest_is_cut_first_and_named() {
        let mut value = json!({
            "event": { "id": "x".repeat(36) },
            "process": { "args": ["\u{1}".repeat(400), "b"], "name": "n".repeat(60) },
            "hostnet": { "time": { "boot_ns": 1 } },
        });
        let before = value.clone();
        let document = shorten_document(value.as_object().cloned().unwrap(), 4096);
        assert_eq!(Value::Object(document), before);
        value = Value::Object(shorten_document(value.as_object().cloned().unwrap(), 2000));
        assert_eq!(value["process"]["args"], json!(["\u{1}".repeat(170), "b"]));
        assert_eq!(value["hostnet"]["truncated"], json!(["process.args"]));
        assert_eq!(value["process"]["name"], before["process"]["name"]);
    }

    #[test]
    fn the_last_items_of_a_list_and_strangers_among_labels_go_first() {
        let labels: Map<String, Value> = (0..40)
            .map(|index| (format!("zz_{index:02}"), "v".repeat(50).into()))
            .chain([("com_docker_compose_project".to_owned(), "shop".into())])
            .chain([("k".repeat(2000), "long".into())])
            .collect();
        let flows: Vec<Value> = (0..100).map(|port| json!({ "port": port })).collect();
        let document = json!({
            "container": { "labels": labels },
            "hostnet": { "udp": { "flows": flows } },
        });
        let document = shorten_document(document.as_object().cloned().unwrap(), 2000);
        assert!(length(&Value::Object(document.clone())) <= 2000);
        let labels = document["container"]["labels"].as_object().unwrap();
        assert!(labels.contains_key("com_docker_compose_project"), "{labels:?}");
        assert_eq!(document["hostnet"]["udp"]["flows"][0]["port"], 0);
        let names = json!(["container.labels", "hostnet.udp.flows"]);
        assert_eq!(document["hostnet"]["truncated"], names);
    }
}
