//! Documents that somebody has had their hands on.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Any value that could be in the place of another.
fn anything() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    let text = prop_oneof![
        any::<String>().prop_map(Value::from),
        "[0-9a-f]{0,6}".prop_map(Value::from),
        Just(json!("2026-11-23T18:05:00.000000007Z")),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!("127.0.0.1")),
        Just(json!("health")),
        Just(json!("close")),
    ];
    let scalar = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, text];
    scalar.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Paths of everything in a document.
fn pointers(path: &str, value: &Value, to: &mut Vec<String>) {
    to.push(path.to_owned());
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| pointers(&format!("{path}/{key}"), value, to));
        }
        Value::Array(array) => {
            let all = array.iter().enumerate();
            all.for_each(|(index, value)| pointers(&format!("{path}/{index}"), value, to));
        }
        _ => {}
    }
}

proptest! {
    /// What is read can be written, and is then read, too.
    #[test]
    fn changed_documents_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), anything()), 1..4),
        which in any::<prop::sample::Index>(),
        operation in any::<prop::sample::Index>(),
        swap in any::<bool>(),
    ) {
        let mut document = which.get(&DOCUMENTS).clone();
        if swap {
            // Another kind's name over this one's fields.
            let other = operation.get(&DOCUMENTS);
            document["hostnet"]["operation"] = other["hostnet"]["operation"].clone();
            document["event"]["action"] = other["event"]["action"].clone();
        }
        for (index, value) in changes {
            let mut all = Vec::new();
            pointers("", &document, &mut all);
            *document.pointer_mut(index.get(&all[..]).as_str()).expect("it is there") = value;
        }
        if let Ok(record) = parsed(&document) {
            let mut line = Vec::new();
            Encoder::new(&Identity::default()).encode(&record, &mut line).expect("writable");
            prop_assert!(Parser::default().record(&line).is_ok());
        }
    }

    #[test]
    fn damaged_lines_are_read_or_refused(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut line = which.get(&DOCUMENTS).to_string().into_bytes();
        let at = at.index(line.len());
        if cut { line.truncate(at) } else { line[at] = byte }
        drop(Parser::default().record(&line));
    }
}
