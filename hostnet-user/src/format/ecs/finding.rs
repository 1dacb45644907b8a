//! `rule`, `threat` and `hostnet.finding`: what is wrong, and what it looks like.

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use super::{super::fit::Cut, parts::Parts};
use crate::{
    event::{Event, Finding, Operation, Severity, Technique},
    text::json::raw,
};

/// What a finding has beside the event that shows it.
pub struct FindingParts {
    pub severity: u8,
    pub rule: Box<RawValue>,
    pub threat: Option<Box<RawValue>>,
    pub own: FindingFields,
}

/// `hostnet.finding`
#[derive(Serialize)]
pub struct FindingFields {
    severity: Severity,
    subject: String,
    evidence: Uuid,
}

impl FindingParts {
    pub fn of(event: &Event, parts: &Parts, cut: &mut Cut) -> Option<Self> {
        let Operation::Finding(finding) = &event.operation else { return None };
        let Finding { rule, severity, subject, evidence, .. } = finding;
        Some(Self {
            severity: severity.number(),
            rule: raw(&json!({
                "id": rule.id,
                "name": rule.name,
                "description": rule.description,
                "ruleset": rule.ruleset,
            })),
            threat: threat(&rule.techniques).map(|threat| raw(&threat)),
            own: FindingFields {
                severity: *severity,
                subject: parts.text(subject, "hostnet.finding.subject", cut).into_owned(),
                evidence: *evidence,
            },
        })
    }
}

fn threat(techniques: &[Technique]) -> Option<Value> {
    let ids: Vec<&str> = techniques.iter().map(|technique| &*technique.id).collect();
    let names: Vec<&str> = techniques.iter().map(|technique| &*technique.name).collect();
    let mut technique = json!({ "id": ids });
    // A name belongs to the id at its place.
    if names.iter().all(|name| !name.is_empty()) {
        technique["name"] = names.into();
    }
    (!ids.is_empty()).then(|| json!({ "framework": "MITRE ATT&CK", "technique": technique }))
}
