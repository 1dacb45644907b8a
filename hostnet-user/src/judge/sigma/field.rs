//! One field of a selection: what it is compared with, as it is judged, or why not.

use serde_norway::Value;

use super::{
    cost::{LONGEST_VALUE, regex_fault},
    document::BY_SIZE,
    fields,
    parse::{Reader, in_words},
    values::{self, Way},
};
use crate::event::RuleFault;
use crate::format::fields::Kind;

/// Modifiers that are known.
const MODIFIERS: [&str; 20] = [
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "endswith",
    "exists",
    "fieldref",
    "gt",
    "gte",
    "lt",
    "lte",
    "re",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "wide",
    "windash",
];

/// Those that compare a part of a text, so that a list may be compared.
const OF_PARTS: [&str; 3] = ["contains", "exists", "re"];

impl Reader<'_> {
    /// The field with its modifiers, and what it is compared with, as they are judged.
    pub fn field(&mut self, line: usize, key: &str, value: &Value) -> Option<(String, Value)> {
        let mut words = key.split('|');
        let name = words.next().unwrap_or_default();
        let modifiers: Vec<String> = words.map(str::to_lowercase).collect();
        if let Some(unknown) = modifiers.iter().find(|one| !MODIFIERS.contains(&one.as_str())) {
            let known = MODIFIERS.join(", ");
            self.fault(line, format!("unknown modifier `{unknown}`: it must be one of {known}"));
            return None;
        }
        let way = Way::of(&modifiers);
        let kind = self.kind(line, name)?;
        if fields::is_list(name) && !OF_PARTS.iter().any(|one| modifiers.iter().any(|it| it == one))
        {
            let reason =
                format!("`{name}` may have several values: compare it with |contains or |re");
            self.fault(line, reason);
            return None;
        }
        let mut is_by_size = matches!(way, Way::Size(_));
        if let (Way::Field, Some(other)) = (way, value.as_str()) {
            let other_kind = self.kind(line, other)?;
            if let Err(reason) = values::comparable(name, kind, other, other_kind) {
                self.fault(line, reason);
                return None;
            }
            is_by_size = kind == Kind::Number && other_kind == Kind::Number;
            self.wants(other, is_by_size);
        }
        let judged = self.wants(name, is_by_size);
        let key = modifiers.iter().fold(judged, |key, modifier| format!("{key}|{modifier}"));
        let mut prepare = |one: &Value| {
            self.values += 1;
            let line = self.line_of(line, one);
            self.value(line, &key, name, kind, way, one)
        };
        let value = match value {
            Value::Sequence(several) => {
                Value::Sequence(several.iter().filter_map(prepare).collect())
            }
            one => prepare(one)?,
        };
        let value = match (way, value) {
            (Way::Field, Value::String(other)) if is_by_size => format!("{other}{BY_SIZE}").into(),
            (_, value) => value,
        };
        Some((key, value))
    }

    /// What a field holds. One that no event has is no fault where ECS has it: the same
    /// rule may be for other logs, too.
    fn kind(&mut self, line: usize, name: &str) -> Option<Kind> {
        let kind = fields::kind(name);
        if kind.is_some() {
            return kind;
        }
        let reason =
            format!("no event has a field `{name}`: fields are those of ECS and of docs/events.md");
        if name.starts_with("hostnet.finding.") || fields::is_of_ecs(name) {
            self.warn(line, format!("{reason}; what it is compared with never matches"));
            return Some(Kind::Free);
        }
        self.fault(line, reason);
        None
    }

    /// Notes that a field is looked at; its name for the crate.
    fn wants(&mut self, name: &str, by_size: bool) -> String {
        let name = if by_size { format!("{name}{BY_SIZE}") } else { name.to_owned() };
        self.fields.insert(name.clone());
        name
    }

    fn line_of(&self, line: usize, value: &Value) -> usize {
        let text = value.as_str().and_then(|text| self.line_of_value(line, text));
        text.unwrap_or(line)
    }

    fn value(
        &mut self,
        line: usize,
        key: &str,
        name: &str,
        kind: Kind,
        way: Way,
        value: &Value,
    ) -> Option<Value> {
        if value.is_null() {
            let shown = key.replace(BY_SIZE, "");
            self.fault(line, format!("`{shown}` is compared with nothing: use |exists: false"));
            return None;
        }
        if let Some(text) = value.as_str() {
            if text.len() > LONGEST_VALUE {
                let reason = format!(
                    "a value has {} bytes, and {LONGEST_VALUE} are judged at most",
                    text.len()
                );
                self.fault(line, reason);
                return None;
            }
            if way == Way::Regex
                && let Some(reason) = regex_fault(text)
            {
                self.fault(line, reason);
                return None;
            }
        }
        let prepared = match values::prepared(name, kind, way, value) {
            Ok(prepared) => prepared,
            Err(reason) => {
                self.fault(line, reason);
                return None;
            }
        };
        if let (Way::Equal, Kind::Word(words), Some(text)) = (way, kind, prepared.as_str())
            && !text.contains(['*', '?'])
            && !words.iter().any(|word| word.eq_ignore_ascii_case(text))
        {
            let words = words.join(", ");
            self.warn(line, format!("`{name}` is never {text:?}: it is one of {words}"));
        }
        // The crate's own word on this field and value alone, for its line.
        if let Err(error) = alone(key, &prepared) {
            self.fault(line, in_words(&error.to_string()));
            return None;
        }
        Some(prepared)
    }

    fn warn(&mut self, line: usize, reason: String) {
        self.warnings.push(RuleFault { file: self.file.to_owned(), line: Some(line), reason });
    }
}

/// Whether the crate takes this field with this value.
fn alone(key: &str, value: &Value) -> serde_norway::Result<()> {
    let map = |pairs: Vec<(&str, Value)>| {
        Value::Mapping(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    };
    let detection = map(vec![("s", map(vec![(key, value.clone())])), ("condition", "s".into())]);
    let rule = map(vec![
        ("title", "t".into()),
        ("logsource", map(vec![("product", "p".into())])),
        ("detection", detection),
    ]);
    serde_norway::from_value::<sigma_rust::Rule>(rule).map(drop)
}
