//! Elastic's own schema as the judge of every event: unknown fields, types,
//! arrays, allowed values, event types that fit the category, required fields.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::Deserialize;
use serde_json::{Map, Value};

/// `generated/ecs/ecs_flat.yml` of elastic/ecs at v9.4.0 (Apache-2.0).
const SCHEMA: &str = include_str!("../data/ecs_flat-9.4.0.yml");

const REQUIRED: [&str; 7] = [
    "@timestamp",
    "ecs.version",
    "event.kind",
    "event.category",
    "event.type",
    "event.id",
    "event.sequence",
];

#[derive(Deserialize)]
struct Field {
    r#type: String,
    #[serde(default)]
    normalize: Vec<String>,
    #[serde(default)]
    allowed_values: Vec<Allowed>,
}

#[derive(Deserialize)]
struct Allowed {
    name: String,
    #[serde(default)]
    expected_event_types: Vec<String>,
}

/// The Elastic Common Schema, read once.
pub struct Schema(BTreeMap<String, Field>);

impl Schema {
    pub fn read() -> Self {
        let unlimited = serde_saphyr::options! { budget: None };
        let fields = serde_saphyr::from_str_with_options(SCHEMA, unlimited);
        Self(fields.expect("the schema is YAML as Elastic wrote it"))
    }

    /// Everything wrong with an event; fields under `hostnet.` are our own.
    pub fn errors(&self, event: &Value) -> Vec<String> {
        let Value::Object(object) = event else { return vec!["not an object".to_owned()] };
        let mut fields = BTreeMap::new();
        self.flatten(object, "", &mut fields);
        let mut errors = Vec::new();
        for (name, value) in &fields {
            if !name.starts_with("hostnet.") {
                self.check(name, value, &mut errors);
            }
        }
        self.check_types(&fields, &mut errors);
        let missing = REQUIRED.iter().filter(|name| !fields.contains_key(**name));
        errors.extend(missing.map(|name| format!("missing {name}")));
        errors
    }

    fn is_opaque(&self, name: &str) -> bool {
        self.0
            .get(name)
            .is_some_and(|field| matches!(&*field.r#type, "object" | "flattened" | "nested"))
    }

    fn flatten<'a>(
        &self,
        object: &'a Map<String, Value>,
        prefix: &str,
        fields: &mut BTreeMap<String, &'a Value>,
    ) {
        for (key, value) in object {
            let name = format!("{prefix}{key}");
            match value {
                Value::Object(inner) if !self.is_opaque(&name) => {
                    self.flatten(inner, &format!("{name}."), fields);
                }
                _ => {
                    fields.insert(name, value);
                }
            }
        }
    }

    fn check(&self, name: &str, value: &Value, errors: &mut Vec<String>) {
        let Some(field) = self.0.get(name) else {
            errors.push(format!("unknown field {name}"));
            return;
        };
        let is_array = field.normalize.iter().any(|rule| rule == "array");
        if is_array != value.is_array() && !self.is_opaque(name) {
            let expected = if is_array { "an array" } else { "a single value" };
            errors.push(format!("{name}: {expected} expected, not {value}"));
        }
        let single = std::slice::from_ref(value);
        for item in value.as_array().map_or(single, Vec::as_slice) {
            if !is_of_type(&field.r#type, item) {
                errors.push(format!("{name}: {item} is not {}", field.r#type));
            }
            let allowed = &field.allowed_values;
            if !allowed.is_empty() && !allowed.iter().any(|value| item == value.name.as_str()) {
                errors.push(format!("{name}: {item} is not an allowed value"));
            }
        }
    }

    fn check_types(&self, fields: &BTreeMap<String, &Value>, errors: &mut Vec<String>) {
        let strings = |name: &str| -> BTreeSet<&str> {
            let values = fields.get(name).and_then(|value| value.as_array());
            values.into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let types = strings("event.type");
        let categories = &self.0["event.category"].allowed_values;
        for category in strings("event.category") {
            let Some(known) = categories.iter().find(|known| known.name == category) else {
                continue;
            };
            let expected = &known.expected_event_types;
            if !expected.is_empty() && !expected.iter().any(|name| types.contains(name.as_str())) {
                errors
                    .push(format!("event.type {types:?} is not expected for category {category}"));
            }
        }
    }
}

fn is_of_type(kind: &str, value: &Value) -> bool {
    match kind {
        "long" | "integer" | "short" | "unsigned_long" => value.is_i64() || value.is_u64(),
        "float" | "double" | "scaled_float" | "half_float" => value.is_number(),
        "ip" => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        "boolean" => value.is_boolean(),
        "date" => value.as_str().is_some_and(is_date),
        "keyword" | "constant_keyword" | "wildcard" | "match_only_text" | "text" => {
            value.is_string()
        }
        _ => true,
    }
}

/// RFC 3339 in UTC with at most nanoseconds.
fn is_date(text: &str) -> bool {
    let shape = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text.bytes().zip(pattern.bytes()).all(|(found, expected)| match expected {
                b'0' => found.is_ascii_digit(),
                _ => found == expected,
            })
    };
    let Some((whole, rest)) = text.split_at_checked(19) else { return false };
    let fraction =
        rest.strip_suffix('Z').map(|fraction| fraction.strip_prefix('.').unwrap_or(fraction));
    let digits = fraction.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let length = rest == "Z" || (rest.starts_with('.') && (3..=11).contains(&rest.len()));
    shape(whole, "0000-00-00T00:00:00") && digits && length
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "@timestamp": "2026-11-23T18:20:00.123456789Z",
            "ecs": {"version": "9.4.0"},
            "event": {
                "id": "1", "sequence": 1, "kind": "event", "outcome": "success",
                "category": ["network"], "type": ["connection", "start"]
            },
            "source": {"ip": "::1", "port": 80},
            "container": {"labels": {"any": "thing"}},
            "hostnet": {"anything": [1, "x"]}
        })
    }

    #[test]
    fn accepts_a_good_event() {
        assert_eq!(Schema::read().errors(&event()), [""; 0]);
    }

    #[test]
    fn finds_every_kind_of_fault() {
        let schema = Schema::read();
        let mut faults = 0;
        let mut expect = |change: &dyn Fn(&mut Value), error: &str| {
            let mut event = event();
            change(&mut event);
            assert_eq!(schema.errors(&event), [error]);
            faults += 1;
        };
        expect(&|e| e["source"]["colour"] = json!("red"), "unknown field source.colour");
        expect(&|e| e["source"]["port"] = json!("80"), "source.port: \"80\" is not long");
        expect(&|e| e["source"]["ip"] = json!("host"), "source.ip: \"host\" is not ip");
        expect(
            &|e| e["event"]["outcome"] = json!("maybe"),
            "event.outcome: \"maybe\" is not an allowed value",
        );
        expect(
            &|e| e["source"]["port"] = json!([80]),
            "source.port: a single value expected, not [80]",
        );
        expect(
            &|e| e["event"]["type"] = json!(["user"]),
            "event.type {\"user\"} is not expected for category network",
        );
        expect(
            &|e| e["@timestamp"] = json!("2026-11-23 18:20:00"),
            "@timestamp: \"2026-11-23 18:20:00\" is not date",
        );
        expect(
            &|e| {
                e["event"].as_object_mut().map(|event| event.remove("sequence"));
            },
            "missing event.sequence",
        );
        assert_eq!(faults, 8);
    }
}
