//! Who was in the host's network.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{Section, shown};
use crate::{query::ContainerRow, report::Facts};

pub fn section(facts: &Facts) -> Section {
    let containers = &facts.containers;
    Section {
        anchor: "containers",
        title: "Containers",
        count: Some(containers.of as u64),
        about: "Everybody whose sockets were in the host's network namespace, by what the kernel \
                says and whatever mode is declared. The host itself is there to compare with.",
        content: html! {
            div.scroll { table {
                thead { tr {
                    th { "CONTAINER" } th { "IMAGE" } th { "DECLARED" } th { "FIRST SEEN" } th { "LAST SEEN" }
                    th.n { "EVENTS" } th { "FINDINGS" } th { "REACHED" }
                } }
                tbody { @for row in &containers.shown { (one(facts, row)) } }
            } }
            (shown::more(containers.rest(), "containers", "hostnet query containers"))
        },
    }
}

fn one(facts: &Facts, row: &ContainerRow) -> Markup {
    let reached: BTreeSet<&str> = facts
        .contacts
        .details
        .iter()
        .filter(|contact| contact.container == row.container && !contact.is_ingress)
        .map(|contact| contact.surface.as_str())
        .collect();
    html! {
        tr {
            td {
                b { (shown::text(&row.container)) }
                @if row.container_id.len() > 12 {
                    br; span.m.dim title=(shown::cut(&row.container_id, 80)) {
                        (shown::cut(row.container_id.get(..12).unwrap_or_default(), 12))
                    }
                }
            }
            td { (shown::optional(row.image.as_deref())) }
            td {
                @match row.declared.as_deref() {
                    Some("host") => "host",
                    Some(declared) => span.badge.medium { (shown::cut(declared, 40)) },
                    None => span.dim { "–" },
                }
            }
            td { (shown::time(row.first)) }
            td { (shown::time(row.last)) @if row.left.is_some() { br; span.dim { "left" } } }
            td.n { (shown::number(row.events)) }
            td {
                @if let Some((count, worst)) = facts.findings.by_owner.get(&row.container_id) {
                    (shown::severity(*worst)) " " span.dim { (shown::number(*count)) }
                }
            }
            td { @for surface in reached { span.badge { (shown::cut(surface, 30)) } " " } }
        }
    }
}
