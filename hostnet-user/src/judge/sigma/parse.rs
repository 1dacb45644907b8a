//! A rule from its text, or every reason why not with its line. What the crate that
//! judges would take and then not do is refused here.

use std::{collections::BTreeSet, sync::Arc};

use serde_norway::{Mapping, Value};
use uuid::Uuid;

use super::{
    About, Level, Rule, RuleFault,
    cost::{DEEPEST_CONDITION, LONGEST_CONDITION, LONGEST_VALUE, MOST_VALUES, regex_fault},
    fields,
};

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

/// What events are of, by `logsource.category`.
const CATEGORIES: [&str; 4] = ["network", "process", "state", "health"];

/// Reads a rule.
pub fn rule(file: &str, text: &str) -> Result<Rule, Vec<RuleFault>> {
    let mut reader = Reader { file, text, faults: Vec::new(), values: 0, fields: BTreeSet::new() };
    let rule = reader.rule();
    match rule {
        Some(rule) if reader.faults.is_empty() => Ok(rule),
        _ => Err(reader.faults),
    }
}

/// The line of a top-level key, the first when it is not there.
pub fn line_of_top(text: &str, key: &str) -> usize {
    line_of_key(text, 0, key, true).map_or(1, |line| line + 1)
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    faults: Vec<RuleFault>,
    values: usize,
    fields: BTreeSet<String>,
}

impl Reader<'_> {
    fn rule(&mut self) -> Option<Rule> {
        let value: Value = match serde_norway::from_str(self.text) {
            Ok(value) => value,
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                let reason = if self.text.lines().skip(1).any(|line| line.trim_end() == "---") {
                    "has several documents: give each rule a file of its own".to_owned()
                } else {
                    format!("is not YAML: {error}")
                };
                self.fault(line, reason);
                return None;
            }
        };
        let Value::Mapping(map) = &value else {
            self.fault(1, "is not a rule: it must have title, id, logsource and detection");
            return None;
        };
        if map.contains_key("correlation") {
            let line = line_of_top(self.text, "correlation");
            self.fault(line, "is a correlation: only rules over one event are judged");
            return None;
        }
        let about = self.about(map);
        let dataset = self.dataset(map);
        match map.get("detection") {
            Some(Value::Mapping(detection)) => self.detection(detection),
            Some(_) => self.fault_at("detection", "detection must have selections and a condition"),
            None => self.fault(1, "has no detection: say what it is that fires"),
        }
        if !self.faults.is_empty() {
            return None;
        }
        match sigma_rust::rule_from_yaml(self.text) {
            Ok(detection) => {
                let fields = std::mem::take(&mut self.fields);
                Some(Rule { about: Arc::new(about), dataset, fields, detection })
            }
            Err(error) => {
                let line = self.line_in_detection("condition");
                self.fault(line, in_words(&error.to_string()));
                None
            }
        }
    }

    fn about(&mut self, map: &Mapping) -> About {
        let title = self.text_of(map, "title").unwrap_or_default();
        if title.is_empty() {
            self.fault_at("title", "has no title: say in a few words what it finds");
        }
        let id = match self.text_of(map, "id") {
            Some(id) if Uuid::try_parse(&id).is_ok() => id.to_lowercase(),
            Some(_) => {
                self.fault_at("id", "its id is no UUID: make one, for example by uuidgen");
                String::new()
            }
            None => {
                self.fault_at("id", "has no id: give it a UUID, for example by uuidgen");
                String::new()
            }
        };
        let level = match self.text_of(map, "level") {
            None => Level::default(),
            Some(name) => {
                Level::ALL.into_iter().find(|level| level.name() == name).unwrap_or_else(|| {
                    let known = Level::ALL.map(Level::name).join(", ");
                    let reason = format!("its level is {name:?}: it must be one of {known}");
                    self.fault_at("level", &reason);
                    Level::default()
                })
            }
        };
        if self.text_of(map, "status").as_deref() == Some("unsupported") {
            self.fault_at("status", "says of itself that it is unsupported: it is not judged");
        }
        let technique = |tag: &String| {
            let id = tag.strip_prefix("attack.t")?;
            id.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("T{}", id.to_uppercase()))
        };
        About {
            title,
            id,
            level,
            techniques: self.texts_of(map, "tags").iter().filter_map(technique).collect(),
            description: self.text_of(map, "description").unwrap_or_default().trim().to_owned(),
            falsepositives: self.texts_of(map, "falsepositives"),
            file: self.file.to_owned(),
        }
    }

    /// Which events it is about.
    fn dataset(&mut self, map: &Mapping) -> Option<String> {
        let Some(Value::Mapping(source)) = map.get("logsource") else {
            self.fault_at("logsource", "has no logsource: it must be product: hostnet");
            return None;
        };
        let of = |key: &str| source.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        match of("product").as_deref() {
            Some("hostnet") => {}
            _ => self.fault_at(
                "logsource",
                "is about other logs: logsource.product must be hostnet, and the fields those of ECS",
            ),
        }
        let category = of("category")?;
        if !CATEGORIES.contains(&category.as_str()) {
            let known = CATEGORIES.join(", ");
            let reason = format!("logsource.category is {category:?}: it must be one of {known}");
            self.fault_at("logsource", &reason);
        }
        Some(format!("hostnet.{category}"))
    }

    fn detection(&mut self, detection: &Mapping) {
        let before = self.faults.len();
        for (key, value) in detection {
            let Value::String(name) = key else {
                self.fault_at("detection", "a selection has no name");
                continue;
            };
            if name == "condition" {
                continue;
            }
            let line = self.line_in_detection(name);
            match value {
                Value::Mapping(fields) => {
                    self.selection(line, fields);
                }
                Value::Sequence(several) if several.iter().all(Value::is_mapping) => {
                    let mut at = line;
                    for fields in several.iter().filter_map(Value::as_mapping) {
                        at = self.selection(at, fields);
                    }
                }
                Value::Sequence(_) => self.fault(
                    line,
                    format!("selection `{name}` has words without a field: name the field they are in"),
                ),
                _ => self.fault(
                    line,
                    format!("`{name}` is no selection: it must have fields; times and counts are not judged"),
                ),
            }
        }
        if self.values > MOST_VALUES {
            let reason = format!(
                "compares with {} values, and {MOST_VALUES} are judged at most: split it",
                self.values
            );
            self.fault_at("detection", &reason);
        }
        // What a broken selection does to the condition is no news.
        if self.faults.len() == before {
            self.condition(detection);
        }
    }

    /// One group of fields. Returns the line of the last one.
    fn selection(&mut self, line: usize, fields: &Mapping) -> usize {
        let mut at = line;
        if fields.is_empty() {
            self.fault(line, "a selection has no fields");
        }
        for (key, value) in fields {
            let Value::String(key) = key else {
                self.fault(at, "a field's name is no text");
                continue;
            };
            let found = line_of_key(self.text, at - 1, key, false);
            let line = found.map_or(at, |line| line + 1);
            at = line;
            self.field(line, key, value);
        }
        at
    }

    fn field(&mut self, line: usize, key: &str, value: &Value) {
        let mut words = key.split('|');
        let name = words.next().unwrap_or_default();
        let modifiers: Vec<String> = words.map(str::to_lowercase).collect();
        if let Some(unknown) = modifiers.iter().find(|one| !MODIFIERS.contains(&one.as_str())) {
            let known = MODIFIERS.join(", ");
            self.fault(line, format!("unknown modifier `{unknown}`: it must be one of {known}"));
            return;
        }
        let has = |one: &str| modifiers.iter().any(|modifier| modifier == one);
        let named = if has("fieldref") { value.as_str() } else { None };
        for name in std::iter::once(name).chain(named) {
            if !fields::is_known(name) {
                let reason = format!(
                    "no event has a field `{name}`: fields are those of ECS and of docs/events.md"
                );
                self.fault(line, reason);
                return;
            }
            self.fields.insert(name.to_owned());
        }
        if fields::is_list(name) && !OF_PARTS.iter().any(|one| has(one)) {
            let reason =
                format!("`{name}` may have several values: compare it with |contains or |re");
            self.fault(line, reason);
            return;
        }
        let several = match value {
            Value::Sequence(several) => several.as_slice(),
            one => std::slice::from_ref(one),
        };
        self.values += several.len();
        for one in several {
            self.value(line, key, one, has("re"));
        }
    }

    fn value(&mut self, line: usize, key: &str, value: &Value, is_regex: bool) {
        let text = match value {
            Value::String(text) => Some(text.as_str()),
            Value::Null => {
                self.fault(line, format!("`{key}` is compared with nothing: use |exists: false"));
                return;
            }
            _ => None,
        };
        let line = text.and_then(|text| self.line_of_value(line, text)).unwrap_or(line);
        if let Some(text) = text {
            if text.len() > LONGEST_VALUE {
                let reason = format!(
                    "a value has {} bytes, and {LONGEST_VALUE} are judged at most",
                    text.len()
                );
                self.fault(line, reason);
                return;
            }
            if is_regex && let Some(reason) = regex_fault(text) {
                self.fault(line, reason);
                return;
            }
        }
        // The crate's own word on this field and value alone, for its line.
        if let Err(error) = alone(key, value) {
            self.fault(line, in_words(&error.to_string()));
        }
    }

    fn condition(&mut self, detection: &Mapping) {
        let line = self.line_in_detection("condition");
        let condition = match detection.get("condition") {
            Some(Value::String(condition)) => condition,
            Some(_) => return self.fault(line, "its condition is no text: join several with or"),
            None => return self.fault_at("detection", "has no condition"),
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_-*() \n".contains(c);
        if let Some(c) = condition.chars().find(|c| !is_word(*c)) {
            let reason = format!(
                "its condition has {c:?}: it is made of names, and, or, not, 1 of, all of and parentheses"
            );
            return self.fault(line, reason);
        }
        let words: Vec<&str> = condition
            .split(|c: char| c.is_whitespace() || "()".contains(c))
            .filter(|word| !word.is_empty())
            .collect();
        let is_not = |word: &&&str| word.eq_ignore_ascii_case("not");
        let depth = condition.matches('(').count() + words.iter().filter(is_not).count();
        if condition.len() > LONGEST_CONDITION || depth > DEEPEST_CONDITION {
            return self.fault(
                line,
                "its condition is too long, or has too many parentheses: split the rule",
            );
        }
        for pair in words.windows(2) {
            let [of, pattern] = pair else { continue };
            if !of.eq_ignore_ascii_case("of") || pattern.eq_ignore_ascii_case("them") {
                continue;
            }
            let start = pattern.split('*').next().unwrap_or_default();
            let is_one = |name: &Value| name.as_str().is_some_and(|name| name.starts_with(start));
            if !detection.keys().any(is_one) {
                self.fault(line, format!("no selection is called `{pattern}`"));
            }
        }
    }

    fn text_of(&self, map: &Mapping, key: &str) -> Option<String> {
        match map.get(key)? {
            Value::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn texts_of(&self, map: &Mapping, key: &str) -> Vec<String> {
        let several = map.get(key).and_then(Value::as_sequence);
        let texts = several.into_iter().flatten().filter_map(Value::as_str);
        texts.map(ToOwned::to_owned).collect()
    }

    fn line_in_detection(&self, key: &str) -> usize {
        let detection = line_of_top(self.text, "detection");
        line_of_key(self.text, detection - 1, key, false).map_or(detection, |line| line + 1)
    }

    /// The line at or after `line` that has this value.
    fn line_of_value(&self, line: usize, value: &str) -> Option<usize> {
        let first = value.lines().next().filter(|first| !first.is_empty())?;
        let lines = self.text.lines().enumerate().skip(line - 1);
        let has_it = |(_, text): &(usize, &str)| text.contains(first);
        lines.take(MOST_VALUES).find(has_it).map(|(at, _)| at + 1)
    }

    fn fault_at(&mut self, key: &str, reason: &str) {
        self.fault(line_of_top(self.text, key), reason);
    }

    fn fault(&mut self, line: usize, reason: impl Into<String>) {
        let file = self.file.to_owned();
        self.faults.push(RuleFault { file, line: Some(line), reason: reason.into() });
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

/// The line, counted from 0, from `from` on at which this key stands.
fn line_of_key(text: &str, from: usize, key: &str, is_top: bool) -> Option<usize> {
    let is_it = |line: &str| {
        let line = if is_top { line } else { line.trim_start_matches([' ', '-', '{']) };
        let line = line.trim_start_matches(['"', '\'']);
        let rest = line.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']));
        rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    text.lines().enumerate().skip(from).find(|(_, line)| is_it(line)).map(|(at, _)| at)
}

/// Another's sentence as a part of ours.
fn in_words(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().into_iter().flat_map(char::to_lowercase);
    first.chain(chars).collect::<String>().trim_end_matches('.').to_owned()
}
