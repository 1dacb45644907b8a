//! What an event has to be: conditions on its fields, by dotted path.

use std::fmt;

use serde_json::Value;

use crate::{container::Container, field::at};

/// Starts a description of an event.
pub fn want() -> Want {
    Want::default()
}

/// Conditions an event has to meet; fields not named may be anything.
#[derive(Clone, Default)]
pub struct Want(Vec<(String, Condition)>);

#[derive(Clone)]
enum Condition {
    Equals(Value),
    EqualsOneOf(Vec<Value>),
    Includes(Value),
    Present,
    Absent,
    Between(i64, i64),
}

impl Want {
    /// A connect to this port.
    pub fn attempt(self, port: u16) -> Self {
        self.action("connection_attempted").is("hostnet.remote.port", port)
    }

    /// The action, which most descriptions begin with.
    pub fn action(self, action: &str) -> Self {
        self.is("event.action", action)
    }

    pub fn is(self, path: &str, value: impl Into<Value>) -> Self {
        self.and(path, Condition::Equals(value.into()))
    }

    pub fn one_of<V: Into<Value>, const N: usize>(self, path: &str, values: [V; N]) -> Self {
        self.and(path, Condition::EqualsOneOf(values.map(Into::into).to_vec()))
    }

    /// The field is an array with this element.
    pub fn includes(self, path: &str, value: impl Into<Value>) -> Self {
        self.and(path, Condition::Includes(value.into()))
    }

    pub fn present(self, path: &str) -> Self {
        self.and(path, Condition::Present)
    }

    pub fn absent(self, path: &str) -> Self {
        self.and(path, Condition::Absent)
    }

    /// The field is a whole number from `low` to `high`.
    pub fn between(self, path: &str, low: i64, high: i64) -> Self {
        self.and(path, Condition::Between(low, high))
    }

    /// The endpoint `path` is the one the actor told.
    pub fn endpoint(self, path: &str, truth: &Value) -> Self {
        assert!(truth["ip"].is_string(), "the actor told no endpoint: {truth}");
        self.is(&format!("{path}.ip"), truth["ip"].clone())
            .is(&format!("{path}.port"), truth["port"].clone())
    }

    /// The event's owner is this container, by its full identity.
    pub fn owned_by(self, container: &Container) -> Self {
        let owned = self
            .is("hostnet.owner.kind", "container")
            .is("container.id", container.id.as_str())
            .is("container.runtime", "docker");
        if container.is_bare() {
            return owned.is("hostnet.attribution.confidence", "path").absent("container.name");
        }
        let (image, tag) = container.image.split_once(':').expect("a tag");
        owned
            .is("container.name", container.name.as_str())
            .is("container.image.name", image)
            .is("container.image.tag", serde_json::json!([tag]))
    }

    fn and(mut self, path: &str, condition: Condition) -> Self {
        self.0.push((path.to_owned(), condition));
        self
    }

    pub fn matches(&self, event: &Value) -> bool {
        self.0.iter().all(|(path, condition)| condition.holds(at(event, path)))
    }

    /// Every condition the event does not meet.
    pub fn differences(&self, event: &Value) -> Vec<String> {
        self.0
            .iter()
            .filter(|(path, condition)| !condition.holds(at(event, path)))
            .map(|(path, condition)| {
                let found = at(event, path).map_or("nothing".to_owned(), Value::to_string);
                format!("{path}: expected {condition}, found {found}")
            })
            .collect()
    }
}

impl Condition {
    fn holds(&self, found: Option<&Value>) -> bool {
        match self {
            Self::Equals(value) => found == Some(value),
            Self::EqualsOneOf(values) => found.is_some_and(|found| values.contains(found)),
            Self::Includes(value) => {
                found.and_then(Value::as_array).is_some_and(|values| values.contains(value))
            }
            Self::Present => found.is_some(),
            Self::Absent => found.is_none(),
            Self::Between(low, high) => {
                found.and_then(Value::as_i64).is_some_and(|number| (*low..=*high).contains(&number))
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => write!(f, "{value}"),
            Self::EqualsOneOf(values) => write!(f, "one of {}", Value::from(values.clone())),
            Self::Includes(value) => write!(f, "an array with {value}"),
            Self::Present => write!(f, "anything"),
            Self::Absent => write!(f, "nothing"),
            Self::Between(low, high) => write!(f, "{low} to {high}"),
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, condition) in &self.0 {
            writeln!(f, "  {path}: {condition}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_what_differs() {
        let event = json!({"a": {"b": 1, "list": ["x"]}, "port": 80});
        let all = want().is("a.b", 1).includes("a.list", "x").absent("a.c").between("port", 1, 80);
        assert!(all.matches(&event));
        assert!(all.differences(&event).is_empty());
        let none =
            want().is("a.b", 2).includes("a.list", "y").present("a.c").between("port", 1, 79);
        assert!(!none.matches(&event));
        assert_eq!(
            none.differences(&event),
            [
                "a.b: expected 2, found 1",
                "a.list: expected an array with \"y\", found [\"x\"]",
                "a.c: expected anything, found nothing",
                "port: expected 1 to 79, found 80"
            ]
        );
    }
}
