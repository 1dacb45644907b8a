//! OCSF: one event of ours as one line of JSON.
//!
//! A pure function of the event in pieces. What OCSF has a name for is found in
//! rules.rs, what it has none for is under `unmapped`, as in ECS; nothing that the
//! event does not say is said. Field by field: docs/formats.md.

pub(super) mod class;
mod event;
mod finish;
mod how;
mod places;
mod rules;
mod table;
mod version;

pub use class::{ROLES, Role};
pub use rules::{How, RULES, Rule};
pub use version::Version;

use self::{event::Event, finish::Heading, how::Facts, table::Table};
use super::document::{Document, Field, in_order};
use crate::event::Class;

/// What OCSF makes of a field, whatever the event's class.
pub fn look(name: &str, path: &str) -> Option<Field> {
    let rule = RULES.iter().position(|rule| rule.from == path);
    let inside =
        |rule: &Rule| rule.from.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    // The names of labels are anybody's.
    let is_whole = rule.is_some() || name == "labels";
    let is_object = RULES.iter().any(inside);
    Some(Field { is_whole, is_object, rule, ..Field::default() })
}

/// Appends the event, without a newline.
pub fn write(document: &Document<'_>, version: Version, to: &mut Vec<u8>) {
    let heading = Heading::of(document, version);
    let table = Table::of(version, heading.class);
    let rules = table.rules(heading.ours());
    // An empty text is as good as none.
    let is_there = |path: &str| {
        let is_empty = document.json(path).is_some_and(|json| matches!(json, r#""""# | "[]"));
        document.has(path) && !is_empty
    };
    let needed: Vec<&str> = NEEDED.iter().copied().filter(|path| is_there(path)).collect();
    let facts = Facts::of(document);
    let mut event = Event::new(table);
    let mut unmapped: Vec<(usize, &str)> = Vec::new();
    for (id, field, value) in document.fields() {
        if field.is_object && value == "{}" {
            continue;
        }
        let compiled = field.rule.and_then(|rule| rules[rule].as_ref());
        let compiled = compiled
            .filter(|compiled| compiled.rule.needs.is_none_or(|needs| needed.contains(&needs)));
        let is_kept = compiled.is_some_and(|compiled| {
            compiled.rule.how.put(value, &compiled.to, &mut event, &facts)
                && compiled.rule.how != How::Milliseconds
        });
        if !is_kept {
            unmapped.push((id, value));
        }
    }
    if !unmapped.is_empty() {
        event.put(table.places.unmapped, "{}");
    }
    finish::finish(&mut event, &heading);
    let names = document.names;
    unmapped.sort_unstable_by_key(|(id, _)| names.node(*id).place());
    event.write(to, |to| {
        let put = |value: &str, to: &mut Vec<u8>| to.extend_from_slice(in_order(value).as_bytes());
        names.write(unmapped.iter().copied(), to, put);
    });
}

/// The places of a role in a class, for documentation.
#[must_use]
pub fn places(role: Role, class: Class) -> Vec<String> {
    class.places(role).iter().map(|place| finish::public_name(place)).collect()
}

/// All that some rule needs.
static NEEDED: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
    let mut needed: Vec<&str> = RULES.iter().filter_map(|rule| rule.needs).collect();
    needed.sort_unstable();
    needed.dedup();
    needed
});
