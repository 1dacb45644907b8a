//! What somebody holds open in the host's network namespace, for a reader: who can
//! reach it, who is at the other end. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use serde::Serialize;

use super::{
    facts::Held,
    listening::{Listening, ip_protocol, is_open, waits},
};
use crate::event::{Owner, Scope, canonical, family};

/// Most remote ends that are named of one subject.
const MOST_REMOTES: usize = 50;

/// Ports that only a privileged process may bind, unless the host is told otherwise.
const PRIVILEGED: u16 = 1024;

/// What somebody holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HeldSockets {
    /// TCP listeners and bound UDP sockets.
    pub listeners: Vec<Listener>,
    /// Connections.
    pub connections: Connections,
    /// Unix sockets that others can connect or send to.
    pub unix_listeners: Vec<UnixListener>,
    /// Unix sockets that it is connected to, by the other end's name.
    pub unix_connections: BTreeMap<String, UnixConnections>,
    /// Packet sockets: what they take, such as `all`.
    pub packet: Vec<String>,
    /// Raw IP sockets, by protocol.
    pub raw: Vec<String>,
    /// Netlink sockets, by protocol and how many.
    pub netlink: BTreeMap<String, usize>,
}

/// Something that waits for others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Listener {
    /// `tcp`, `udp` or `udplite`.
    pub protocol: String,
    /// Its port.
    pub port: u16,
    /// Its address.
    pub address: IpAddr,
    /// Who can reach it: `loopback`, `specific` (one address) or `any`.
    pub exposure: &'static str,
    /// A UDP port of those that the kernel chooses: perhaps it only sends from there.
    pub is_chosen: bool,
    /// A port that is for privileged processes.
    pub privileged_port: bool,
    /// Others that have the same port.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub shared_with: BTreeSet<String>,
}

/// Connections of one subject.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Connections {
    /// How many.
    pub count: usize,
    /// By the other end, the most first. Those that came in are by the port they came to.
    pub remotes: Vec<Remote>,
    /// Ends that are not named for being too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_remotes: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The other end of connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remote {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port; `None` of those that came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The port of its own that they came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_port: Option<u16>,
    /// How many connections.
    pub count: usize,
    /// Who else listens there, when that is this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
}

/// Connections to one unix socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnixConnections {
    /// How many.
    pub count: usize,
    /// Its name is in the abstract namespace.
    pub is_abstract: bool,
    /// Who else has that name, of abstract ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
}

/// A unix socket that waits for others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UnixListener {
    /// Its name; an abstract one begins with `@`.
    pub name: String,
    /// The exact bytes, in hexadecimal.
    pub hex: String,
    /// Its name is in the abstract namespace, which all who are here share.
    pub is_abstract: bool,
}

impl HeldSockets {
    /// Of the sockets of one subject.
    pub fn of(own: &[&Held], owner: &Owner, listening: &Listening<'_>) -> Self {
        let mut holds = Self::default();
        for held in own.iter().filter(|held| waits(held)) {
            if let (Some(protocol), Some(local)) = (ip_protocol(held), held.local()) {
                let shared_with = listening.others(protocol, local.port(), owner);
                let is_chosen = protocol != "tcp" && listening.is_chosen(local.port());
                let listener = Listener::new(protocol, local, shared_with);
                holds.listeners.push(Listener { is_chosen, ..listener });
            }
        }
        holds.listeners.sort();
        holds.listeners.dedup();
        for held in own {
            holds.beyond_ip(held, owner, listening);
        }
        holds.unix_listeners.sort();
        holds.unix_listeners.dedup();
        holds.connections = Connections::of(own, owner, &holds.listeners, listening);
        holds
    }

    fn beyond_ip(&mut self, held: &Held, owner: &Owner, listening: &Listening<'_>) {
        let found = &held.found;
        let socket = found.socket;
        let protocol = || {
            let name = family::protocol(socket.family, socket.protocol);
            name.map_or_else(|| socket.protocol.to_string(), str::to_owned)
        };
        match i32::from(socket.family) {
            libc::AF_PACKET => self.packet.push(protocol()),
            libc::AF_NETLINK => *self.netlink.entry(protocol()).or_default() += 1,
            libc::AF_INET | libc::AF_INET6 if i32::from(socket.kind) == libc::SOCK_RAW => {
                self.raw.push(protocol());
            }
            libc::AF_UNIX if is_open(held) => {
                self.unix_listeners.extend(found.local_name.as_ref().map(|name| UnixListener {
                    name: name.to_string(),
                    hex: name.hex(),
                    is_abstract: name.is_abstract(),
                }));
            }
            libc::AF_UNIX => {
                if let Some(name) = &found.remote_name {
                    let to = self.unix_connections.entry(name.to_string()).or_default();
                    to.count += 1;
                    to.is_abstract = name.is_abstract();
                    to.peer = listening.at_name(name, owner).map(str::to_owned);
                }
            }
            _ => {}
        }
    }
}

impl Listener {
    fn new(protocol: &str, local: SocketAddr, shared_with: BTreeSet<String>) -> Self {
        let exposure = match Scope::of(local) {
            Scope::Any => "any",
            Scope::Specific => "specific",
            Scope::Loopback => "loopback",
        };
        Self {
            protocol: protocol.to_owned(),
            port: local.port(),
            address: local.ip(),
            exposure,
            is_chosen: false,
            privileged_port: (1..PRIVILEGED).contains(&local.port()),
            shared_with,
        }
    }

    /// `*:8080`, `127.0.0.1:53/udp`.
    #[must_use]
    pub fn words(&self) -> String {
        let end = match (self.exposure, self.address) {
            ("any", _) => format!("*:{}", self.port),
            (_, address) => SocketAddr::new(address, self.port).to_string(),
        };
        if self.protocol == "tcp" { end } else { format!("{end}/{}", self.protocol) }
    }
}

impl Connections {
    fn of(own: &[&Held], owner: &Owner, listeners: &[Listener], listening: &Listening<'_>) -> Self {
        // The other end, and the port of its own that it came to.
        type Key = (&'static str, IpAddr, Option<u16>, Option<u16>);
        let mut by_remote: BTreeMap<Key, usize> = BTreeMap::new();
        let offered: BTreeSet<(&str, u16)> =
            listeners.iter().map(|one| (&*one.protocol, one.port)).collect();
        let mut count = 0;
        for held in own {
            let Some(protocol) = ip_protocol(held) else { continue };
            let (Some(local), Some(remote)) = (held.local(), held.found.remote.map(canonical))
            else {
                continue;
            };
            count += 1;
            let key = if offered.contains(&(protocol, local.port())) {
                (protocol, remote.ip(), None, Some(local.port()))
            } else {
                (protocol, remote.ip(), Some(remote.port()), None)
            };
            *by_remote.entry(key).or_default() += 1;
        }
        let mut remotes: Vec<Remote> = by_remote
            .into_iter()
            .map(|((protocol, address, port, to_port), count)| {
                let end = port.map(|port| SocketAddr::new(address, port));
                let peer = end.and_then(|end| listening.at(protocol, end, owner));
                let (protocol, peer) = (protocol.to_owned(), peer.map(str::to_owned));
                Remote { protocol, address, port, to_port, count, peer }
            })
            .collect();
        remotes.sort_by_key(|remote| std::cmp::Reverse(remote.count));
        let more_remotes = remotes.len().saturating_sub(MOST_REMOTES);
        remotes.truncate(MOST_REMOTES);
        Self { count, remotes, more_remotes }
    }
}
