//! Who waited for others, where, and for how long.

use maud::{Markup, html};

use super::{Section, shown};
use crate::{query::ListenerRow, report::Facts};

/// The first port that needs no privilege, unless the host was told otherwise.
const UNPRIVILEGED_FROM: u16 = 1024;

pub fn section(facts: &Facts) -> Section {
    let part = &facts.listeners;
    let (containers, host): (Vec<_>, Vec<_>) =
        part.rows.shown.iter().partition(|row| row.container_id.is_some());
    Section {
        anchor: "listeners",
        title: "Listeners",
        count: Some(part.rows.of as u64),
        about: "Sockets that others could connect or send to. With host networking a port is the \
                host's: what is on all addresses is reachable from wherever the host is.",
        content: html! {
            @if let Some(since) = part.since {
                p.more { "There are too many events to show all: those from " (shown::time(since)) " on are listed." }
            }
            @if containers.is_empty() { p { "No container listened." } }
            @else { (table(&containers)) }
            @if !host.is_empty() {
                details {
                    summary { b { "The host's own" } span.end { (shown::number(host.len() as u64)) } }
                    div.box { (table(&host)) }
                }
            }
            (shown::more(part.rows.rest(), "listeners", "hostnet query listeners"))
        },
    }
}

fn table(rows: &[&ListenerRow]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th { "ADDRESS" } th { "EXPOSURE" } th { "OWNER" } th { "PROCESS" } th { "FROM" } th { "UNTIL" }
            } }
            tbody { @for row in rows { (one(row)) } }
        } }
    }
}

fn one(row: &ListenerRow) -> Markup {
    let address = match row.port {
        0 => row.address.clone(),
        port if row.address.contains(':') => format!("[{}]:{port}", row.address),
        port => format!("{}:{port}", row.address),
    };
    let is_privileged = (1..UNPRIVILEGED_FROM).contains(&row.port);
    html! {
        tr {
            td.m { span.dim { (shown::cut(&row.protocol, 20)) } " " (shown::text(&address)) }
            td.nb {
                @match row.exposure.as_deref() {
                    Some("any") => span.badge.high { "all addresses" },
                    Some("loopback") => span.badge { "loopback" },
                    Some("specific") => span.badge.medium { "one address" },
                    _ => span.dim { "–" },
                }
                @if is_privileged { " " span.badge { "privileged port" } }
            }
            td { (shown::text(&row.container)) }
            td { (shown::process(row.process.as_deref(), row.pid)) }
            td { (shown::time(row.since)) }
            td {
                (shown::maybe_time(row.until))
                @if let Some(why) = &row.why { span.dim { (shown::text(why)) } }
            }
        }
    }
}
