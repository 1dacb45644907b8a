//! The user's own rules among the stages: each event that is told is shown to them as
//! the document it is written as, and what they find is an event, too. Without rules
//! no document is made.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    event::{Event, Finding, FindingEnds, Operation, Owner, Rule, Severity, Technique},
    format::ecs::{Encoder, Identity},
    judge::{
        ToldBefore, finding_id,
        sigma::{About, Level, RuleText, Rules},
    },
    record::Recorded,
};

/// The rules of a run.
pub struct UserRules {
    rules: Rules,
    encoder: Option<Encoder>,
    line: Vec<u8>,
    told: ToldBefore,
}

impl UserRules {
    /// None yet. What was found is found again after `repeat_after_ns`.
    #[must_use]
    pub fn new(repeat_after_ns: u64) -> Self {
        let told = ToldBefore::new(repeat_after_ns);
        Self { rules: Rules::default(), encoder: None, line: Vec::new(), told }
    }

    /// Where the run is: documents say so.
    pub fn identify(&mut self, identity: &Identity) {
        self.encoder = Some(Encoder::new(identity));
    }

    /// These rules from now on. The bad ones among them were told when they were read.
    pub fn replace(&mut self, texts: &[RuleText]) {
        (self.rules, _) = Rules::parse(texts);
    }

    /// Adds what the rules find of the event to `findings`.
    pub fn judge(&mut self, record: &Recorded, findings: &mut Vec<Event>) {
        let event = &record.event;
        let Some(encoder) = self.encoder.as_mut().filter(|_| !self.rules.is_empty()) else {
            return;
        };
        if event.is_finding() || matches!(event.operation, Operation::Health(_)) {
            return;
        }
        self.line.clear();
        // What cannot be written is not told either, and the output says so.
        let document: Value = match encoder.encode(record, &mut self.line) {
            Ok(()) => serde_json::from_slice(&self.line).unwrap_or_default(),
            Err(_) => return,
        };
        let nobody = Owner::unknown(0, None);
        let owner = event.owner.as_deref().unwrap_or(&nobody);
        for about in self.rules.judge(&document) {
            let subject = subject(event);
            if self.told.is_news(&about.id, owner, &subject, event.wall_ns) {
                findings.push(finding(event, &about, subject));
            }
        }
    }
}

/// What the act was aimed at, so that the same act is told once.
fn subject(event: &Event) -> String {
    let told = event.operation.told();
    let name = |name: Option<&crate::event::UnixAddress>| name.map(ToString::to_string);
    let address = |address: Option<std::net::SocketAddr>| address.map(|one| one.to_string());
    let end = address(told.remote())
        .or_else(|| name(told.remote_name()))
        .or_else(|| address(told.local()))
        .or_else(|| name(told.local_name()))
        .unwrap_or_default();
    format!("{} {end}", told.operation()).trim_end().to_owned()
}

fn finding(event: &Event, about: &Arc<About>, subject: String) -> Event {
    let technique = |id: &String| Technique { id: id.clone().into(), name: "".into() };
    let rule = Rule {
        id: about.id.clone().into(),
        name: about.title.clone().into(),
        description: about.description.clone().into(),
        ruleset: "sigma",
        techniques: about.techniques.iter().map(technique).collect(),
    };
    let operation = Finding {
        rule: Arc::new(rule),
        severity: severity(about.level),
        subject,
        sentence: event.operation.to_string(),
        evidence: event.id,
        ends: FindingEnds::of(event.operation.told()),
    };
    let id = finding_id(event.id, &about.id);
    Event { id, amends: None, operation: operation.into(), ..event.clone() }
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::Informational | Level::Low => Severity::Low,
        Level::Medium => Severity::Medium,
        Level::High => Severity::High,
        Level::Critical => Severity::Critical,
    }
}
