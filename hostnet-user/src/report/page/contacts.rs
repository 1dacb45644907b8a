//! Who talked to whom, in detail.

use maud::{Markup, html};

use super::{Section, shown};
use crate::report::{Facts, facts::Contact};

pub fn section(facts: &Facts) -> Section {
    let contacts = &facts.contacts;
    Section {
        anchor: "peers",
        title: "Peers",
        count: Some(contacts.of as u64),
        about: "What passed between a container and an address, the most first. Bytes are of TCP \
                connections that ended, datagrams of UDP sockets that are closed.",
        content: html! {
            details open[contacts.details.len() <= 25] {
                summary { b { (shown::count(contacts.details.len() as u64, "row", "rows")) } }
                div.scroll { table {
                    thead { tr {
                        th { "CONTAINER" } th { "" } th { "OTHER END" } th { "WHO IS THERE" } th { "SURFACE" }
                        th.n { "BEGUN" } th.n { "FAILED" } th.n { "SENT" } th.n { "RECEIVED" }
                        th { "FIRST" } th { "LAST" }
                    } }
                    tbody { @for contact in &contacts.details { (one(contact)) } }
                } }
            }
            (shown::more(contacts.of - contacts.details.len(), "addresses", "hostnet query peers"))
        },
    }
}

fn one(contact: &Contact) -> Markup {
    html! {
        tr {
            td { (shown::text(&contact.container)) }
            td.nb { (if contact.is_ingress { "← " } else { "→ " }) (shown::cut(&contact.protocol, 20)) }
            td.m { (shown::text(&contact.address)) }
            td { (shown::optional(Some(contact.peer.as_str()).filter(|peer| !peer.is_empty()))) }
            td { span.badge { (shown::cut(&contact.surface, 30)) } }
            td.n { (shown::number(contact.begun)) }
            td.n { @if contact.failed > 0 { (shown::number(contact.failed)) } }
            td.n { (amount(contact.bytes.0, contact.datagrams.0)) }
            td.n { (amount(contact.bytes.1, contact.datagrams.1)) }
            td { (shown::time(contact.times.0)) }
            td { (shown::time(contact.times.1)) }
        }
    }
}

fn amount(bytes: u64, datagrams: u64) -> String {
    match (bytes, datagrams) {
        (0, 0) => String::new(),
        (bytes, 0) => shown::bytes(bytes),
        (0, datagrams) => shown::count(datagrams, "datagram", "datagrams"),
        (bytes, datagrams) => {
            format!("{}, {}", shown::bytes(bytes), shown::count(datagrams, "datagram", "datagrams"))
        }
    }
}
