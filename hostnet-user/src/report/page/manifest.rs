//! What the page was made of, by what and by whom: for who has to rely on it.

use maud::{Markup, html};

use super::{Section, shown};
use crate::report::Facts;

pub fn section(facts: &Facts) -> Section {
    let origin = &facts.origin;
    Section {
        anchor: "manifest",
        title: "Manifest",
        count: None,
        about: "What this page was made of, by which program, and how that is checked.",
        content: html! { dl {
            dt { "Made" } dd { (shown::maybe_time(origin.made)) " UTC by " (shown::text(&origin.operator)) }
            dt { "With" } dd {
                "hostnet " (shown::text(&origin.version))
                @if let Some(hash) = &origin.binary { br; span.m.dim { "SHA-256 " (shown::text(hash)) } }
            }
            dt { "Command" } dd.m { (shown::long(&origin.command_line.join(" "))) }
            dt { "Of" } dd.m { (shown::text(&origin.source)) }
            dt { "Host" } dd { (shown::text(&facts.host.name)) " " span.m.dim { (shown::text(&facts.host.id)) } }
            dt { "Boots" } dd.m { @for boot in &facts.host.boots { (shown::text(boot)) br; } }
            dt { "Window" } dd { (facts.window.0.to_string()) br; (facts.window.1.to_string()) }
            (rows(facts))
            (chain(facts))
        } },
    }
}

fn rows(facts: &Facts) -> Markup {
    let Some((first, last)) = &facts.rows else { return html! {} };
    html! {
        dt { "Rows" } dd {
            (first.id) " to " (last.id) " (" (shown::count(facts.events, "event", "events")) ")"
        }
        @for (name, place) in [("First", first), ("Last", last)] {
            dt { (name) } dd { "sequence " (place.sequence) " of run " span.m { (shown::text(&place.run)) } }
        }
    }
}

fn chain(facts: &Facts) -> Markup {
    html! {
        @if let Some(chain) = &facts.chain {
            dt { "History" } dd.m { (shown::text(&chain.history)) }
            dt { "Chain head" } dd { "row " (chain.row) br; span.m { (shown::text(&chain.hash)) } }
        }
        dt { "Verified" } dd {
            @match &facts.origin.verified {
                Some(Ok(good)) => span.good { (shown::long(good)) },
                Some(Err(bad)) => b.critical { (shown::long(bad)) },
                None => "not checked: ",
            }
            @if facts.origin.verified.is_none() {
                @if facts.chain.is_some() { code { "hostnet verify" } " does" }
                @else { "lines have no chain; " code { "hostnet stream check" } " says whether any is missing" }
            }
        }
    }
}
