//! Who waits for others in the host's network namespace, and where: to name the other
//! end of what a subject holds. Pure.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::facts::Held;
use crate::event::{Owner, SocketState, UnixAddress, family};

/// Where each port of this host is listened on, and by whom.
pub struct Listening<'a> {
    ports: BTreeMap<(&'static str, u16), Vec<Party>>,
    /// Abstract names are unique in a network namespace; paths are not.
    abstract_names: HashMap<&'a UnixAddress, Party>,
    /// Ports that the kernel chooses.
    chosen: (u16, u16),
}

/// Who listens, and for IP at which address.
struct Party {
    address: Option<IpAddr>,
    owner: Arc<Owner>,
    name: String,
}

impl<'a> Listening<'a> {
    /// Of all sockets there are, the host's included.
    pub fn of(sockets: &'a [Held], chosen: (u16, u16)) -> Self {
        let mut ports: BTreeMap<_, Vec<Party>> = BTreeMap::new();
        let mut abstract_names = HashMap::new();
        for held in sockets {
            let party = |address| {
                let (owner, name) = (Arc::clone(&held.owner), name(held));
                Party { address, owner, name }
            };
            match (ip_protocol(held), held.local(), &held.found.local_name) {
                (Some(protocol), Some(local), _) if waits(held) => {
                    let parties = ports.entry((protocol, local.port())).or_default();
                    parties.push(party(Some(local.ip())));
                }
                (_, _, Some(name)) if name.is_abstract() && is_open(held) => {
                    abstract_names.insert(name, party(None));
                }
                _ => {}
            }
        }
        Self { ports, abstract_names, chosen }
    }

    /// Others than `own` with the same port.
    pub fn others(&self, protocol: &'static str, port: u16, own: &Owner) -> BTreeSet<String> {
        let found = self.ports.get(&(protocol, port)).into_iter().flatten();
        found.filter(|party| !is_same(&party.owner, own)).map(|party| party.name.clone()).collect()
    }

    /// Who else than `own` listens at an address of this host.
    pub fn at(&self, protocol: &'static str, end: SocketAddr, own: &Owner) -> Option<&str> {
        let found = self.ports.get(&(protocol, end.port()))?;
        let exact = found.iter().find(|party| party.address == Some(end.ip()));
        let is_any = |party: &&Party| party.address.is_some_and(|ip| ip.is_unspecified());
        let any = || found.iter().find(is_any).filter(|_| end.ip().is_loopback());
        let party = exact.or_else(any).filter(|party| !is_same(&party.owner, own));
        party.map(|party| party.name.as_str())
    }

    /// Who else than `own` has an abstract name.
    pub fn at_name(&self, name: &UnixAddress, own: &Owner) -> Option<&str> {
        let party = self.abstract_names.get(name)?;
        (!is_same(&party.owner, own)).then_some(party.name.as_str())
    }

    /// Whether the kernel chooses such ports for whoever asks for none.
    pub const fn is_chosen(&self, port: u16) -> bool {
        self.chosen.0 <= port && port <= self.chosen.1
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
pub fn waits(held: &Held) -> bool {
    match ip_protocol(held) {
        Some("tcp") => held.found.state == SocketState::Listen,
        Some(_) => held.found.state == SocketState::Bound && held.found.remote.is_none(),
        None => false,
    }
}

/// The same of a unix socket with a name.
pub fn is_open(held: &Held) -> bool {
    matches!(held.found.state, SocketState::Listen | SocketState::Bound)
}

/// The protocol of a TCP or UDP socket.
pub fn ip_protocol(held: &Held) -> Option<&'static str> {
    let socket = held.found.socket;
    let is_ip = matches!(i32::from(socket.family), libc::AF_INET | libc::AF_INET6);
    let is_raw = i32::from(socket.kind) == libc::SOCK_RAW;
    family::protocol(socket.family, socket.protocol).filter(|_| is_ip && !is_raw)
}
