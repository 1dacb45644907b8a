//! What one act of a container is: what it takes of the host's network, and what bridge
//! networking would make of that. It does not know which events are such acts.

use std::net::SocketAddr;

use serde::Serialize;

/// What bridge networking would make of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "bridge", content = "says")]
pub enum Bridge {
    /// The same.
    AsWell,
    /// The same, when this is done or holds.
    If(String),
    /// It is not known, because of this.
    Unclear(String),
    /// It would not be there, because of this.
    Not(String),
}

/// What the container's command needs beside published ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// `--add-host host.docker.internal:host-gateway`.
    HostGateway,
    /// To be in a network with this container.
    NetworkWith(String),
    /// A capability.
    Capability(&'static str),
}

/// One act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// In what group of acts it is shown.
    pub group: Group,
    /// What of that group, in words: acts with the same words are one thing.
    pub subject: String,
    /// What bridge networking would make of it.
    pub bridge: Bridge,
    /// What it would need there.
    pub needs: Option<Needs>,
    /// Where it went, when who is there decides what bridge networking makes of it.
    pub to: Option<End>,
}

/// The other end of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Where it is, in words.
    pub place: String,
    /// The transport and the address, of an IP socket.
    pub address: Option<(u32, SocketAddr)>,
    /// Whether it is known who was there.
    pub is_known: bool,
}

/// Groups, those first that count most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// A service on the host's loopback.
    HostLoopback,
    /// A unix socket in the abstract namespace of the host's network.
    AbstractSocket,
    /// Frames of the host's interfaces.
    PacketSocket,
    /// IP packets of the host.
    RawSocket,
    /// The host's addresses, routes, firewall.
    NetworkChange,
    /// The host's sockets, connections and firewall as the kernel lists them.
    NetworkState,
    /// Families that only the host's network namespace has.
    Hardware,
    /// Everybody on a link.
    Multicast,
    /// A link's own addresses.
    LinkLocal,
    /// An address of the host's as the source of what it sends.
    SourceAddress,
    /// An address of the host's, or of a bridge's end.
    HostAddress,
    /// Containers of bridge networks.
    BridgeNetwork,
    /// The cloud's metadata.
    Metadata,
    /// Ports that others come in by.
    Listener,
    /// Names asked for.
    Dns,
    /// Neighbours, private networks and the internet.
    Outbound,
    /// Itself, over its loopback.
    Itself,
    /// Unix sockets with a path: files.
    PathSocket,
    /// Any other family.
    Other,
}

/// Where neither a bridge network nor a published port helps.
pub const MACVLAN: &str = "a macvlan or ipvlan network can give it without host networking";

impl Act {
    /// One that needs nothing, and is of nobody.
    #[must_use]
    pub fn new(group: Group, subject: impl Into<String>, bridge: Bridge) -> Self {
        Self { group, subject: subject.into(), bridge, needs: None, to: None }
    }

    /// The same with what it would need.
    #[must_use]
    pub fn needing(self, needs: Needs) -> Self {
        Self { needs: Some(needs), ..self }
    }
}
