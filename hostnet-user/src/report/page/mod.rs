//! The page: one file that runs nothing and fetches nothing. One file per section;
//! none of them knows where facts are from.

mod contacts;
mod containers;
mod findings;
mod listeners;
mod manifest;
mod matrix;
mod processes;
mod record;
mod shown;
mod summary;
mod timeline;
mod verdicts;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::Facts;

/// Everything that is not text.
const STYLE: &str = include_str!("style.css");

/// A section: its anchor, its heading, how many things are in it, and what it shows.
struct Section {
    anchor: &'static str,
    title: &'static str,
    count: Option<u64>,
    /// What it is, for who sees it the first time.
    about: &'static str,
    content: Markup,
}

/// The page of these facts.
#[must_use]
pub fn html(facts: &Facts) -> String {
    let sections = [
        findings::section(facts),
        timeline::section(facts),
        containers::section(facts),
        verdicts::section(facts),
        matrix::section(facts),
        contacts::section(facts),
        listeners::section(facts),
        processes::section(facts),
        record::section(facts),
        manifest::section(facts),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "hostnet " (facts.origin.version) };
                title { "hostnet report: " (shown::cut(&facts.host.name, 80)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (summary::header(facts))
                (navigation(&sections))
                main {
                    (summary::tiles(facts))
                    @for section in &sections { (render(section)) }
                    (footer(facts))
                }
            }
        }
    };
    page.into_string()
}

/// Nothing may run, be fetched, be sent or be put around; only the one style is applied.
fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

fn navigation(sections: &[Section]) -> Markup {
    html! {
        nav { ul {
            @for section in sections {
                li { a href={ "#" (section.anchor) } {
                    (section.title)
                    @if let Some(count) = section.count { b { (shown::number(count)) } }
                } }
            }
        } }
    }
}

fn render(section: &Section) -> Markup {
    html! {
        section id=(section.anchor) {
            h2 { (section.title) }
            p.about { (section.about) }
            (section.content)
        }
    }
}

fn footer(facts: &Facts) -> Markup {
    html! {
        footer {
            "Made by hostnet " (facts.origin.version) ". Times are UTC. Names are as they were found; "
            "characters that would not be seen are spelt out, such as " code { "\\n" } " or "
            code { "\\u{202e}" } ", and a backslash is doubled."
        }
    }
}
