//! OCSF's own schema as the judge of every event that is converted to it.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::Value;

/// By version; their `$comment` says where they are from.
const SCHEMAS: [(&str, &str); 2] = [
    ("1.1.0", include_str!("../data/ocsf-1.1.0.schema.json")),
    ("1.8.0", include_str!("../data/ocsf-1.8.0.schema.json")),
];

/// The classes of OCSF that hostnet writes, by version and `class_uid`.
pub struct Schema(HashMap<(&'static str, u64), Validator>);

impl Schema {
    pub fn read() -> Self {
        let mut classes = HashMap::new();
        for (version, schema) in SCHEMAS {
            let schema: Value = serde_json::from_str(schema).expect("JSON");
            for (uid, class) in schema["classes"].as_object().expect("classes") {
                let mut class = class.clone();
                class["$defs"] = schema["$defs"].clone();
                let validator = jsonschema::validator_for(&class).expect("a valid schema");
                classes.insert((version, number(uid)), validator);
            }
        }
        Self(classes)
    }

    /// Everything wrong with an event.
    pub fn errors(&self, event: &Value) -> Vec<String> {
        let version = event["metadata"]["version"].as_str().unwrap_or_default();
        match event["class_uid"].as_u64().and_then(|uid| self.0.get(&(version, uid))) {
            Some(validator) => validator
                .iter_errors(event)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect(),
            None => vec![format!("class_uid {} is none of ours", event["class_uid"])],
        }
    }
}

fn number(uid: &str) -> u64 {
    uid.parse().expect("a class' number")
}
