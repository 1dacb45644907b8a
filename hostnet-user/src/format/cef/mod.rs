//! CEF:0: one event of ours as one line of text.
//!
//! A pure function of the ECS document. CEF is flat and has few names; what it has
//! one for is found in rules.rs, the rest has names of our own, made of ours:
//! `hostnet.owner.kind` is `hostnetOwnerKind`, `process.args` `hostnetProcessArgs`.
//! What is not text or number is JSON. Field by field: docs/formats.md.

mod escape;
mod rules;

use std::collections::HashSet;

use serde_json::Value;

pub use rules::{FREE, How, RULES, Rule, SAID};

use self::escape::{extension, header};
use super::{
    document::{Document, get, text},
    kinds::Kind,
};
use crate::text::json;

/// The key that names the keys whose values are JSON texts, because CEF has no
/// way to write what is in them.
pub const ESCAPED: &str = "hostnetEscaped";

/// Appends the event, without a newline.
pub fn write(document: Document, to: &mut Vec<u8>) {
    let kind = Kind::of(&document);
    let field = |path| text(&document, path).unwrap_or_default();
    to.extend_from_slice(b"CEF:0|hostnet|hostnet");
    for value in [field("agent.version"), field("event.action"), kind.caption(&document)] {
        to.push(b'|');
        header(value, to);
    }
    to.push(b'|');
    to.extend_from_slice(kind.cef_severity(&document).as_bytes());
    to.push(b'|');
    let mut extensions =
        Extensions { to, is_first: true, escaped: Vec::new(), own: HashSet::new() };
    let side = Side::of(&document);
    for rule in RULES {
        if let Some((key, value)) = rule.apply(&document, side) {
            extensions.push(key, &value);
            if let Some((key, label)) = rule.label {
                extensions.push(key, label);
            }
        }
    }
    rest(&document, &mut String::new(), &mut extensions);
    extensions.finish();
}

/// Which side of the connection the owner is: CEF names processes by it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
}

impl Side {
    fn of(document: &Document) -> Self {
        match text(document, "network.direction") {
            Some("ingress") => Self::Destination,
            Some(_) => Self::Source,
            // A socket alone is what others connect to.
            None if document.contains_key("server") && !document.contains_key("client") => {
                Self::Destination
            }
            None => Self::Source,
        }
    }
}

/// Every field without a rule, under a name made of its own.
fn rest(object: &Document, path: &mut String, extensions: &mut Extensions<'_>) {
    for (name, value) in object {
        let length = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        match value {
            value if rules::is_said(path, value) => {}
            Value::Object(object) if !rules::is_free(path) && has_plain_names(object) => {
                rest(object, path, extensions);
            }
            value => extensions.push_own(own_key(path), &flat(value)),
        }
        path.truncate(length);
    }
}

/// Whether the names of an object's fields can be told apart in a key. Ours can.
fn has_plain_names(object: &Document) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !object.is_empty() && object.keys().all(|name| !name.is_empty() && name.chars().all(is_plain))
}

/// Our own key for a field: letters and digits only, as CEF wants it.
#[must_use]
pub fn own_key(path: &str) -> String {
    let path = path.strip_prefix("hostnet.").unwrap_or(path);
    let mut key = String::from("hostnet");
    for word in path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, others) = word.split_at(1);
        key.push_str(&first.to_ascii_uppercase());
        key.push_str(others);
    }
    key
}

/// A value as text: JSON, unless it is text.
fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => json::raw(value).get().to_owned(),
    }
}

/// The last part of a line.
struct Extensions<'a> {
    to: &'a mut Vec<u8>,
    is_first: bool,
    escaped: Vec<String>,
    own: HashSet<String>,
}

impl Extensions<'_> {
    fn push(&mut self, key: &str, value: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.to.push(b' ');
        }
        self.to.extend_from_slice(key.as_bytes());
        self.to.push(b'=');
        if extension(value, self.to) {
            self.escaped.push(key.to_owned());
        }
    }

    /// Two names that make one key, as `a_b` and `a.b` would: the later gets a number.
    fn push_own(&mut self, key: String, value: &str) {
        let mut unique = key.clone();
        let mut number = 2;
        while !self.own.insert(unique.clone()) {
            unique = format!("{key}{number}");
            number += 1;
        }
        self.push(&unique, value);
    }

    fn finish(mut self) {
        if !self.escaped.is_empty() {
            let keys = std::mem::take(&mut self.escaped).join(",");
            self.push(ESCAPED, &keys);
        }
    }
}

impl Rule {
    /// Whether this rule has the field in such an event, and as which key.
    fn apply(&self, document: &Document, side: Side) -> Option<(&'static str, String)> {
        let value = get(document, self.from)?;
        let key = match (self.other, side) {
            (Some(other), Side::Destination) => other,
            _ => self.key,
        };
        Some((key, self.how.of(value)?))
    }
}
