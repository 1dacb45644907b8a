//! The other formats, made of the recorded run and of documents nobody would
//! write by accident: nothing is lost, OCSF's own schema agrees, one event is one
//! line and comes back.

mod cef;
mod ocsf;

use std::collections::BTreeMap;

use hostnet::{
    docs::{self, EVERY_KIND},
    format::{Format, Renderer},
};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// The events of the recorded run.
fn events() -> Vec<Value> {
    docs::replay(EVERY_KIND).expect("the recording can be replayed")
}

/// An event in a format: one line, whatever is in it.
fn line(format: Format, event: &Value) -> String {
    let mut line = Vec::new();
    let mut renderer = Renderer::new(format);
    renderer.render(event.to_string().as_bytes(), &mut line).expect("an event of ours");
    let line = String::from_utf8(line).expect("text");
    let is_plain = |c: char| !hostnet::text::is_unsafe(c);
    assert!(line.chars().all(is_plain), "one line that no terminal acts on: {line:?}");
    line
}

/// The first event of each kind and outcome, one line each.
fn sample_of_each_kind(format: Format) -> String {
    let mut samples: BTreeMap<String, String> = BTreeMap::new();
    for event in events() {
        let text = |path| event.pointer(path).and_then(Value::as_str).unwrap_or("-").to_owned();
        let kind = ["/event/action", "/network/transport", "/event/outcome"].map(text).join(" ");
        samples.entry(kind).or_insert_with_key(|kind| format!("{kind}\n{}", line(format, &event)));
    }
    samples.into_values().collect::<Vec<_>>().join("\n\n")
}

#[test]
fn every_kind_in_ocsf() {
    insta::assert_snapshot!(sample_of_each_kind(Format::Ocsf));
}

#[test]
fn every_kind_in_cef() {
    insta::assert_snapshot!(sample_of_each_kind(Format::Cef));
}

/// Every leaf of a document, with its dotted path.
fn leaves(value: &Value, path: &str, to: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, to);
            }
        }
        value => to.push((path.to_owned(), value.clone())),
    }
}

/// Text that breaks formats: separators, escapes, controls, what reorders lines.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        "[ -~]{0,12}",
        "[\u{0}-\u{1f}]{1,3}",
        Just("\\".to_owned()),
        Just("|=\\|\\=\\n".to_owned()),
        Just(" cs1=x".to_owned()),
        Just("\u{2028}\u{202e}\u{9b}31m\u{7f}\u{feff}".to_owned()),
        Just("\r\n".to_owned()),
        Just(" ".to_owned()),
        any::<String>(),
    ];
    prop::collection::vec(parts, 0..5).prop_map(|parts| parts.concat())
}

/// Any JSON a field could hold.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        hostile().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(hostile(), inner, 0..4)
                .prop_map(|map| Value::Object(Map::from_iter(map))),
        ]
    })
}

/// A recorded event of which some leaves are something else, and which has a
/// field that nobody knows.
fn mutated() -> impl Strategy<Value = Value> {
    let events = events();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), hostile()), 0..6);
    (prop::sample::select(events), changes, any_value()).prop_map(|(mut event, changes, extra)| {
        let mut all = Vec::new();
        leaves(&event, "", &mut all);
        let texts: Vec<&String> = all
            .iter()
            .filter(|(path, value)| value.is_string() && !FIXED.contains(&path.as_str()))
            .map(|(path, _)| path)
            .collect();
        for (index, text) in changes {
            let path = index.get(&texts);
            let pointer = format!("/{}", path.replace('.', "/"));
            if let Some(value) = event.pointer_mut(&pointer) {
                *value = text.into();
            }
        }
        event["hostnet"]["unheard_of"] = extra;
        event
    })
}

/// What the agent alone says, in words of its own.
const FIXED: [&str; 10] = [
    "@timestamp",
    "event.action",
    "event.kind",
    "event.dataset",
    "event.module",
    "event.provider",
    "data_stream.type",
    "data_stream.dataset",
    "data_stream.namespace",
    "agent.version",
];

/// Some here, as many as `PROPTEST_CASES` says elsewhere.
fn cases() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let is_chosen = std::env::var_os("PROPTEST_CASES").is_some();
    if is_chosen { config } else { ProptestConfig { cases: 500, ..config } }
}
