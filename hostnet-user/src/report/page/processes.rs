//! What ran, as trees.

use maud::{Markup, html};

use super::{Section, shown};
use crate::{
    query::TreeRow,
    report::{Facts, facts::Tree},
};

/// The deepest that is indented further than the one above.
const DEEPEST: usize = 8;

pub fn section(facts: &Facts) -> Section {
    let part = &facts.trees;
    Section {
        anchor: "processes",
        title: "Processes",
        count: None,
        about: "What each container ran while it used the host's network; children below their parents.",
        content: html! {
            @if let Some(since) = part.since {
                p.more { "There are too many events to show all: those from " (shown::time(since)) " on are listed." }
            }
            @if part.rows.shown.is_empty() { p { "No process was seen." } }
            @for tree in &part.rows.shown { (one(tree)) }
            (shown::more(part.rows.rest(), "containers", "hostnet query tree"))
        },
    }
}

fn one(tree: &Tree) -> Markup {
    html! {
        details {
            summary {
                b { (shown::text(&tree.container)) }
                span.end { (shown::count(tree.rows.of as u64, "process", "processes")) }
            }
            div.box {
                ol.tree { @for row in &tree.rows.shown { (process(row)) } }
                (shown::more(tree.rows.rest(), "processes", "hostnet query tree --container NAME"))
            }
        }
    }
}

fn process(row: &TreeRow) -> Markup {
    let command = row.command_line.as_deref().or(row.executable.as_deref());
    html! {
        li class={ "d" (row.depth.min(DEEPEST)) } {
            b { (shown::text(&row.process)) } span.dim.m { "[" (row.pid) "]" } " "
            @if let Some(command) = command { span.m { (shown::long(command)) } }
            span.dim {
                @if let Some(start) = row.start { " from " (shown::time(start)) }
                @if let Some(end) = row.end { " to " (shown::time(end)) }
                @if let Some(status) = row.status.filter(|status| *status != 0) { ", status " (status) }
                @if let Some(signal) = row.signal { ", signal " (signal) }
                @if let Some(user) = row.user.as_deref().filter(|user| *user != "0") {
                    ", user " (shown::cut(user, 20))
                }
            }
        }
    }
}
