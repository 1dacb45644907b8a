//! The audit as SARIF 2.1.0 (OASIS), which code hosts and scanners' dashboards read:
//! a rule for each reason, a result for each reason of each subject.

use serde_json::{Value, json};

use crate::audit::{Audit, Level, RULES, Reason, Rule, Subject};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The document.
pub fn log(audit: &Audit) -> Value {
    let results = audit
        .in_host_network
        .iter()
        .flat_map(|subject| subject.reasons.iter().map(move |reason| result(subject, reason)));
    let notices =
        audit.gaps.iter().map(|gap| json!({ "level": "warning", "message": { "text": gap } }));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "hostnet audit",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": RULES.iter().map(rule).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": audit.complete,
                "endTimeUtc": audit.taken_at,
                "machine": audit.host.name,
                "toolExecutionNotifications": notices.collect::<Vec<_>>(),
            }],
            "results": results.collect::<Vec<_>>(),
            "properties": {
                "host": audit.host,
                "cis": audit.cis,
                "docker_ps": audit.docker_ps,
            },
        }],
    })
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": format!("{}.", rule.says) },
        "defaultConfiguration": { "level": level(rule.level) },
        "properties": {
            "security-severity": score(rule.level),
            "tags": ["security", "container", "network"],
        },
    })
}

fn result(subject: &Subject, reason: &Reason) -> Value {
    let index = RULES.iter().position(|rule| rule.id == reason.id).unwrap_or_default();
    let id = subject.container_id.as_deref().unwrap_or(&subject.attribution.cgroup_path);
    let kind = if subject.container_id.is_some() { "container" } else { "cgroup" };
    json!({
        "ruleId": reason.id,
        "ruleIndex": index,
        "level": level(reason.level),
        "message": { "text": format!("{}: {}", subject.label, reason.says) },
        "locations": [{ "logicalLocations": [{
            "name": subject.label,
            "fullyQualifiedName": id,
            "kind": kind,
        }]}],
        // The same finding in the next audit has the same one.
        "partialFingerprints": { "hostnet/v1": format!("{id}/{}", reason.id) },
        "properties": {
            "risk": reason.level,
            "image": subject.container.as_ref().map(|container| &container.image),
            "expectation": subject.expectation.standing,
        },
    })
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::None => "none",
        Level::Low => "note",
        Level::Medium => "warning",
        Level::High | Level::Critical => "error",
    }
}

/// As code hosts sort them: CVSS-like numbers, written as text.
const fn score(level: Level) -> &'static str {
    match level {
        Level::None => "0.0",
        Level::Low => "3.0",
        Level::Medium => "5.5",
        Level::High => "8.0",
        Level::Critical => "9.5",
    }
}
