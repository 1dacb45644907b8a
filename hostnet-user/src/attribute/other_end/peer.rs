//! The other end of an operation by name: who listened there at that instant,
//! who connected, and for whom a proxy stands.
//!
//! What is not certain is not said: no peer, or every one that it may be.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use hostnet_abi::{EventKind, Header, Hook, Record, Unix, reuse};

use super::{
    anew::Gone,
    listeners::{Listener, Listeners, is_datagram},
    redirects::Redirects,
};
use crate::{
    attribute::{Attribution, Found, Holder, Party},
    event::{
        Owner, OwnerKind, Peer, PeerMethod, PeerParty, Process, SocketState, Via, canonical,
        endpoint,
        shares::{Fill, SharedMap},
    },
};

const IPPROTO_TCP: u32 = 6;
const TCP_LISTEN: u16 = 10;

/// Most connections within this host that are kept for the end that accepts.
/// One owner has at most half of them.
const MOST_CONNECTIONS: usize = 1 << 17;

/// What is known of sockets that can be the other end.
#[derive(Debug, Default)]
pub struct Ends {
    pub(super) listeners: Listeners,
    /// The end that connected, by its address and the other's.
    pub(super) clients: Clients,
    /// Proxies that listen, by cookie, and whom they stand for.
    pub(super) proxied: HashMap<u64, (Arc<Process>, Arc<Owner>)>,
    /// Addresses of this host's, beside the loopback ones.
    addresses: Vec<IpAddr>,
    /// Ranges of the networks behind its bridges: container runtimes tell whose an address
    /// there is.
    pub(super) bridged: Vec<(IpAddr, u8)>,
    /// What packet filters may lead elsewhere.
    pub(super) redirects: Redirects,
    /// The lowest and the highest port that the kernel chooses, once they are known.
    chosen_ports: Option<(u16, u16)>,
    /// Since when records are missing, so that the table may lie.
    pub(super) doubted_ns: Option<u64>,
    /// Sockets that ended before those are known that are there: at start, and whenever the
    /// kernel is asked anew.
    pub(super) gone: Gone,
}

/// Ends of connections, with the cookie of the socket that connected and who did.
#[derive(Debug)]
pub(super) struct Clients(pub(super) SharedMap<(SocketAddr, SocketAddr), (u64, Party)>);

impl Default for Clients {
    fn default() -> Self {
        Self(SharedMap::of(MOST_CONNECTIONS))
    }
}

impl Ends {
    /// How full the tables of listeners and of connections within this host are.
    pub(in crate::attribute) const fn fill(&self) -> [Fill; 2] {
        [self.listeners.fill(), self.clients.0.fill()]
    }

    fn ended(&mut self, header: &Header) {
        self.listeners.close(header.cookie, header.boot_ns);
        self.proxied.remove(&header.cookie);
        self.gone.note(header.cookie);
    }
}

impl Attribution {
    /// The addresses this host has now, and the ports its kernel chooses from.
    pub fn addresses(&mut self, addresses: Vec<IpAddr>, chosen_ports: (u16, u16)) {
        self.ends.addresses = addresses;
        self.ends.chosen_ports = Some(chosen_ports);
    }

    /// A socket found at `boot_ns`, if it can be the other end and its end will be
    /// told; it may have received since `since_ns`.
    pub(in crate::attribute) fn found_listener(
        &mut self,
        found: &Found,
        since_ns: u64,
        boot_ns: u64,
    ) {
        let Found { cookie, socket, state, local, interface, .. } = found;
        let Some(local) = *local else { return };
        let protocol = socket.protocol;
        let can_receive = match protocol {
            IPPROTO_TCP => *state == SocketState::Listen && self.policy.sees_listeners,
            _ if is_datagram(protocol) => {
                let is_chosen_by_kernel =
                    |(low, high): (u16, u16)| (low..=high).contains(&local.port());
                let was_chosen = !local.ip().to_canonical().is_unspecified()
                    || self.ends.chosen_ports.is_some_and(|ports| !is_chosen_by_kernel(ports));
                // Without a holder it is the kernel's own.
                let is_bound = *state == SocketState::Bound && !found.holders.is_empty();
                is_bound && was_chosen && self.policy.sees_datagram_ends
            }
            _ => false,
        };
        let is_gone = self.ends.gone.contains(*cookie);
        if !can_receive || is_gone {
            return;
        }
        let party = self.receiving_party(found, boot_ns);
        let v6_only = if found.v6_only { reuse::V6_ONLY } else { 0 };
        self.ends.listeners.open(Listener {
            cookie: *cookie,
            protocol,
            local,
            reuse: v6_only,
            interface: interface.unwrap_or_default(),
            party,
            user: found.user,
            since_ns,
        });
    }

    /// Whose a host's socket is that was made for somebody: process 1 makes
    /// sockets for the services it starts, and holds them, too.
    fn receiving_party(&mut self, found: &Found, boot_ns: u64) -> Party {
        let party = self.holding_party(found, boot_ns);
        if party.owner.kind != OwnerKind::Host {
            return party;
        }
        for holder in found.holders.iter().filter(|holder| holder.pid != 1) {
            let owner = self.owner_of_holder(holder, boot_ns);
            if owner.kind == OwnerKind::Host {
                let process = self.processes.get(holder.pid, boot_ns).map(Arc::clone);
                return Party { owner, process, ..party };
            }
        }
        party
    }

    /// The listener that a record tells the beginning of, unless a part of its
    /// life would go unseen.
    pub(in crate::attribute) fn begun_listener(
        &self,
        header: &Header,
        record: &Record,
        party: &Party,
    ) -> Option<Listener> {
        let (socket, local, reuse, interface) = match record {
            Record::Listen(listen) if self.policy.sees_listeners => {
                let local = endpoint(listen.address, listen.port);
                (listen.socket, local, listen.reuse.into(), listen.interface)
            }
            Record::Bind(bind) => {
                let local = endpoint(bind.address, bind.port as u16);
                (bind.socket, local, bind.reuse, bind.interface)
            }
            _ => return None,
        };
        let (cookie, since_ns) = (header.cookie, header.boot_ns);
        let (protocol, party, user) = (socket.protocol, party.clone(), Some(header.uid));
        Some(Listener { cookie, protocol, local, reuse, interface, party, user, since_ns })
    }

    /// Keeps the table true: `begun` listens from now on, or the record's socket
    /// does no more. `asked_port` is what a bind asked for.
    pub(in crate::attribute) fn note_listener(
        &mut self,
        header: &Header,
        record: &Record,
        begun: Option<&Listener>,
        asked_port: Option<u16>,
    ) {
        match record {
            Record::Listen(_) => {}
            // Of a socket without a chosen address or port, the kernel tells the end
            // only where a container's task closes it (probes/datagram.rs).
            Record::Bind(bind) if is_datagram(bind.socket.protocol) => {
                let is_any = |listener: &Listener| {
                    listener.local.ip().to_canonical().is_unspecified()
                        && asked_port.is_none_or(|port| port == 0)
                        && listener.party.owner.kind == OwnerKind::Host
                };
                let is_the_kernels = bind.reuse & reuse::OF_PROCESS == 0;
                if !self.policy.sees_datagram_ends || is_the_kernels || begun.is_some_and(is_any) {
                    return;
                }
            }
            Record::Close(close) => {
                if close.from_state == TCP_LISTEN {
                    self.ends.ended(header);
                } else {
                    let local = endpoint(close.local, close.local_port);
                    let remote = endpoint(close.remote, close.remote_port);
                    self.forget_client(header.cookie, (local, remote));
                }
                return;
            }
            Record::DatagramClose(_) => {
                self.ends.ended(header);
                return;
            }
            _ => return,
        }
        if let Some(begun) = begun {
            self.ends.listeners.open(begun.clone());
        }
    }

    /// Others' sockets at the port of one that begins to listen.
    pub(in crate::attribute) fn sharing_port(&mut self, one: &Listener) -> Vec<PeerParty> {
        let others = self.ends.listeners.sharing(one, one.since_ns);
        let others = others.filter(|other| !is_same(&other.party.owner, &one.party.owner));
        let others: Vec<Listener> = others.cloned().collect();
        distinct(others.iter().map(|other| self.party_of(other)).collect())
    }

    /// A connection was established from this host, maybe to this host.
    pub(in crate::attribute) fn note_client(
        &mut self,
        cookie: u64,
        ends: (SocketAddr, SocketAddr),
        by: &Party,
    ) {
        if self.own_address(ends.1).is_some() {
            // Without room the end that accepts has no peer.
            drop(self.ends.clients.0.insert(&by.owner, ends, (cookie, by.clone())));
        }
    }

    /// The connection is over.
    pub(in crate::attribute) fn forget_client(
        &mut self,
        cookie: u64,
        ends: (SocketAddr, SocketAddr),
    ) {
        if self.ends.clients.0.get(&ends).is_some_and(|(known, _)| *known == cookie) {
            self.ends.clients.0.remove(&ends);
        }
    }

    /// Who connected, when the other end of a connection has been told, too.
    pub(in crate::attribute) fn client_at(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<Box<Peer>> {
        let (_, Party { owner, process, .. }) = self.ends.clients.0.get(&(remote, local))?;
        Some(Peer::one(owner, process.as_ref(), PeerMethod::Connection))
    }

    /// Who the kernel says is at the other end of a unix socket.
    pub(in crate::attribute) fn unix_peer(&mut self, record: &Unix, at: u64) -> Option<Box<Peer>> {
        if record.peer_cgroup == 0 {
            return None;
        }
        let holder = Holder { pid: record.peer_tgid, cgroup: record.peer_cgroup };
        let owner = self.owner_of_holder(&holder, at);
        let process = self.processes.get(record.peer_tgid, at);
        Some(Peer::one(&owner, process, PeerMethod::Credentials))
    }

    /// The address as it is on this host; `None` when it is not this host's.
    pub(in crate::attribute) fn own_address(&self, address: SocketAddr) -> Option<SocketAddr> {
        let known = canonical(address);
        let ip = match known.ip() {
            // connect(2) to no address in particular means this host.
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        (ip.is_loopback() || self.ends.addresses.contains(&ip))
            .then(|| SocketAddr::new(ip, known.port()))
    }

    pub(super) fn party_of(&mut self, listener: &Listener) -> PeerParty {
        let Party { owner, process, .. } = &listener.party;
        let local = Some(listener.local);
        match self.behind_proxy(listener) {
            Some((proxy, owner)) => {
                PeerParty { owner, process: Some(proxy), via: Some(Via::DockerProxy), local }
            }
            None => {
                PeerParty { owner: Arc::clone(owner), process: process.clone(), via: None, local }
            }
        }
    }
}

/// Each owner once; the process only where it is the owner's only one.
pub(super) fn distinct(parties: Vec<PeerParty>) -> Vec<PeerParty> {
    let mut distinct: Vec<PeerParty> = Vec::with_capacity(parties.len());
    for party in parties {
        let is_it = |known: &&mut PeerParty| {
            is_same(&known.owner, &party.owner) && known.unit() == party.unit()
        };
        match distinct.iter_mut().find(is_it) {
            Some(known) => {
                let pid = |party: &PeerParty| party.process.as_ref().map(|process| process.pid);
                if pid(known) != pid(&party) {
                    known.process = None;
                }
            }
            None => distinct.push(party),
        }
    }
    distinct
}

pub(super) fn is_same(one: &Owner, other: &Owner) -> bool {
    let is_known = one.kind != OwnerKind::Unknown;
    one.is_same(other) && (is_known || one.cgroup_id == other.cgroup_id)
}

/// What tells of a listener's beginning and end: kinds of records, and the hooks they
/// come from.
pub const OF_LISTENERS: (&[EventKind], &[Hook]) = (
    &[EventKind::Bind, EventKind::Listen, EventKind::Close, EventKind::DatagramClose],
    &[Hook::PostBind4, Hook::PostBind6, Hook::InetSockSetState, Hook::SockRelease],
);
