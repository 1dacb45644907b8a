//! Which field of ours is which key of CEF's extension dictionary: the one table.
//!
//! A field without a row has a key of our own (see `own_key`), so that nothing is
//! lost.

use std::borrow::Cow;

use jiff::Timestamp;

use super::flat;
use crate::format::document::text;

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Field of the ECS document.
    pub from: &'static str,
    /// The key.
    pub key: &'static str,
    /// The key where the owner is the destination.
    pub other: Option<&'static str>,
    /// The key and text of the label, for CEF's custom fields.
    pub label: Option<(&'static str, &'static str)>,
    /// How its value is made.
    pub how: How,
}

/// How a value is made of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As it is.
    Same,
    /// Milliseconds since 1970; exact under a key of our own as well.
    Time,
    /// An IPv4 address; an IPv6 address has another key.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// The name of an end that has no IP address; an address has its own key.
    Name,
    /// `ingress` 0, `egress` 1.
    Direction,
}

const fn rule(from: &'static str, key: &'static str, how: How) -> Rule {
    Rule { from, key, other: None, label: None, how }
}

const fn same(from: &'static str, key: &'static str) -> Rule {
    rule(from, key, How::Same)
}

const fn sided(from: &'static str, key: &'static str, other: &'static str) -> Rule {
    Rule { other: Some(other), ..same(from, key) }
}

const fn labelled(rule: Rule, key: &'static str, label: &'static str) -> Rule {
    Rule { label: Some((key, label)), ..rule }
}

/// Every row, in the order of the line.
pub const RULES: &[Rule] = &[
    rule("@timestamp", "rt", How::Time),
    rule("event.start", "start", How::Time),
    rule("event.end", "end", How::Time),
    same("event.id", "externalId"),
    same("event.dataset", "cat"),
    same("event.outcome", "outcome"),
    same("event.reason", "reason"),
    same("host.hostname", "dvchost"),
    same("host.id", "deviceExternalId"),
    same("network.transport", "proto"),
    rule("network.direction", "deviceDirection", How::Direction),
    rule("client.ip", "src", How::Ipv4),
    labelled(rule("client.ip", "c6a2", How::Ipv6), "c6a2Label", "Source IPv6 Address"),
    rule("client.address", "shost", How::Name),
    same("client.port", "spt"),
    rule("server.ip", "dst", How::Ipv4),
    labelled(rule("server.ip", "c6a3", How::Ipv6), "c6a3Label", "Destination IPv6 Address"),
    rule("server.address", "dhost", How::Name),
    same("server.port", "dpt"),
    same("client.bytes", "in"),
    same("server.bytes", "out"),
    sided("process.name", "sproc", "dproc"),
    sided("process.pid", "spid", "dpid"),
    sided("user.id", "suid", "duid"),
    same("process.executable", "filePath"),
    labelled(same("container.id", "cs1"), "cs1Label", "container.id"),
    labelled(same("container.name", "cs2"), "cs2Label", "container.name"),
    labelled(same("container.image.name", "cs3"), "cs3Label", "container.image.name"),
    labelled(same("hostnet.owner.kind", "cs4"), "cs4Label", "hostnet.owner.kind"),
    labelled(same("process.command_line", "cs5"), "cs5Label", "process.command_line"),
    labelled(same("network.community_id", "cs6"), "cs6Label", "network.community_id"),
    labelled(same("event.sequence", "cn1"), "cn1Label", "event.sequence"),
    same("message", "msg"),
];

/// Fields that others say as well: `source` and `destination` are `client` and
/// `server` under another name, the rest is in the header or the same in every event.
pub const SAID: &[&str] = &[
    "source",
    "destination",
    "agent.version",
    "data_stream",
    "event.action",
    "event.module",
    "related",
    "user",
];

/// Objects whose keys are anybody's: they are one value, as JSON.
pub const FREE: &[&str] = &[
    "container.labels",
    "hostnet.health",
    "hostnet.peer.container.labels",
    "hostnet.creator_container",
];

/// Whether a row has a field's value, by the number of its first row: it is not told again
/// under a key of our own then. A time is exact only under our own.
pub fn is_said(first: usize, value: &str) -> bool {
    // The rows of a field are together.
    let rows = RULES[first..].iter().take_while(|rule| rule.from == RULES[first].from);
    let mut hows = rows.map(|rule| rule.how);
    hows.any(|how| how == How::Name || how != How::Time && how.of(value).is_some())
}

impl How {
    /// How, for documentation, after the key; nothing when as it is.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::Time => " (milliseconds)",
            Self::Ipv4 => " (IPv4)",
            Self::Ipv6 => " (IPv6)",
            Self::Name => " (unless it is an IP address)",
            Self::Direction => " (ingress 0, egress 1)",
        }
    }

    /// The value, when the rule is for such a value.
    pub fn of(self, json: &str) -> Option<Cow<'_, str>> {
        let address = || text(json)?.parse::<std::net::IpAddr>().ok();
        match self {
            Self::Same => Some(flat(json)),
            Self::Time => {
                let time = text(json)?.parse::<Timestamp>().ok()?;
                Some(time.as_millisecond().to_string().into())
            }
            Self::Ipv4 => address()?.is_ipv4().then(|| flat(json)),
            Self::Ipv6 => address()?.is_ipv6().then(|| flat(json)),
            Self::Name => address().is_none().then(|| flat(json)),
            Self::Direction => match &*text(json)? {
                "ingress" => Some("0".into()),
                "egress" => Some("1".into()),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a field by one row is looked for in those next to it.
    #[test]
    fn the_rows_of_a_field_are_together() {
        let mut fields: Vec<&str> = RULES.iter().map(|rule| rule.from).collect();
        fields.dedup();
        let runs = fields.len();
        fields.sort_unstable();
        fields.dedup();
        assert_eq!(fields.len(), runs);
    }
}
