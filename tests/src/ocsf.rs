//! OCSF's own schema as the judge of every event that is converted to it.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::Value;

/// Its `$comment` says where it is from.
const SCHEMA: &str = include_str!("../data/ocsf-1.8.0.schema.json");

/// The classes of OCSF that hostnet writes, by `class_uid`.
pub struct Schema(HashMap<u64, Validator>);

impl Schema {
    pub fn read() -> Self {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let classes = schema["classes"].as_object().expect("classes");
        let validator = |class: &Value| {
            let mut class = class.clone();
            class["$defs"] = schema["$defs"].clone();
            jsonschema::validator_for(&class).expect("a valid schema")
        };
        Self(classes.iter().map(|(uid, class)| (number(uid), validator(class))).collect())
    }

    /// Everything wrong with an event.
    pub fn errors(&self, event: &Value) -> Vec<String> {
        match event["class_uid"].as_u64().and_then(|uid| self.0.get(&uid)) {
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
