//! The head of the page: what it is of, and what there is to know first.

use maud::{Markup, html};

use super::shown;
use crate::{event::Severity, report::Facts};

pub fn header(facts: &Facts) -> Markup {
    let (from, to) = facts.window;
    let host = if facts.host.name.is_empty() { "unnamed host" } else { &facts.host.name };
    html! {
        header { div {
            h1 { small { "hostnet report" } (shown::text(host)) }
            p {
                (shown::time(from)) " to " (shown::time(to)) " UTC (" (shown::lasted(from, to)) ")"
                @if let Some(narrowed) = &facts.narrowed { ", only " (shown::text(narrowed)) }
            }
            @if !facts.host.system.is_empty() { p { (shown::text(&facts.host.system)) } }
            div.verdict { (verdict(facts)) (whole(facts)) (chain(facts)) }
        } }
    }
}

/// Findings by severity, the worst first.
fn verdict(facts: &Facts) -> Markup {
    let found = &facts.findings.by_severity;
    html! {
        @for severity in Severity::ALL.iter().rev() {
            @if let Some(count) = found.get(severity) {
                span class={ "badge " (severity.name()) } { (shown::number(*count)) " " (severity.name()) }
            }
        }
        @if found.is_empty() { span.badge.good { "no findings" } }
    }
}

fn whole(facts: &Facts) -> Markup {
    let record = &facts.record;
    html! {
        @if record.is_complete() {
            span.badge.good { "record complete" }
        } @else if record.of > 0 {
            span.badge.medium { (shown::count(record.of as u64, "gap", "gaps")) " in the record" }
        } @else {
            span.badge.medium { "not all operations are seen" }
        }
    }
}

fn chain(facts: &Facts) -> Markup {
    html! {
        @match &facts.origin.verified {
            Some(Ok(_)) => span.badge.good { "chain verified" },
            Some(Err(_)) => span.badge.critical { "chain broken" },
            None => span.badge { "chain not checked" },
        }
    }
}

pub fn tiles(facts: &Facts) -> Markup {
    let containers = facts.containers.of - hosts(facts);
    let contacts = &facts.contacts;
    let connections: u64 = contacts.details.iter().map(|contact| contact.begun).sum();
    let is_cut = contacts.of > contacts.details.len();
    html! {
        div.tiles {
            (tile(containers as u64, "containers in the host network"))
            (tile(facts.findings.by_severity.values().sum(), "findings"))
            (tile(facts.events, "events"))
            (tile(connections, if is_cut { "connections, at least" } else { "connections" }))
            (tile(facts.listeners.rows.of as u64, "listeners"))
            (tile(facts.record.runs.len() as u64, "runs of the agent"))
        }
    }
}

fn hosts(facts: &Facts) -> usize {
    facts.containers.shown.iter().filter(|row| row.container_id == "host").count()
}

fn tile(count: u64, what: &str) -> Markup {
    html! { div.tile { b { (shown::number(count)) } span { (what) } } }
}
