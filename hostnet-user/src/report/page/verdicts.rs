//! Who needed the host's network, and who could do without.

use maud::{Markup, html};

use super::{Section, shown};
use crate::{
    advise::{Advice, Answer, Bridge},
    query::Time,
    report::Facts,
};

/// Containers that are shown, and things of each.
const SHOWN: usize = 100;
const THINGS: usize = 12;
/// Options of a command.
const OPTIONS: usize = 20;

pub fn section(facts: &Facts) -> Section {
    let verdicts = &facts.verdicts;
    Section {
        anchor: "verdicts",
        title: "Needed?",
        count: None,
        about: "Whether each container needed host networking for what it was seen to do, and what \
                would replace it. That something was used is certain; that nothing was is only as \
                certain as the observation was complete.",
        content: html! {
            @if let Some(why) = &verdicts.why_not { p { "No verdicts: " (shown::long(why)) "." } }
            @else if verdicts.advice.is_empty() { p { "No container used the host's network." } }
            @for advice in verdicts.advice.iter().take(SHOWN) { (one(advice)) }
            (shown::more(verdicts.advice.len().saturating_sub(SHOWN), "containers", "hostnet advise"))
        },
    }
}

fn one(advice: &Advice) -> Markup {
    let verdict = &advice.verdict;
    let class = match verdict.answer {
        Answer::Needed => "badge high",
        Answer::NotEnoughObserved => "badge",
        Answer::NotNeeded => "badge good",
    };
    html! {
        details {
            summary {
                b { (shown::text(&advice.label)) }
                span class=(class) { (verdict.answer.words()) }
                @if let Some(confidence) = verdict.confidence {
                    span.dim { "confidence " (confidence.word()) }
                }
                span.end { (summary(advice)) }
            }
            div.box {
                @for reason in &verdict.because { p { "Because " (shown::long(reason)) } }
                @for doubt in &verdict.doubts { p.dim { (shown::long(doubt)) } }
                (evidence(advice))
                @if verdict.answer == Answer::NotNeeded { (change(advice)) }
            }
        }
    }
}

/// How long it was looked at, and how much it did.
fn summary(advice: &Advice) -> Markup {
    let observed = Time(i64::try_from(advice.observed.observed_ns).unwrap_or(i64::MAX));
    let connections = advice.measured.connections_in + advice.measured.connections_out;
    html! {
        "observed " (shown::lasted(Time(0), observed))
        ", " (shown::count(connections, "connection", "connections"))
    }
}

fn evidence(advice: &Advice) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "WHAT IT TOOK" } th { "ON A BRIDGE NETWORK" } th.n { "TIMES" } } }
            tbody {
                @for thing in advice.evidence.iter().take(THINGS) {
                    tr {
                        td { (shown::text(&thing.subject)) }
                        td { @match &thing.bridge {
                            Bridge::AsWell => span.good { "the same" },
                            Bridge::If(says) => (shown::long(says)),
                            Bridge::Unclear(says) => span.medium { (shown::long(says)) },
                            Bridge::Not(says) => span.high { (shown::long(says)) },
                        } }
                        td.n { (shown::number(thing.seen.count)) }
                    }
                }
            }
        } }
        (shown::more(advice.evidence.len().saturating_sub(THINGS), "things", "hostnet advise CONTAINER"))
    }
}

fn change(advice: &Advice) -> Markup {
    html! {
        @if advice.change.docker_run.is_empty() {
            p { "Instead of --network host: nothing; it needs no published port." }
        } @else {
            p { "Instead of --network host:" }
            @let (options, more) = advice.change.options(OPTIONS);
            p { code { bdi { (options) } } }
            (shown::more(more, "options", "hostnet advise CONTAINER --format json"))
        }
        @for condition in &advice.change.conditions { p { (shown::long(condition)) } }
    }
}
