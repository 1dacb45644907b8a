//! What Docker has to publish: each listener keeps the reach that was used of it, and
//! gets no more.

use std::net::IpAddr;

use serde::Serialize;

use super::{
    ports::{Place, Ports, SCTP, TCP, UDP, Use},
    visitors::Visitors,
};
use crate::event::Scope;

/// One line of advice on a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Where it listens.
    pub ip: IpAddr,
    /// The first port.
    pub port: u16,
    /// The last port, the first for one alone.
    pub to: u16,
    /// `tcp`, `udp`, `sctp`, or the protocol's number.
    pub transport: String,
    /// How many others came: connections, and peers of UDP.
    pub by_others: u64,
    /// How often it came to itself.
    pub by_itself: u64,
    /// When something came last: UTC nanoseconds since 1970, 0 for never.
    pub last_ns: u64,
    /// What Docker has to do.
    pub publish: Publish,
    /// The host's addresses to publish at; none for all of them.
    #[serde(skip)]
    pub at: Vec<IpAddr>,
    /// Who came.
    #[serde(skip)]
    pub visitors: Visitors,
    /// It listens on all IPv4 addresses, and on no IPv6 address.
    #[serde(skip)]
    pub is_ipv4_alone: bool,
    /// What the socket did first was not seen.
    #[serde(skip)]
    pub is_from_before: bool,
}

/// Whether a port has to be published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "publish", content = "says")]
pub enum Publish {
    /// With these values of `-p`.
    As(Vec<String>),
    /// With these values of `-p`, when the process listens on all addresses.
    Elsewhere(Vec<String>),
    /// No: the container alone uses it, and the kernel chose the port.
    No,
    /// No: only this host can reach it, and nobody but the container did. These values of
    /// `-p` would publish it, when the process listens on all addresses.
    Unused(Vec<String>),
    /// It is not known whether it has to be, because of this.
    Unclear(String),
    /// It cannot be, because of this.
    Impossible(String),
}

impl Publish {
    /// The values of `-p`, where it is to be published.
    #[must_use]
    pub fn values(&self) -> &[String] {
        match self {
            Self::As(values) | Self::Elsewhere(values) => values,
            Self::No | Self::Unused(_) | Self::Unclear(_) | Self::Impossible(_) => &[],
        }
    }
}

const CHOSEN: &str = "the kernel chose the port, so that it cannot be published beforehand";

/// What to do about each listener, ports in a row with the same answer as one.
#[must_use]
pub fn advice(ports: &Ports) -> Vec<Port> {
    let mut advice: Vec<Port> = Vec::new();
    for (place, used) in ports.each() {
        let one = port(place, used);
        match advice.iter_mut().rev().find(|last| last.continues(&one)) {
            Some(last) => last.join(one),
            None => advice.push(one),
        }
    }
    advice.iter_mut().for_each(Port::settle);
    advice
}

fn port(place: Place, used: Use) -> Port {
    let Place { transport, port, ip } = place;
    let name = match transport {
        TCP => "tcp".to_owned(),
        UDP => "udp".to_owned(),
        SCTP => "sctp".to_owned(),
        other => other.to_string(),
    };
    let scope = Scope::of((ip, port).into());
    let publish = publish(place, scope, &used);
    let at = match (scope, used.visitors.addresses()) {
        (Scope::Any, Some(addresses)) => addresses.iter().copied().collect(),
        (Scope::Any, None) => Vec::new(),
        (Scope::Loopback | Scope::Specific, _) => vec![ip],
    };
    let visitors = used.visitors;
    Port {
        ip,
        port,
        to: port,
        transport: name,
        by_others: visitors.by_others(),
        by_itself: visitors.by_itself,
        last_ns: visitors.last_ns,
        publish,
        at,
        visitors,
        is_ipv4_alone: used.is_ipv4_alone,
        is_from_before: used.is_from_before || used.is_inferred,
    }
}

/// What to do, by who could come before who did: a listener that others could reach stays
/// one, though nobody was seen to come.
fn publish(place: Place, scope: Scope, used: &Use) -> Publish {
    let came = used.visitors.by_others() > 0;
    if let Some(other) = &used.shared_with {
        return Publish::Impossible(format!(
            "{other} listens on that port, too, and Docker can publish it for one alone"
        ));
    }
    if used.chosen_by_kernel {
        return match scope {
            _ if came => Publish::Impossible(CHOSEN.to_owned()),
            Scope::Loopback => Publish::No,
            Scope::Any | Scope::Specific => {
                Publish::Unclear(format!("{CHOSEN}, and others could reach it, though none came"))
            }
        };
    }
    if !matches!(place.transport, TCP | UDP | SCTP) {
        return Publish::Impossible("Docker publishes TCP, UDP and SCTP alone".to_owned());
    }
    if let Some(says) = unpublishable(place.ip) {
        let says = says.to_owned();
        return if came { Publish::Impossible(says) } else { Publish::Unclear(says) };
    }
    match scope {
        Scope::Any => Publish::As(Vec::new()),
        Scope::Loopback if !came => Publish::Unused(Vec::new()),
        // Somebody came there; where it listens was not seen.
        Scope::Loopback | Scope::Specific if used.is_inferred => Publish::As(Vec::new()),
        Scope::Loopback | Scope::Specific => Publish::Elsewhere(Vec::new()),
    }
}

/// Why Docker publishes nothing at this address.
fn unpublishable(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) if ip.is_multicast() || ip.is_broadcast() => Some(
            "multicast and broadcast do not reach a bridge network, and no published port passes \
             them on",
        ),
        IpAddr::V6(ip) if ip.is_multicast() => {
            Some("multicast does not reach a bridge network, and no published port passes it on")
        }
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            Some("Docker publishes nothing at an IPv6 link-local address")
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

impl Port {
    fn continues(&self, next: &Self) -> bool {
        self.to.checked_add(1) == Some(next.port)
            && self.ip == next.ip
            && self.transport == next.transport
            && self.publish == next.publish
            && self.at == next.at
            && self.is_ipv4_alone == next.is_ipv4_alone
            && self.is_from_before == next.is_from_before
    }

    fn join(&mut self, next: Self) {
        self.to = next.to;
        self.by_others += next.by_others;
        self.by_itself += next.by_itself;
        self.last_ns = self.last_ns.max(next.last_ns);
        self.visitors.absorb(next.visitors);
    }

    /// Whether it is a UDP server that takes what comes to any address, a group's or the
    /// broadcast one among them.
    #[must_use]
    pub fn takes_any_datagram(&self) -> bool {
        let is_published = !matches!(self.publish, Publish::No | Publish::Impossible(_));
        self.transport == "udp" && self.ip.is_unspecified() && is_published
    }

    /// Writes the values of `-p`, now that it is known how many ports are one.
    fn settle(&mut self) {
        let all = self.values();
        if let Publish::As(values) | Publish::Elsewhere(values) | Publish::Unused(values) =
            &mut self.publish
        {
            *values = all;
        }
    }

    /// `8080:8080`, `127.0.0.1:53:53/udp`, `8000-8010:8000-8010`.
    fn values(&self) -> Vec<String> {
        let value = |address: String| {
            let ports = self.range();
            let suffix = if self.transport == "tcp" { "" } else { &format!("/{}", self.transport) };
            format!("{address}{ports}:{ports}{suffix}")
        };
        let at = self.at.iter().map(|ip| match ip {
            IpAddr::V4(ip) => value(format!("{ip}:")),
            IpAddr::V6(ip) => value(format!("[{ip}]:")),
        });
        if self.at.is_empty() { vec![value(String::new())] } else { at.collect() }
    }

    /// `8080` or `8000-8010`
    #[must_use]
    pub fn range(&self) -> String {
        if self.port == self.to {
            self.port.to_string()
        } else {
            format!("{}-{}", self.port, self.to)
        }
    }

    /// `tcp 127.0.0.1:8080`
    #[must_use]
    pub fn place(&self) -> String {
        let address = match self.ip {
            ip if ip.is_unspecified() => "*".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!("{} {address}:{}", self.transport, self.range())
    }

    /// How many ports.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::from(self.to - self.port) + 1
    }

    /// Whether it listens on all addresses and is published at fewer, because only this
    /// host came.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.ip.is_unspecified() && !self.at.is_empty() && !self.publish.values().is_empty()
    }
}
