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
            // One of several hosts does not replace another's results.
            "automationDetails": { "id": format!("hostnet-audit/{}/", segment(&audit.host.name)) },
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
        "name": rule.id,
        "shortDescription": { "text": format!("{}.", rule.says) },
        "fullDescription": { "text": format!("{}.", rule.says) },
        "help": { "text": "docs/audit.md explains every reason, and what to do about it." },
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
        "locations": [{
            // Code hosts take no result without a place in a file.
            "physicalLocation": {
                "artifactLocation": { "uri": uri(subject) },
                "region": { "startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1 },
            },
            "logicalLocations": [{
                "name": subject.label,
                "fullyQualifiedName": id,
                "kind": kind,
            }],
        }],
        // The same finding in the next audit has the same one.
        "partialFingerprints": { "hostnet/v1": format!("{id}/{}", reason.id) },
        "properties": {
            "risk": reason.level,
            "image": subject.container.as_ref().map(|container| &container.image),
            "expectation": subject.expectation.standing,
        },
    })
}

/// Where a code host shows the result: a relative reference that is the same in the next
/// audit, `containers/NAME` or `cgroups/PATH`.
fn uri(subject: &Subject) -> String {
    let (folder, path) = match &subject.container_id {
        Some(_) => ("containers", subject.label.as_str()),
        None => ("cgroups", subject.attribution.cgroup_path.as_str()),
    };
    let parts = path.split('/').filter(|part| !part.is_empty()).map(segment);
    std::iter::once(folder.to_owned()).chain(parts).collect::<Vec<_>>().join("/")
}

/// A part of a path as RFC 3986 has it. One of dots alone would lead elsewhere.
fn segment(text: &str) -> String {
    let is_dots = text.bytes().all(|byte| byte == b'.');
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) && !is_dots;
        if is_plain {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
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
