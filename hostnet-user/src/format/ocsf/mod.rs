//! OCSF 1.8.0: one event of ours as one line of JSON.
//!
//! A pure function of the ECS document. What OCSF has a name for is found in
//! rules.rs, what it has none for is under `unmapped`, as in ECS; nothing that is
//! not in the document is said. Field by field: docs/formats.md.

pub(super) mod class;
mod finish;
mod how;
mod rules;
mod table;

use anyhow::Result;
use serde_json::Value;

pub use class::{ROLES, Role};
pub use rules::{How, RULES, Rule};

use self::{how::Facts, table::Node};
use super::{
    document::{Document, get, set},
    kinds::Kind,
};
use crate::{event::Class, text::json};

/// The version of OCSF that is written.
pub const OCSF_VERSION: &str = "1.8.0";

/// Appends the event, without a newline.
///
/// # Errors
/// When it cannot be written as JSON, which would be a bug.
pub fn write(document: Document, to: &mut Vec<u8>) -> Result<()> {
    Ok(json::write(to, &event(document))?)
}

/// The places of a role in a class, for documentation.
#[must_use]
pub fn places(role: Role, class: Class) -> Vec<String> {
    class.places(role).iter().map(|place| finish::public_name(place)).collect()
}

fn event(document: Document) -> Document {
    let kind = Kind::of(&document);
    let heading = finish::Heading::of(kind, &document);
    let mut mapping = Mapping {
        // An empty text is as good as none.
        needed: NEEDED.iter().copied().filter(|path| is_there(&document, path)).collect(),
        facts: Facts::of(&document),
        to: Document::new(),
        unmapped: Document::new(),
        path: Vec::new(),
    };
    mapping.object(document, table::of(kind.class));
    let Mapping { mut to, unmapped, .. } = mapping;
    if !unmapped.is_empty() {
        to.insert("unmapped".to_owned(), unmapped.into());
    }
    finish::finish(&mut to, kind.class, heading);
    to
}

/// All that some rule needs.
static NEEDED: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
    let mut needed: Vec<&str> = RULES.iter().filter_map(|rule| rule.needs).collect();
    needed.sort_unstable();
    needed.dedup();
    needed
});

fn is_there(document: &Document, path: &str) -> bool {
    get(document, path).is_some_and(|value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    })
}

/// A document on its way from one schema to the other.
struct Mapping {
    needed: Vec<&'static str>,
    facts: Facts,
    to: Document,
    unmapped: Document,
    /// Names from the root to the object at hand.
    path: Vec<String>,
}

impl Mapping {
    fn object(&mut self, object: Document, node: &Node) {
        for (name, value) in object {
            self.path.push(name);
            let here = self.path.last().and_then(|name| node.below.get(name.as_str()));
            match (here, value) {
                (Some(Node { rule: Some(rule), .. }), value) => self.apply(rule, value),
                (Some(below), Value::Object(object)) => self.object(object, below),
                (_, value) => self.unmapped(value),
            }
            self.path.pop();
        }
    }

    fn apply(&mut self, rule: &table::Compiled, value: Value) {
        if rule.needs.is_some_and(|needs| !self.needed.contains(&needs)) {
            return self.unmapped(value);
        }
        if rule.how == How::Milliseconds {
            self.unmapped(value.clone());
        }
        let Some((last, others)) = rule.to.split_last() else { return };
        let mut kept = Ok(());
        for to in others {
            let put = how::put(rule.how, value.clone(), to, &mut self.to, &self.facts);
            kept = kept.and(put);
        }
        let kept = kept.and(how::put(rule.how, value, last, &mut self.to, &self.facts));
        if let Err(value) = kept {
            self.unmapped(value);
        }
    }

    fn unmapped(&mut self, value: Value) {
        set(&mut self.unmapped, self.path.iter().map(String::as_str), value);
    }
}
