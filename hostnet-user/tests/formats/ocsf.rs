//! OCSF: judged by its own schema, and searched for everything that went in.

use std::{collections::HashMap, sync::LazyLock};

use hostnet::event::{Activity, Class};
use hostnet::format::{
    Format,
    ocsf::{How, RULES, Version},
};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

use super::{events, leaves, line, mutated};

/// See their `$comment` for where they are from.
const SCHEMAS: [(Format, Version, &str); 2] = [
    (Format::Ocsf, Version::V1_8, include_str!("../../../tests/data/ocsf-1.8.0.schema.json")),
    (Format::Ocsf1_1, Version::V1_1, include_str!("../../../tests/data/ocsf-1.1.0.schema.json")),
];

type Validators = HashMap<u64, Validator>;

/// By version, as events name it.
static VALIDATORS: LazyLock<HashMap<&str, Validators>> = LazyLock::new(|| {
    SCHEMAS.iter().map(|(_, version, schema)| (version.number(), validators(schema))).collect()
});

fn validators(schema: &str) -> Validators {
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let classes = schema["classes"].as_object().expect("classes");
    classes
        .iter()
        .map(|(uid, class)| {
            let mut class = class.clone();
            class["$defs"] = schema["$defs"].clone();
            let validator = jsonschema::validator_for(&class).expect("a valid schema");
            (uid.parse().expect("a number"), validator)
        })
        .collect()
}

fn faults(event: &Value) -> Vec<String> {
    let version = event["metadata"]["version"].as_str().expect("a version");
    let class = event["class_uid"].as_u64().expect("a class");
    let validators = &VALIDATORS[version];
    let Some(validator) = validators.get(&class) else { return vec![format!("class {class}")] };
    validator
        .iter_errors(event)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn ocsf(format: Format, event: &Value) -> Value {
    serde_json::from_str(&line(format, event)).expect("JSON")
}

#[test]
fn every_recorded_event_is_valid_in_each_version() {
    for event in events() {
        for (format, version, _) in SCHEMAS {
            let ocsf = ocsf(format, &event);
            assert_eq!(ocsf["metadata"]["version"], version.number());
            assert_eq!(faults(&ocsf), [""; 0], "{ocsf:#}");
        }
    }
}

#[test]
fn the_schema_knows_every_class_and_can_refuse() {
    for (_, version, _) in SCHEMAS {
        for class in Class::ALL {
            let (class, _) = version.class(class, Activity::Other);
            let validators = &VALIDATORS[version.number()];
            assert!(validators.contains_key(&u64::from(class.uid())), "{class:?}");
        }
    }
    for (format, ..) in SCHEMAS {
        can_refuse(&ocsf(format, &events()[0]));
    }
}

fn can_refuse(good: &Value) {
    let expect = |change: &dyn Fn(&mut Value)| {
        let mut event = good.clone();
        change(&mut event);
        assert_eq!(faults(&event).len(), 1);
    };
    expect(&|event| event["no_such_attribute"] = 1.into());
    expect(&|event| event["time"] = "now".into());
    expect(&|event| event["severity_id"] = 7.into());
    expect(&|event| {
        event["metadata"].as_object_mut().map(|metadata| metadata.remove("product"));
    });
}

/// Whatever is in a document is somewhere in its OCSF event, unless a rule says
/// that another attribute says it.
fn nothing_is_lost(event: &Value) -> Result<(), TestCaseError> {
    SCHEMAS.iter().try_for_each(|(format, ..)| nothing_is_lost_in(*format, event))
}

fn nothing_is_lost_in(format: Format, event: &Value) -> Result<(), TestCaseError> {
    let ocsf = ocsf(format, event);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    leaves(event, "", &mut ours);
    values(&ocsf, &mut theirs);
    for (path, value) in ours {
        let rule = RULES.iter().find(|rule| {
            path.strip_prefix(rule.from)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let is_said = rule.is_some_and(|rule| {
            matches!(
                rule.how,
                How::Said | How::Name | How::Status | How::Direction | How::IpVersion
            )
        });
        let mut parts = Vec::new();
        values(&value, &mut parts);
        // An empty text is as good as none.
        for part in parts.into_iter().filter(|part| !is_said && *part != "") {
            let as_text = Value::from(part.to_string());
            let as_number =
                part.as_str().and_then(|text| text.parse::<u64>().ok()).map(Value::from);
            let is_there = theirs.contains(&part)
                || theirs.contains(&as_text)
                || as_number.is_some_and(|number| theirs.contains(&number));
            prop_assert!(is_there, "{path} is lost: {part} of {event:#}\n{ocsf:#}");
        }
    }
    Ok(())
}

/// Every value in a value, names left out.
fn values(value: &Value, to: &mut Vec<Value>) {
    match value {
        Value::Object(object) => object.values().for_each(|value| values(value, to)),
        Value::Array(items) => items.iter().for_each(|value| values(value, to)),
        value => to.push(value.clone()),
    }
}

#[test]
fn nothing_of_the_recorded_run_is_lost() {
    for event in events() {
        nothing_is_lost(&event).unwrap();
    }
}

proptest! {
    #![proptest_config(super::cases())]

    #[test]
    fn hostile_text_is_neither_lost_nor_invalid(event in mutated()) {
        for (format, ..) in SCHEMAS {
            let ocsf = ocsf(format, &event);
            // An address or host name that is none is not a fault of the mapping.
            let is_ours = |fault: &String| !fault.contains("/ip:") && !fault.contains("/hostname:");
            let faults: Vec<String> = faults(&ocsf).into_iter().filter(is_ours).collect();
            prop_assert!(faults.is_empty(), "{faults:?}\n{ocsf:#}");
        }
        nothing_is_lost(&event)?;
    }
}
