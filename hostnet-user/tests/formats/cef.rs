//! CEF, read back by a reader written from its specification.

use std::collections::BTreeMap;

use hostnet::format::{
    Format,
    cef::{ESCAPED, FREE, How, RULES, SAID, own_key},
};
use proptest::prelude::*;
use serde_json::Value;

use super::{events, leaves, line, mutated};

/// The seven parts of the header, and the extension by key.
fn read(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut header = vec![String::new()];
    let mut rest = line.chars();
    while header.len() < 8 {
        match rest.next().expect("a whole header") {
            '\\' => header.last_mut().expect("a part").extend(rest.next()),
            '|' => header.push(String::new()),
            c => header.last_mut().expect("a part").push(c),
        }
    }
    header.pop();
    (header, extension(rest.as_str()))
}

/// A key is what is before an unescaped `=`, back to the space before it.
fn extension(text: &str) -> BTreeMap<String, String> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(match chars.next().expect("an escape is whole") {
                'n' => '\n',
                'r' => '\r',
                c @ ('\\' | '=') => c,
                c => panic!("CEF has no escape \\{c}"),
            }),
            '=' => {
                let key = match value.rsplit_once(' ') {
                    Some((before, key)) => {
                        let key = key.to_owned();
                        fields.last_mut().expect("a value has a key").1 = before.to_owned();
                        key
                    }
                    None => value.clone(),
                };
                assert!(!key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric()), "{key}");
                fields.push((key, String::new()));
                value.clear();
            }
            c => value.push(c),
        }
    }
    fields.last_mut().expect("at least one field").1 = value;
    let count = fields.len();
    let mut fields: BTreeMap<String, String> = fields.into_iter().collect();
    assert_eq!(fields.len(), count, "no key comes twice");
    for key in fields.remove(ESCAPED).iter().flat_map(|keys| keys.split(',')) {
        let value = fields.get_mut(key).expect("a marked key is there");
        *value = serde_json::from_str(value).expect("a JSON text");
    }
    fields
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Every field comes back as it was, under the key that the tables say.
fn comes_back(event: &Value) -> Result<(), TestCaseError> {
    let (header, fields) = read(&line(Format::Cef, event));
    prop_assert_eq!(&header[..3], ["CEF:0", "hostnet", "hostnet"]);
    prop_assert_eq!(Some(&*header[4]), event["event"]["action"].as_str());
    let mut ours = Vec::new();
    leaves(event, "", &mut ours);
    let inside = |path: &str, outer: &&str| {
        path.strip_prefix(*outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for (path, value) in ours {
        if inside(&path, &"hostnet.unheard_of") || SAID.iter().any(|said| inside(&path, said)) {
            continue;
        }
        if let Some(free) = FREE.iter().find(|free| inside(&path, free)) {
            let whole = event.pointer(&format!("/{}", free.replace('.', "/")));
            let read: Option<Value> =
                fields.get(&own_key(free)).and_then(|text| serde_json::from_str(text).ok());
            prop_assert_eq!(read.as_ref(), whole);
            continue;
        }
        let rules = RULES.iter().filter(|rule| rule.from == path && rule.how != How::Time);
        let mut keys = rules.flat_map(|rule| [Some(rule.key), rule.other]).flatten();
        let found = keys.find_map(|key| fields.get(key)).or_else(|| fields.get(&own_key(&path)));
        let is_said_by_ip = matches!(&*path, "client.address" | "server.address");
        let is_word = matches!(&*path, "network.direction");
        if is_said_by_ip || is_word {
            continue;
        }
        match (&value, found) {
            (Value::Array(_) | Value::Object(_), Some(found)) => {
                prop_assert_eq!(serde_json::from_str::<Value>(found).ok(), Some(value));
            }
            (value, Some(found)) => prop_assert_eq!(found, &text(value), "{}", path),
            (_, None) => prop_assert!(false, "{path} is lost in {fields:#?}"),
        }
    }
    unheard_of_comes_back(&event["hostnet"]["unheard_of"], &fields)
}

/// What has no key in the tables is in some field, as text or in its JSON.
fn unheard_of_comes_back(
    value: &Value,
    fields: &BTreeMap<String, String>,
) -> Result<(), TestCaseError> {
    let own = fields.iter().filter(|(key, _)| key.starts_with("hostnetUnheardOf"));
    let own: Vec<&String> = own.map(|(_, text)| text).collect();
    let mut wanted = Vec::new();
    leaves(value, "", &mut wanted);
    let mut found = Vec::new();
    for text in &own {
        if let Ok(json) = serde_json::from_str::<Value>(text) {
            let mut inner = Vec::new();
            leaves(&json, "", &mut inner);
            found.extend(inner.into_iter().map(|(_, value)| value));
        }
    }
    for (_, value) in wanted {
        let is_there = own.iter().any(|found| **found == text(&value)) || found.contains(&value);
        prop_assert!(is_there || value.is_null(), "{value} is not in {own:?}");
    }
    Ok(())
}

#[test]
fn every_recorded_event_comes_back() {
    for event in events() {
        comes_back(&event).unwrap();
    }
}

/// Two fields with one key would be one field.
#[test]
fn own_keys_differ() {
    let mut keys: BTreeMap<String, &str> = BTreeMap::new();
    for field in hostnet::format::fields::FIELDS.iter() {
        if let Some(other) = keys.insert(own_key(&format!("hostnet.{}", field.name)), field.name) {
            panic!("{other} and {} have one key", field.name);
        }
    }
}

proptest! {
    #![proptest_config(super::cases())]

    #[test]
    fn hostile_text_comes_back(event in mutated()) {
        comes_back(&event)?;
    }
}
