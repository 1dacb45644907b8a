//! A rule from its text, or every reason why not with its line. What the crate that
//! judges would take and then not do is refused here.

use std::{collections::BTreeSet, sync::Arc};

use serde_norway::{Mapping, Value};
use uuid::Uuid;

use super::{About, Level, Rule, condition, cost::MOST_VALUES};
use crate::event::RuleFault;

/// What events are of, by `logsource.category`.
const CATEGORIES: [&str; 4] = ["network", "process", "state", "health"];

/// Reads a rule.
pub fn rule(file: &str, text: &str) -> Result<Rule, Vec<RuleFault>> {
    let mut reader = Reader {
        file,
        text,
        faults: Vec::new(),
        warnings: Vec::new(),
        values: 0,
        fields: BTreeSet::new(),
    };
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

pub struct Reader<'a> {
    pub file: &'a str,
    text: &'a str,
    faults: Vec<RuleFault>,
    pub warnings: Vec<RuleFault>,
    pub values: usize,
    pub fields: BTreeSet<String>,
}

impl Reader<'_> {
    fn rule(&mut self) -> Option<Rule> {
        if self.text.starts_with('\u{feff}') {
            self.fault(1, "begins with a UTF-8 byte order mark: save it as UTF-8 without one");
            return None;
        }
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
        let mut prepared = map.clone();
        match map.get("detection") {
            Some(Value::Mapping(detection)) => {
                prepared.insert("detection".into(), self.detection(detection).into());
            }
            Some(_) => self.fault_at("detection", "detection must have selections and a condition"),
            None => self.fault(1, "has no detection: say what it is that fires"),
        }
        if !self.faults.is_empty() {
            return None;
        }
        match serde_norway::from_value(prepared.into()) {
            Ok(detection) => {
                let fields = std::mem::take(&mut self.fields);
                let warnings = std::mem::take(&mut self.warnings);
                Some(Rule { about: Arc::new(about), dataset, fields, detection, warnings })
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

    /// The same detection with values that match what the fields hold.
    fn detection(&mut self, detection: &Mapping) -> Mapping {
        let before = self.faults.len();
        let mut prepared = detection.clone();
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
                    let (_, fields) = self.selection(line, fields);
                    prepared.insert(key.clone(), fields.into());
                }
                Value::Sequence(several) if several.iter().all(Value::is_mapping) => {
                    let (mut at, mut groups) = (line, Vec::new());
                    for fields in several.iter().filter_map(Value::as_mapping) {
                        let (last, fields) = self.selection(at, fields);
                        at = last;
                        groups.push(fields.into());
                    }
                    prepared.insert(key.clone(), Value::Sequence(groups));
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
        prepared
    }

    /// One group of fields. Returns the line of the last one, and the group as it is judged.
    fn selection(&mut self, line: usize, fields: &Mapping) -> (usize, Mapping) {
        let (mut at, mut prepared) = (line, Mapping::new());
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
            if let Some((key, value)) = self.field(line, key, value) {
                prepared.insert(key.into(), value);
            }
        }
        (at, prepared)
    }

    fn condition(&mut self, detection: &Mapping) {
        let line = self.line_in_detection("condition");
        let selections: Vec<&str> = detection.keys().filter_map(Value::as_str).collect();
        match detection.get("condition") {
            Some(Value::String(text)) => {
                if let Some(reason) = condition::fault(text, &selections) {
                    self.fault(line, reason);
                }
            }
            Some(_) => self.fault(line, "its condition is no text: join several with or"),
            None => self.fault_at("detection", "has no condition"),
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
    pub fn line_of_value(&self, line: usize, value: &str) -> Option<usize> {
        let first = value.lines().next().filter(|first| !first.is_empty())?;
        let lines = self.text.lines().enumerate().skip(line - 1);
        let has_it = |(_, text): &(usize, &str)| text.contains(first);
        lines.take(MOST_VALUES).find(has_it).map(|(at, _)| at + 1)
    }

    fn fault_at(&mut self, key: &str, reason: &str) {
        self.fault(line_of_top(self.text, key), reason);
    }

    pub fn fault(&mut self, line: usize, reason: impl Into<String>) {
        let file = self.file.to_owned();
        self.faults.push(RuleFault { file, line: Some(line), reason: reason.into() });
    }
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
pub fn in_words(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().into_iter().flat_map(char::to_lowercase);
    first.chain(chars).collect::<String>().trim_end_matches('.').to_owned()
}
