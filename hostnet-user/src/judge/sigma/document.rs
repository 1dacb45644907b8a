//! An ECS document as the rules see it: only the fields they name, each one value.
//! A list is one text, its elements with a space between them, because the crate that
//! judges does not look into lists; `parse` lets it be compared by parts alone.

use serde_json::Value;
use sigma_rust::Event;

/// Ends the name of a field that is compared by size: what it holds is then a number,
/// even where ECS writes it as text.
pub const BY_SIZE: &str = "#number";

/// The fields that rules name.
#[derive(Debug, Default)]
pub struct Wanted(Vec<(String, Vec<String>)>);

impl Wanted {
    /// Each field once.
    pub fn new<'a>(names: impl Iterator<Item = &'a String>) -> Self {
        let names: std::collections::BTreeSet<&String> = names.collect();
        let path = |name: &str| {
            let name = name.strip_suffix(BY_SIZE).unwrap_or(name);
            name.split('.').map(ToOwned::to_owned).collect()
        };
        Self(names.into_iter().map(|name| (name.clone(), path(name))).collect())
    }

    /// What the rules see of a document.
    pub fn event(&self, document: &Value) -> Event {
        let mut event = Event::new();
        let mut found = Vec::new();
        for (name, path) in &self.0 {
            found.clear();
            collect(document, path, &mut found);
            if name.ends_with(BY_SIZE) {
                if let [value] = found.as_slice()
                    && let Some(number) = number(value)
                {
                    event.insert(name.as_str(), number);
                }
                continue;
            }
            match found.as_slice() {
                [] => {}
                [Value::String(text)] => event.insert(name.as_str(), text.as_str()),
                [Value::Bool(flag)] => event.insert(name.as_str(), *flag),
                [Value::Number(number)] => match (number.as_i64(), number.as_u64()) {
                    (Some(number), _) => event.insert(name.as_str(), number),
                    (None, Some(number)) => event.insert(name.as_str(), number),
                    _ => event.insert(name.as_str(), number.as_f64().unwrap_or_default()),
                },
                several => {
                    let texts: Vec<String> = several.iter().map(|value| text(value)).collect();
                    event.insert(name.as_str(), texts.join(" "));
                }
            }
        }
        event
    }
}

/// Every value at the path, through lists.
fn collect<'a>(value: &'a Value, path: &[String], found: &mut Vec<&'a Value>) {
    match (value, path) {
        (Value::Array(values), _) => {
            for value in values {
                collect(value, path, found);
            }
        }
        (Value::Object(object), [name, rest @ ..]) => {
            if let Some(value) = object.get(name) {
                collect(value, rest, found);
            }
        }
        (Value::Null | Value::Object(_), _) | (_, [_, ..]) => {}
        (value, []) => found.push(value),
    }
}

/// A number, or one that is written as text; what is too large is the largest.
fn number(value: &Value) -> Option<i64> {
    let number: i128 = match value {
        Value::Number(number) => {
            number.as_i64().map(i128::from).or(number.as_u64().map(i128::from))?
        }
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX }))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
