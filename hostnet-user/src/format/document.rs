//! One of our ECS documents, read back: what the other formats are made from.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// An ECS document.
pub type Document = Map<String, Value>;

/// Reads a document.
///
/// # Errors
/// When the bytes are not one JSON object with the fields that every event has.
pub fn read(bytes: &[u8]) -> Result<Document> {
    let document: Document =
        serde_json::from_slice(bytes).context("not an event: not one JSON object")?;
    for field in ["@timestamp", "event.action", "event.id"] {
        ensure!(text(&document, field).is_some(), "not an event: without {field}");
    }
    let time = text(&document, "@timestamp").unwrap_or_default();
    ensure!(time.parse::<Timestamp>().is_ok(), "not an event: @timestamp is no time");
    Ok(document)
}

/// What is at a dotted path.
pub fn get<'a>(document: &'a Document, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = document.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// The text at a dotted path.
pub fn text<'a>(document: &'a Document, path: &str) -> Option<&'a str> {
    get(document, path)?.as_str()
}

/// Puts a value at a path, making the objects on the way.
pub fn set<'p>(to: &mut Document, path: impl IntoIterator<Item = &'p str>, value: Value) {
    let mut names = path.into_iter().peekable();
    let mut object = to;
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            object.insert(name.to_owned(), value);
            return;
        }
        let next = object.entry(name).or_insert_with(|| Map::new().into());
        // A table that has both a field and fields in it is refused by a test.
        let Value::Object(next) = next else { return };
        object = next;
    }
}
