//! What an expected container may bind, and what it may reach.

use std::{fmt, net::IpAddr, ops::RangeInclusive};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::event::Surface;

/// Ports that may be bound: `tcp/8080`, `udp/5000-5010`, `tcp/*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bind {
    protocol: String,
    ports: RangeInclusive<u16>,
}

impl Bind {
    /// Whether this port is one of them.
    #[must_use]
    pub fn has(&self, protocol: &str, port: u16) -> bool {
        self.protocol == protocol && self.ports.contains(&port)
    }
}

impl TryFrom<String> for Bind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(protocol, ports)| {
            let is_known = matches!(protocol, "tcp" | "udp");
            is_known.then_some(())?;
            Some(Self { protocol: protocol.to_owned(), ports: range(ports)? })
        });
        parsed.ok_or_else(|| {
            format!(
                "{text:?} is nothing to bind: write it as \"tcp/8080\", \"udp/5000-5010\" or \"tcp/*\""
            )
        })
    }
}

impl From<Bind> for String {
    fn from(bind: Bind) -> Self {
        bind.to_string()
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol, Ports(&self.ports))
    }
}

/// What may be reached: a surface by its name (`internet`, `host-loopback:5432`), or
/// addresses (`10.0.0.0/8:443`, `[fd00::/8]:443`, `192.0.2.7`), each at all ports or some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reach {
    place: Place,
    ports: Option<RangeInclusive<u16>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Surface(String),
    Net(IpNet),
}

impl Reach {
    /// Whether this is a part of it. What has no port is only where no port is named.
    #[must_use]
    pub fn has(&self, surface: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
        let is_there = match &self.place {
            Place::Surface(name) => name == surface,
            Place::Net(net) => address.is_some_and(|ip| net.contains(&ip.to_canonical())),
        };
        let ports = self.ports.as_ref();
        is_there && ports.is_none_or(|ports| port.is_some_and(|port| ports.contains(&port)))
    }

    /// The surface it names, if it names one.
    #[must_use]
    pub fn surface(&self) -> Option<&str> {
        match &self.place {
            Place::Surface(name) => Some(name),
            Place::Net(_) => None,
        }
    }
}

impl TryFrom<String> for Reach {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse(&text).ok_or_else(|| {
            format!(
                "{text:?} is nothing to reach: write a surface or addresses, with or without \
                 ports, as \"internet\", \"host-loopback:5432\", \"10.0.0.0/8:443\" or \
                 \"[fd00::/8]:443\""
            )
        })
    }
}

fn parse(text: &str) -> Option<Reach> {
    let whole = |place| Some(Reach { place, ports: None });
    // An IPv6 address has colons of its own, so that its ports need brackets.
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let place = Place::Net(net(address)?);
        return match rest.strip_prefix(':') {
            Some(ports) => Some(Reach { place, ports: Some(range(ports)?) }),
            None if rest.is_empty() => whole(place),
            None => None,
        };
    }
    if let Some(net) = net(text) {
        return whole(Place::Net(net));
    }
    let (place, ports) = match text.split_once(':') {
        Some((place, ports)) => (place, Some(range(ports)?)),
        None => (text, None),
    };
    let place = match net(place) {
        Some(net) => Place::Net(net),
        None if is_surface(place) => Place::Surface(place.to_owned()),
        None => return None,
    };
    Some(Reach { place, ports })
}

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn is_surface(text: &str) -> bool {
    Surface::ALL.iter().any(|surface| surface.name() == text)
}

impl From<Reach> for String {
    fn from(reach: Reach) -> Self {
        reach.to_string()
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, &self.ports) {
            (Place::Surface(name), None) => f.write_str(name),
            (Place::Surface(name), Some(ports)) => write!(f, "{name}:{}", Ports(ports)),
            (Place::Net(net), None) => net.fmt(f),
            (Place::Net(net @ IpNet::V4(_)), Some(ports)) => write!(f, "{net}:{}", Ports(ports)),
            (Place::Net(net), Some(ports)) => write!(f, "[{net}]:{}", Ports(ports)),
        }
    }
}

/// `80`, `80-90` or `*`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    if text == "*" {
        return Some(0..=u16::MAX);
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some(low..=high)
}

struct Ports<'a>(&'a RangeInclusive<u16>);

impl fmt::Display for Ports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self.0.start(), *self.0.end()) {
            (0, u16::MAX) => f.write_str("*"),
            (low, high) if low == high => low.fmt(f),
            (low, high) => write!(f, "{low}-{high}"),
        }
    }
}
