//! Who talked to whom, at a glance.

use maud::{Markup, html};

use super::{Section, shown};
use crate::report::{Facts, facts::Contacts};

/// Characters of a target's name.
const NAME: usize = 34;

pub fn section(facts: &Facts) -> Section {
    let contacts = &facts.contacts;
    let (who, targets) = contacts.left_out;
    Section {
        anchor: "matrix",
        title: "Who talks to whom",
        count: None,
        about: "Connections and datagram peers that containers began, by what the other end is to the \
                host; where that is this host, by the service that was there. Failed ones are in the \
                number, and below it.",
        content: html! {
            @if contacts.who.is_empty() { p { "No container made a connection." } }
            @else { div.scroll { (table(contacts)) } }
            (shown::more(who, "containers", "hostnet query peers"))
            (shown::more(targets, "targets", "hostnet query peers"))
        },
    }
}

fn table(contacts: &Contacts) -> Markup {
    let most = contacts.cells.values().map(|(begun, _)| *begun).max().unwrap_or(1).max(1);
    html! {
        table.matrix {
            thead {
                tr {
                    th {}
                    @for (surface, columns) in surfaces(contacts) {
                        th.s.g colspan=(columns) { (shown::cut(surface, 30)) }
                    }
                }
                tr {
                    th {}
                    @for (at, target) in contacts.targets.iter().enumerate() {
                        th.t.g[begins(contacts, at)] title=(shown::cut(&target.name, 200)) {
                            span { (shown::cut(&target.name, NAME)) }
                        }
                    }
                }
            }
            tbody {
                @for (row, who) in contacts.who.iter().enumerate() {
                    tr {
                        td.who { (shown::text(who)) }
                        @for column in 0..contacts.targets.len() {
                            (cell(contacts.cells.get(&(row, column)), most, begins(contacts, column)))
                        }
                    }
                }
            }
        }
    }
}

fn cell(cell: Option<&(u64, u64)>, most: u64, begins: bool) -> Markup {
    let Some((begun, failed)) = cell else { return html! { td.g[begins] {} } };
    let class = format!("h{}{}", heat(*begun, most), if begins { " g" } else { "" });
    html! {
        td class=(class) {
            (shown::number(*begun))
            @if *failed > 0 { small { (shown::number(*failed)) " failed" } }
        }
    }
}

/// One of five, by orders of magnitude.
fn heat(count: u64, most: u64) -> u32 {
    let part = ((count + 1) as f64).ln() / ((most + 1) as f64).ln();
    (part * 5.0).ceil().clamp(1.0, 5.0) as u32
}

/// Whether a surface begins with this column.
fn begins(contacts: &Contacts, at: usize) -> bool {
    let surface = |at: usize| contacts.targets.get(at).map(|target| &target.surface);
    at == 0 || surface(at) != surface(at - 1)
}

/// Surfaces, and how many columns each has.
fn surfaces(contacts: &Contacts) -> Vec<(&str, usize)> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for target in &contacts.targets {
        match found.last_mut() {
            Some((surface, columns)) if *surface == target.surface => *columns += 1,
            _ => found.push((&target.surface, 1)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::heat;

    #[test]
    fn little_is_pale_and_the_most_is_strong() {
        assert_eq!(heat(1, 1_000_000), 1);
        assert_eq!(heat(1_000_000, 1_000_000), 5);
        assert_eq!(heat(1, 1), 5);
        assert_eq!(heat(0, 1), 1);
    }
}
