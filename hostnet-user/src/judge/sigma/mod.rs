//! Sigma rules over one event, as its ECS document has it. The crate that judges
//! knows neither lists nor which fields there are; this folder does, so that a rule
//! either does what it says or is refused with the line that is wrong.
//!
//! It knows documents, not events, and nothing of who asks. Only `load` does I/O.

mod condition;
mod cost;
mod document;
mod field;
mod fields;
mod load;
mod pack;
mod parse;
#[cfg(test)]
mod tests;
mod values;

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use serde_json::Value;

pub use load::{RuleText, read};
pub use pack::pack;

use crate::event::{Category, RuleFault};
use document::Wanted;

/// Rules that are judged together.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Every field that one of them names: nothing else of a document is looked at.
    wanted: Wanted,
}

/// One rule.
#[derive(Debug)]
struct Rule {
    about: Arc<About>,
    /// `event.dataset` of the events it is about; any when there is none.
    dataset: Option<String>,
    fields: BTreeSet<String>,
    detection: sigma_rust::Rule,
    /// What it is judged with and cannot match.
    warnings: Vec<RuleFault>,
}

/// What a rule says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// Its UUID.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// How much a match matters.
    pub level: Level,
    /// Techniques of MITRE ATT&CK, such as `T1046`.
    pub techniques: Vec<String>,
    /// What it means and what to do.
    pub description: String,
    /// Who does the same for good reasons.
    pub falsepositives: Vec<String>,
    /// The file it is from.
    pub file: String,
}

/// Sigma's levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// To be kept with the event, nothing to act upon.
    Informational,
    /// Worth knowing.
    Low,
    /// Should be looked at; of a rule that does not say.
    #[default]
    Medium,
    /// Should be looked at soon.
    High,
    /// Should be looked at now.
    Critical,
}

impl Level {
    /// Every one of them, the least first.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// As rules write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Rules {
    /// The rules that this document, an event of ours in ECS, breaks. They are about
    /// what was done: a finding is not judged again.
    #[must_use]
    pub fn judge(&self, document: &Value) -> Vec<Arc<About>> {
        let dataset = document.pointer("/event/dataset").and_then(Value::as_str);
        if self.rules.is_empty() || dataset == Some(Category::Finding.dataset()) {
            return Vec::new();
        }
        let event = self.wanted.event(document);
        let is_about = |rule: &&Rule| rule.dataset.is_none() || rule.dataset.as_deref() == dataset;
        self.rules
            .iter()
            .filter(is_about)
            .filter(|rule| rule.detection.is_match(&event))
            .map(|rule| Arc::clone(&rule.about))
            .collect()
    }

    /// What the rules say of themselves, in the order of their files.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<About>> {
        self.rules.iter().map(|rule| &rule.about)
    }

    /// What is not wrong with the rules, and hardly what was meant.
    pub fn warnings(&self) -> impl Iterator<Item = &RuleFault> {
        self.rules.iter().flat_map(|rule| &rule.warnings)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none, so that no document need be made.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules that these texts are, and what is wrong with the others.
    #[must_use]
    pub fn parse(texts: &[RuleText]) -> (Self, Vec<RuleFault>) {
        let (mut rules, mut faults): (Vec<Rule>, Vec<RuleFault>) = Default::default();
        for RuleText { file, text } in texts {
            let rule = match parse::rule(file, text) {
                Ok(rule) => rule,
                Err(found) => {
                    faults.extend(found);
                    continue;
                }
            };
            match rules.iter().find(|other| other.about.id == rule.about.id) {
                Some(other) => {
                    let reason = format!(
                        "its id is that of {}: give it one of its own, for example by uuidgen",
                        other.about.file
                    );
                    let line = Some(parse::line_of_top(text, "id"));
                    faults.push(RuleFault { file: file.clone(), line, reason });
                }
                None => rules.push(rule),
            }
        }
        (Self::of(rules), faults)
    }

    fn of(rules: Vec<Rule>) -> Self {
        let wanted = Wanted::new(rules.iter().flat_map(|rule| &rule.fields));
        Self { rules, wanted }
    }
}
