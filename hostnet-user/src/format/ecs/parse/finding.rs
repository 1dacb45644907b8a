//! `rule`, `threat` and `hostnet.finding`.

use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

use super::{
    NotOurs,
    document::{Document, Text},
    ends::{self, Ends},
    part,
};
use crate::{
    event::{Finding, FindingEnds, Owner, Process, Rule, Severity, Technique},
    format::ecs,
};

/// Who makes rules.
const RULESETS: [&str; 2] = ["hostnet", "sigma"];

/// `hostnet.finding`
#[derive(Deserialize)]
struct Fields {
    severity: Severity,
    #[serde(default)]
    subject: String,
    evidence: Uuid,
}

#[derive(Deserialize)]
struct RuleFields<'a> {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(borrow)]
    ruleset: Text<'a>,
}

#[derive(Deserialize)]
struct Threat {
    technique: Option<Techniques>,
}

#[derive(Deserialize)]
struct Techniques {
    #[serde(default)]
    id: Vec<String>,
    #[serde(default)]
    name: Vec<String>,
}

/// The finding of an event of that owner and process.
pub fn finding(
    document: &Document<'_>,
    ends: Ends,
    owner: Option<&Owner>,
    process: Option<&Process>,
) -> Result<Finding, NotOurs> {
    let missing = |field: &str| NotOurs::missing(field);
    let rule: Option<RuleFields<'_>> = part("rule", document.rule)?;
    let rule = rule.ok_or_else(|| missing("rule"))?;
    let fields: Option<Fields> = part("hostnet.finding", document.hostnet.finding)?;
    let Fields { severity, subject, evidence } =
        fields.ok_or_else(|| missing("hostnet.finding"))?;
    let ruleset = RULESETS.into_iter().find(|known| *known == rule.ruleset);
    let ruleset = ruleset.ok_or_else(|| NotOurs::field("rule.ruleset", "not known"))?;
    let threat: Option<Threat> = part("threat", document.threat)?;
    let Ends { local, remote, local_name, remote_name } = ends;
    let direction = ends::direction(document)?;
    Ok(Finding {
        rule: Arc::new(Rule {
            id: rule.id.into(),
            name: rule.name.into(),
            description: rule.description.into(),
            ruleset,
            techniques: threat
                .and_then(|threat| threat.technique)
                .map_or_else(Vec::new, techniques),
        }),
        severity,
        subject,
        sentence: sentence(document.message.as_deref().unwrap_or_default(), owner, process),
        evidence,
        ends: FindingEnds { local, remote, local_name, remote_name, direction },
    })
}

fn techniques(Techniques { id, name }: Techniques) -> Vec<Technique> {
    let mut names = name.into_iter();
    let technique = |id: String| {
        let name = names.next().unwrap_or_default();
        Technique { id: id.into(), name: name.into() }
    };
    id.into_iter().map(technique).collect()
}

/// The message without who did it.
fn sentence(message: &str, owner: Option<&Owner>, process: Option<&Process>) -> String {
    let Some(owner) = owner else { return message.to_owned() };
    let mut subject = String::new();
    ecs::subject(owner, process, &mut subject);
    let rest = message.strip_prefix(&subject).or_else(|| {
        // The image may have had a digest, which the document has nowhere else.
        let rest = message.strip_prefix(owner.label())?.strip_prefix(" (")?;
        rest.split_once(')').map(|(_, rest)| rest)
    });
    let rest = rest.and_then(|rest| rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' ')));
    rest.unwrap_or(message).to_owned()
}
