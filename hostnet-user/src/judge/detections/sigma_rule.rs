//! A detection as a rule in Sigma, for a SIEM that gets the events: what of it one event
//! shows. What both say is written once, in the detection; who reads rules is not known here.

use std::fmt::Display;

use super::Detection;
#[cfg(test)]
use super::testing::Case;
use crate::event::Severity;

/// What a rule says that its detection does not.
#[derive(Debug)]
pub struct SigmaRule {
    /// Its file is called this and `.yml`.
    pub name: &'static str,
    /// A UUID.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What it means and what to do.
    pub description: &'static str,
    /// Where more is written about it.
    pub references: &'static [&'static str],
    /// What kind of events it is about: their data set without `hostnet.`.
    pub category: &'static str,
    /// Selections and condition. Without: connections to the detection's ports on the host.
    pub detection: Option<&'static str>,
    /// Who does the same for good reasons.
    pub falsepositives: &'static [&'static str],
    /// Where it is not the detection's severity.
    pub level: Option<Severity>,
    /// Events for which it fires and does not.
    #[cfg(test)]
    pub cases: &'static [Case],
}

/// How wide a description is.
const WIDTH: usize = 92;

impl SigmaRule {
    /// What most rules have.
    pub const BASE: Self = Self {
        name: "",
        id: "",
        title: "",
        description: "",
        references: &[],
        category: "network",
        detection: None,
        falsepositives: &[],
        level: None,
        #[cfg(test)]
        cases: &[],
    };

    /// Its file's text.
    pub(super) fn text(&self, of: &Detection) -> String {
        let Self { id, title, category, .. } = self;
        let mut tactics: Vec<&str> = Vec::new();
        for tactic in of.techniques.iter().flat_map(|technique| technique.tactics) {
            if !tactics.contains(tactic) {
                tactics.push(tactic);
            }
        }
        let ids = of.techniques.iter().map(|technique| technique.id.to_ascii_lowercase());
        let tags = tactics.into_iter().map(ToOwned::to_owned).chain(ids);
        let detection = self.detection.map_or_else(|| connections_to(of.ports), ToOwned::to_owned);
        [
            format!("title: {title}\nid: {id}\nstatus: stable\ndescription: |\n"),
            wrapped(self.description),
            list("references", self.references),
            "author: hostnet\ndate: 2026-11-28\n".to_owned(),
            list("tags", tags.map(|tag| format!("attack.{tag}"))),
            format!("logsource:\n    product: hostnet\n    category: {category}\n"),
            format!("detection:{detection}\n"),
            list("falsepositives", self.falsepositives),
            format!("level: {}\n", self.level.unwrap_or(of.severity).name()),
        ]
        .concat()
    }
}

/// What a service of the host at these TCP ports is reached by.
fn connections_to(ports: &[u16]) -> String {
    let ports: String = ports.iter().map(|port| format!("\n            - {port}")).collect();
    format!(
        "
    service:
        hostnet.operation:
            - connect
            - send
            - existing_socket
        hostnet.surface.target:
            - host-loopback
            - host-address
            - bridge-gateway
        hostnet.remote.port:{ports}
    failed:
        event.outcome: failure
    host:
        hostnet.owner.kind: host
    condition: service and not failed and not host"
    )
}

/// A list of YAML; nothing without items.
fn list(key: &str, items: impl IntoIterator<Item = impl Display>) -> String {
    let items: String = items.into_iter().map(|item| format!("    - {item}\n")).collect();
    if items.is_empty() { items } else { format!("{key}:\n{items}") }
}

/// Lines of a block of YAML.
fn wrapped(text: &str) -> String {
    let (mut lines, mut width) = (String::new(), WIDTH);
    for word in text.split(' ') {
        let length = word.chars().count();
        let is_next = width + 1 + length > WIDTH;
        if is_next && !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(if is_next { "    " } else { " " });
        width = if is_next { length } else { width + 1 + length };
        lines.push_str(word);
    }
    lines + "\n"
}
