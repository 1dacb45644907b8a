//! Whether anything is missing.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{Section, shown};
use crate::report::{
    Facts,
    facts::{Covered, Record},
};

pub fn section(facts: &Facts) -> Section {
    let record = &facts.record;
    Section {
        anchor: "record",
        title: "Coverage and gaps",
        count: None,
        about: "What this page can be silent about: times at which no agent ran, records that were lost \
                or suppressed, and operations that this kernel does not show.",
        content: html! {
            (verdict(record))
            @if !record.gaps.is_empty() { (gaps(record)) }
            h3 { "Runs of the agent" }
            div.scroll { table {
                thead { tr { th { "FROM" } th { "UNTIL" } th { "" } th { "RUN" } } }
                tbody { @for run in &record.runs {
                    tr {
                        td { (shown::time(run.times.0)) }
                        td { (shown::time(run.times.1)) }
                        td { (if run.has_ended { "ended" } else { "no end recorded" }) }
                        td.m.dim { (shown::cut(&run.run, 40)) }
                    }
                } }
            } }
            @if !record.coverage.is_empty() {
                h3 { "Operations" }
                @for (set, rows) in sets(&record.coverage) { (covered(set, &rows)) }
            }
        },
    }
}

fn verdict(record: &Record) -> Markup {
    html! {
        p {
            @if record.is_complete() {
                span.badge.good { "complete" }
                " An agent observed all of this time, nothing was lost, and every hook was proven to work."
            } @else if record.runs.is_empty() {
                span.badge.medium { "unknown" } " The history has no run of an agent."
            } @else {
                span.badge.medium { "not complete" } " "
                @if record.of > 0 { (shown::count(record.of as u64, "gap", "gaps")) ", listed below. " }
                @if !record.is_covered { "Some operations are not seen on this kernel, or were not proven." }
            }
        }
    }
}

fn gaps(record: &Record) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "FROM" } th { "UNTIL" } th { "" } th { "WHY" } } }
            tbody { @for gap in &record.gaps {
                tr {
                    td { (shown::time(gap.times.0)) }
                    td { (shown::time(gap.times.1)) }
                    td { span.badge.medium { (if gap.is_blind { "no agent ran" } else { "missing" }) } }
                    td.w { (shown::long(&gap.why)) }
                }
            } }
        } }
        (shown::more(record.of - record.gaps.len(), "gaps", "hostnet query events --action records-lost"))
    }
}

fn sets(coverage: &[Covered]) -> BTreeMap<&str, Vec<&Covered>> {
    let mut sets = BTreeMap::<&str, Vec<&Covered>>::new();
    for row in coverage {
        sets.entry(&row.set).or_default().push(row);
    }
    sets
}

fn covered(set: &str, rows: &[&Covered]) -> Markup {
    let proven = rows.iter().filter(|row| row.state == "proven").count();
    html! {
        details {
            summary {
                @if proven == rows.len() { span.badge.good { "proven" } }
                @else { span.badge.medium { (proven) " of " (rows.len()) } }
                b { (shown::cut(set, 40)) }
            }
            div.box { div.scroll { table { tbody { @for row in rows {
                tr {
                    td { (shown::text(&row.operation)) }
                    td.m.dim { (shown::text(&row.hook)) }
                    td { (shown::cut(&row.state, 20)) }
                    td.dim { (shown::text(&row.reason)) }
                }
            } } } } }
        }
    }
}
