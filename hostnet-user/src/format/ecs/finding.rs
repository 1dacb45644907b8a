//! `rule` and `threat`: what is wrong, and what it looks like.

use serde_json::value::RawValue;

use super::{super::fit::Cut, parts::Parts};
use crate::{
    event::{Event, Operation},
    text::json::raw,
};

/// What a finding has beside the event that shows it.
pub struct FindingParts {
    pub severity: u8,
    pub rule: Box<RawValue>,
    pub threat: Option<Box<RawValue>>,
    /// What it is about, as much of it as there is room for.
    pub subject: String,
}

impl FindingParts {
    pub fn of(event: &Event, parts: &Parts, cut: &mut Cut) -> Option<Self> {
        let Operation::Finding(finding) = &event.operation else { return None };
        Some(Self {
            severity: finding.severity.number(),
            rule: raw(&finding.rule.fields()),
            threat: finding.rule.threat().map(|threat| raw(&threat)),
            subject: parts.text(&finding.subject, "hostnet.finding.subject", cut).into_owned(),
        })
    }
}
