//! What somebody holds open in the host's network namespace, for a reader: who can
//! reach it, who is at the other end. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use serde::Serialize;

use super::facts::Held;
use crate::{
    event::{Owner, Scope, SocketState, canonical},
    family,
};

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

/// Where each port of this host is listened on, and by whom.
pub struct Listening(BTreeMap<(&'static str, u16), Vec<Party>>);

/// Who listens at an address.
struct Party {
    address: IpAddr,
    owner: Arc<Owner>,
    name: String,
}

impl Listening {
    /// Of all sockets there are, the host's included.
    pub fn of(sockets: &[Held]) -> Self {
        let mut ports: BTreeMap<_, Vec<Party>> = BTreeMap::new();
        for held in sockets.iter().filter(|held| waits(held)) {
            if let (Some(protocol), Some(local)) = (ip_protocol(held), held.local()) {
                let (owner, name) = (Arc::clone(&held.owner), name(held));
                let party = Party { address: local.ip(), owner, name };
                ports.entry((protocol, local.port())).or_default().push(party);
            }
        }
        Self(ports)
    }

    /// Others than `own` with the same port.
    fn others(&self, protocol: &'static str, port: u16, own: &Owner) -> BTreeSet<String> {
        let found = self.0.get(&(protocol, port)).into_iter().flatten();
        found.filter(|party| !is_same(&party.owner, own)).map(|party| party.name.clone()).collect()
    }

    /// Who else than `own` listens at an address of this host.
    fn at(&self, protocol: &'static str, end: SocketAddr, own: &Owner) -> Option<&str> {
        let found = self.0.get(&(protocol, end.port()))?;
        let exact = found.iter().find(|party| party.address == end.ip());
        let any =
            || found.iter().find(|party| party.address.is_unspecified() && end.ip().is_loopback());
        let party = exact.or_else(any).filter(|party| !is_same(&party.owner, own));
        party.map(|party| party.name.as_str())
    }
}

/// Whether two are one subject. Of what is no container's, the cgroup tells.
fn is_same(a: &Owner, b: &Owner) -> bool {
    a.is_same(b) && (a.container_id.is_some() || a.cgroup_id == b.cgroup_id)
}

/// A container by its label, a process of the host's by its name.
fn name(held: &Held) -> String {
    match (&held.process, &held.owner.container_id) {
        (Some(process), None) => crate::text::text(&process.name).readable,
        _ => held.owner.label().to_owned(),
    }
}

/// Whether others can connect or send to it without having been asked.
fn waits(held: &Held) -> bool {
    match ip_protocol(held) {
        Some("tcp") => held.found.state == SocketState::Listen,
        Some(_) => held.found.state == SocketState::Bound && held.found.remote.is_none(),
        None => false,
    }
}

/// The protocol of a TCP or UDP socket.
fn ip_protocol(held: &Held) -> Option<&'static str> {
    let socket = held.found.socket;
    let is_ip = matches!(i32::from(socket.family), libc::AF_INET | libc::AF_INET6);
    let is_raw = i32::from(socket.kind) == libc::SOCK_RAW;
    family::protocol(socket.family, socket.protocol).filter(|_| is_ip && !is_raw)
}

impl HeldSockets {
    /// Of the sockets of one subject.
    pub fn of(own: &[&Held], owner: &Owner, listening: &Listening) -> Self {
        let mut holds = Self::default();
        for held in own.iter().filter(|held| waits(held)) {
            if let (Some(protocol), Some(local)) = (ip_protocol(held), held.local()) {
                let shared_with = listening.others(protocol, local.port(), owner);
                holds.listeners.push(Listener::new(protocol, local, shared_with));
            }
        }
        holds.listeners.sort();
        holds.listeners.dedup();
        for held in own {
            holds.beyond_ip(held);
        }
        holds.unix_listeners.sort();
        holds.unix_listeners.dedup();
        holds.connections = Connections::of(own, owner, &holds.listeners, listening);
        holds
    }

    fn beyond_ip(&mut self, held: &Held) {
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
            libc::AF_UNIX if matches!(found.state, SocketState::Listen | SocketState::Bound) => {
                self.unix_listeners.extend(found.local_name.as_ref().map(|name| UnixListener {
                    name: name.to_string(),
                    hex: name.hex(),
                    is_abstract: name.is_abstract(),
                }));
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
            privileged_port: (1..PRIVILEGED).contains(&local.port()),
            shared_with,
        }
    }

    /// `tcp/8080`.
    #[must_use]
    pub fn port_words(&self) -> String {
        format!("{}/{}", self.protocol, self.port)
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
    fn of(own: &[&Held], owner: &Owner, listeners: &[Listener], listening: &Listening) -> Self {
        // The other end, and the port of its own that it came to.
        type Key = (&'static str, IpAddr, Option<u16>, Option<u16>);
        let mut by_remote: BTreeMap<Key, usize> = BTreeMap::new();
        let mut count = 0;
        for held in own {
            let Some(protocol) = ip_protocol(held) else { continue };
            let (Some(local), Some(remote)) = (held.local(), held.found.remote.map(canonical))
            else {
                continue;
            };
            count += 1;
            let came_in =
                listeners.iter().any(|one| one.protocol == protocol && one.port == local.port());
            let key = if came_in {
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
