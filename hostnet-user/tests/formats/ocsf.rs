//! OCSF: judged by its own schema, and searched for everything that went in.

use std::{collections::HashMap, sync::LazyLock};

use hostnet::event::Class;
use hostnet::format::{
    Format,
    ocsf::{How, RULES},
};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

use super::{events, leaves, line, mutated};

/// See its `$comment` for where it is from.
const SCHEMA: &str = include_str!("../../../tests/data/ocsf-1.8.0.schema.json");

static VALIDATORS: LazyLock<HashMap<u64, Validator>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
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
});

fn faults(event: &Value) -> Vec<String> {
    let class = event["class_uid"].as_u64().expect("a class");
    let Some(validator) = VALIDATORS.get(&class) else { return vec![format!("class {class}")] };
    validator
        .iter_errors(event)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn ocsf(event: &Value) -> Value {
    serde_json::from_str(&line(Format::Ocsf, event)).expect("JSON")
}

#[test]
fn every_recorded_event_is_valid() {
    for event in events() {
        let ocsf = ocsf(&event);
        assert_eq!(faults(&ocsf), [""; 0], "{ocsf:#}");
    }
}

#[test]
fn the_schema_knows_every_class_and_can_refuse() {
    for class in Class::ALL {
        assert!(VALIDATORS.contains_key(&u64::from(class.uid())), "{class:?}");
    }
    let good = ocsf(&events()[0]);
    let expect = |change: &dyn Fn(&mut Value)| {
        let mut event = good.clone();
        change(&mut event);
        assert_eq!(faults(&event).len(), 1);
    };
    expect(&|event| event["no_such_attribute"] = 1.into());
    expect(&|event| event["time"] = "now".into());
    expect(&|event| event["severity_id"] = 7.into());
    expect(&|event| {
        event["metadata"].as_object_mut().map(|metadata| metadata.remove("version"));
    });
}

/// Whatever is in a document is somewhere in its OCSF event, unless a rule says
/// that another attribute says it.
fn nothing_is_lost(event: &Value) -> Result<(), TestCaseError> {
    let ocsf = ocsf(event);
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
        let ocsf = ocsf(&event);
        // An address that is no address is not a fault of the mapping.
        let faults: Vec<String> =
            faults(&ocsf).into_iter().filter(|fault| !fault.contains("/ip:")).collect();
        prop_assert!(faults.is_empty(), "{faults:?}\n{ocsf:#}");
        nothing_is_lost(&event)?;
    }
}
