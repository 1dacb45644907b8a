//! What should not be, rule by rule.

use maud::{Markup, html};

use super::{Section, shown};
use crate::report::{Facts, facts::Rule};

pub fn section(facts: &Facts) -> Section {
    let findings = &facts.findings;
    Section {
        anchor: "findings",
        title: "Findings",
        count: Some(findings.by_severity.values().sum()),
        about: "What a container did in the host's network and should not have, or should have a \
                reason for, the worst first. Evidence is the id of the event that shows it: hostnet \
                query sql \"SELECT document FROM events WHERE event_id = 'ID'\".",
        content: html! {
            @if findings.rules.is_empty() { p { "No findings." } }
            @for (at, rule) in findings.rules.iter().enumerate() { (one(at, rule)) }
        },
    }
}

fn one(at: usize, rule: &Rule) -> Markup {
    // The worst is open, so that nobody has to know that there is more.
    html! {
        details open[at == 0] {
            summary {
                (shown::severity(rule.severity))
                b { (shown::text(&rule.name)) }
                @for (id, name) in &rule.techniques {
                    span.dim.m title=(shown::cut(name, 80)) { (shown::cut(id, 20)) }
                }
                span.end { (shown::number(rule.count)) }
            }
            div.box {
                p { (shown::long(&rule.description)) }
                @if !rule.techniques.is_empty() {
                    p {
                        "MITRE ATT&CK: "
                        @for (at, (id, name)) in rule.techniques.iter().enumerate() {
                            @if at > 0 { "; " }
                            span.m { (shown::cut(id, 20)) } " " (shown::text(name))
                        }
                    }
                }
                (table(rule))
                (shown::more(
                    usize::try_from(rule.count).unwrap_or(usize::MAX).saturating_sub(rule.shown.len()),
                    "of this rule",
                    "hostnet query findings",
                ))
            }
        }
    }
}

fn table(rule: &Rule) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "TIME" } th { "" } th { "CONTAINER" } th { "PROCESS" } th { "WHAT" } th { "EVIDENCE" } } }
            tbody {
                @for finding in &rule.shown {
                    tr {
                        td { (shown::time(finding.time)) }
                        td { (shown::severity(finding.severity)) }
                        td { (shown::text(&finding.container)) }
                        td { (shown::process(finding.process.as_deref(), finding.pid)) }
                        td.w { (shown::long(&finding.message)) }
                        td.m.dim { (shown::cut(&finding.evidence, 40)) }
                    }
                }
            }
        } }
    }
}
