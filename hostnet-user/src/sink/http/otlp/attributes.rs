//! A document's fields as attributes: by the name of OpenTelemetry's semantic
//! conventions where they have one, else by that of ECS.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Any,
};
use serde_json::{Map, Value};

/// Fields of ECS that the conventions have by another name; Elastic's own table of
/// them is in ecs_flat.yml (`otel`).
const RENAMED: [(&str, &str); 9] = [
    ("agent.ephemeral_id", "service.instance.id"),
    ("agent.version", "service.version"),
    ("container.image.hash.all", "container.image.repo_digests"),
    ("container.image.tag", "container.image.tags"),
    ("container.runtime", "container.runtime.name"),
    ("host.architecture", "host.arch"),
    ("host.os.type", "os.type"),
    ("process.args", "process.command_args"),
    ("process.executable", "process.executable.path"),
];

/// The same for all that is below a name.
const RENAMED_PREFIX: (&str, &str) = ("container.labels.", "container.label.");

/// What is the same for all events of a run.
const OF_RESOURCE: [&str; 2] = ["host", "agent"];

/// The attributes of the resource, and those of the record.
pub fn split(document: Map<String, Value>) -> (Vec<KeyValue>, Vec<KeyValue>) {
    let (mut resource, mut record) = (Vec::new(), Vec::new());
    for (name, value) in document {
        let to = if OF_RESOURCE.contains(&&*name) { &mut resource } else { &mut record };
        flatten(&name, value, to);
    }
    (resource, record)
}

fn flatten(name: &str, value: Value, to: &mut Vec<KeyValue>) {
    match value {
        Value::Object(fields) => {
            for (below, value) in fields {
                flatten(&format!("{name}.{below}"), value, to);
            }
        }
        value => {
            to.push(KeyValue { key: renamed(name), value: Some(any(value)), ..KeyValue::default() })
        }
    }
}

fn renamed(name: &str) -> String {
    let (prefix, other) = RENAMED_PREFIX;
    match (RENAMED.iter().find(|(ecs, _)| *ecs == name), name.strip_prefix(prefix)) {
        (Some((_, other)), _) => (*other).to_owned(),
        (None, Some(rest)) => format!("{other}{rest}"),
        (None, None) => name.to_owned(),
    }
}

fn any(value: Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(flag) => Some(Any::BoolValue(flag)),
        Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Any::IntValue(number),
            // There is no unsigned number of 64 bits, and a float would round it.
            (None, _) if number.is_u64() => Any::StringValue(number.to_string()),
            (None, Some(number)) => Any::DoubleValue(number),
            (None, None) => Any::StringValue(number.to_string()),
        }),
        Value::String(text) => Some(Any::StringValue(text)),
        Value::Array(values) => {
            Some(Any::ArrayValue(ArrayValue { values: values.into_iter().map(any).collect() }))
        }
        Value::Object(fields) => Some(Any::KvlistValue(KeyValueList {
            values: fields
                .into_iter()
                .map(|(key, value)| KeyValue {
                    key,
                    value: Some(any(value)),
                    ..KeyValue::default()
                })
                .collect(),
        })),
    };
    AnyValue { value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_have_the_names_of_the_conventions() {
        let document = json!({
            "host": {"name": "node1", "architecture": "x86_64"},
            "container": {"labels": {"a_b": "c"}, "image": {"tag": ["1"]}},
            "process": {"args": ["a", "b"], "executable": "/a", "pid": 7},
            "hostnet": {"big": u64::MAX},
        });
        let Value::Object(document) = document else { panic!("an object") };
        let (resource, record) = split(document);
        let names = |all: &[KeyValue]| all.iter().map(|one| one.key.clone()).collect::<Vec<_>>();
        assert_eq!(names(&resource), ["host.arch", "host.name"]);
        let expected = [
            "container.image.tags",
            "container.label.a_b",
            "hostnet.big",
            "process.command_args",
            "process.executable.path",
            "process.pid",
        ];
        assert_eq!(names(&record), expected);
        let big = record[2].value.as_ref().and_then(|value| value.value.clone());
        assert_eq!(big, Some(Any::StringValue(u64::MAX.to_string())));
    }
}
