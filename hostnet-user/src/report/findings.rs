//! Findings, rule by rule: counted all, shown some.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value as Json;

use super::facts::{Finding, Findings, Mark, Rule};
use crate::{
    event::Severity,
    query::{self, Event, Filter, History},
};

/// Rules on a page.
const RULES: usize = 100;

/// Findings that are shown of each.
const SHOWN: usize = 20;

/// Marks on the timeline.
const MARKS: usize = 1500;

pub fn gather(history: &History, filter: &Filter) -> Result<Findings> {
    let mut found = Findings::default();
    let mut rules = BTreeMap::<String, Rule>::new();
    query::each_finding(history, filter, |event| {
        add(&mut found, &mut rules, event);
        Ok(())
    })?;
    found.rules = rules.into_values().collect();
    found.rules.sort_by(|one, other| {
        (other.severity, other.count, &one.id).cmp(&(one.severity, one.count, &other.id))
    });
    found.rules.truncate(RULES);
    Ok(found)
}

fn add(found: &mut Findings, rules: &mut BTreeMap<String, Rule>, event: Event) {
    // What has no rule is what a finding with one is about.
    let Some(id) = event.read.rule.id.clone() else { return };
    let severity = severity(event.read.event.severity);
    *found.by_severity.entry(severity).or_default() += 1;
    let of_owner = found.by_owner.entry(event.owner.clone()).or_insert((0, severity));
    *of_owner = (of_owner.0 + 1, of_owner.1.max(severity));
    if found.marks.len() < MARKS {
        found.marks.push(Mark {
            time: event.time,
            owner: event.owner.clone(),
            severity,
            rule: id.clone(),
        });
    }
    let rule = rules.entry(id.clone()).or_insert_with(|| new_rule(id, &event));
    rule.count += 1;
    // The worst of them are worth a place more than the first.
    let is_worse = severity > rule.severity;
    rule.severity = rule.severity.max(severity);
    if rule.shown.len() < SHOWN || is_worse {
        rule.shown.truncate(SHOWN - 1);
        rule.shown.push(finding(severity, event));
    }
}

fn new_rule(id: String, event: &Event) -> Rule {
    let document: Json = serde_json::from_str(&event.document).unwrap_or_default();
    let description = document["rule"]["description"].as_str().unwrap_or_default();
    let technique = &event.read.threat.technique;
    let (ids, names) = (texts(&technique.id), texts(&technique.name));
    let name_at = |at: usize| names.get(at).cloned().unwrap_or_default();
    Rule {
        name: event.read.rule.name.clone().unwrap_or_else(|| id.clone()),
        id,
        description: description.to_owned(),
        severity: Severity::Low,
        techniques: ids.into_iter().enumerate().map(|(at, id)| (id, name_at(at))).collect(),
        count: 0,
        shown: Vec::new(),
    }
}

fn finding(severity: Severity, event: Event) -> Finding {
    let Event { time, owner, read, .. } = event;
    let own = &read.hostnet.finding;
    Finding {
        time,
        severity,
        container: read.container.label().map_or(owner, str::to_owned),
        process: read.process.name,
        pid: read.process.pid,
        message: read.message,
        evidence: own["evidence"].as_str().unwrap_or_default().to_owned(),
        event_id: read.event.id,
    }
}

/// By the number, whoever wrote it: between two of ours it is the lower one.
fn severity(number: Option<u64>) -> Severity {
    let number = number.unwrap_or_default();
    let is_at_least = |one: &&Severity| u64::from(one.number()) <= number;
    Severity::ALL.iter().rev().find(is_at_least).copied().unwrap_or(Severity::Low)
}

fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) => vec![text.clone()],
        Json::Array(all) => all.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
