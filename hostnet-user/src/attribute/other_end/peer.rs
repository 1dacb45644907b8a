//! The other end of an operation by name: who listened there at that instant,
//! who connected, and for whom a proxy stands.
//!
//! What is not certain is not said: no peer, or every one that it may be.

use std::{net::SocketAddr, sync::Arc};

use hostnet_abi::{Header, Record, Unix, reuse};

use super::{
    PeerTable,
    listeners::{Listener, is_datagram},
};
use crate::{
    attribute::{
        found::{Found, Holder},
        owners::OwnerResolver,
        party::Party,
    },
    event::{Owner, OwnerKind, Peer, PeerMethod, PeerParty, SocketState, Via, endpoint},
};

const IPPROTO_TCP: u32 = 6;

impl PeerTable {
    /// A socket found at `boot_ns`, if it can be the other end and its end will be
    /// told; it may have received since `since_ns`.
    pub fn found_listener(
        &mut self,
        owners: &mut OwnerResolver,
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
                    || self.chosen_ports.is_some_and(|ports| !is_chosen_by_kernel(ports));
                // Without a holder it is the kernel's own.
                let is_bound = *state == SocketState::Bound && !found.holders.is_empty();
                is_bound && was_chosen && self.policy.sees_datagram_ends
            }
            _ => false,
        };
        if !can_receive || self.doubt.has_ended(*cookie) {
            return;
        }
        let party = owners.receiving_party(found, boot_ns);
        let v6_only = if found.v6_only { reuse::V6_ONLY } else { 0 };
        self.listeners.open(Listener {
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

    /// The listener that a record tells the beginning of, unless a part of its
    /// life would go unseen.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other records show no listener")]
    pub fn begun_listener(
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
    #[expect(clippy::wildcard_enum_match_arm, reason = "other records end nobody")]
    pub fn note_listener(
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
                if close.is_of_listener() {
                    self.ended(header);
                } else {
                    let local = endpoint(close.local, close.local_port);
                    let remote = endpoint(close.remote, close.remote_port);
                    self.forget_client(header.cookie, (local, remote));
                }
                return;
            }
            Record::DatagramClose(_) => {
                self.ended(header);
                return;
            }
            _ => return,
        }
        if let Some(begun) = begun {
            self.listeners.open(begun.clone());
        }
    }

    fn ended(&mut self, header: &Header) {
        self.listeners.close(header.cookie, header.boot_ns);
        self.proxies.ended(header.cookie);
        self.doubt.ended(header.cookie);
    }

    /// Others' sockets at the port of one that begins to listen.
    pub fn sharing_port(&mut self, owners: &mut OwnerResolver, one: &Listener) -> Vec<PeerParty> {
        let others = self.listeners.sharing(one, one.since_ns);
        let others = others.filter(|other| !is_same(&other.party.owner, &one.party.owner));
        let others: Vec<Listener> = others.cloned().collect();
        distinct(others.iter().map(|other| self.party_of(owners, other)).collect())
    }

    /// A connection was established from this host, maybe to this host.
    pub fn note_client(&mut self, cookie: u64, ends: (SocketAddr, SocketAddr), by: &Party) {
        if self.own_address(ends.1).is_some() {
            self.clients.insert(cookie, ends, by);
        }
    }

    /// The connection is over.
    pub fn forget_client(&mut self, cookie: u64, ends: (SocketAddr, SocketAddr)) {
        self.clients.remove(cookie, ends);
    }

    /// Who connected, when the other end of a connection has been told, too.
    pub fn client_at(&self, local: SocketAddr, remote: SocketAddr) -> Option<Box<Peer>> {
        self.clients.get((remote, local))
    }

    pub(super) fn party_of(
        &mut self,
        owners: &mut OwnerResolver,
        listener: &Listener,
    ) -> PeerParty {
        let Party { owner, process, .. } = &listener.party;
        let local = Some(listener.local);
        match self.proxies.behind(owners, listener) {
            Some((proxy, owner)) => {
                PeerParty { owner, process: Some(proxy), via: Some(Via::DockerProxy), local }
            }
            None => {
                PeerParty { owner: Arc::clone(owner), process: process.clone(), via: None, local }
            }
        }
    }
}

/// Who the kernel says is at the other end of a unix socket.
pub fn unix_peer(owners: &mut OwnerResolver, record: &Unix, at: u64) -> Option<Box<Peer>> {
    if record.peer_cgroup == 0 {
        return None;
    }
    let holder = Holder { pid: record.peer_tgid, cgroup: record.peer_cgroup };
    let owner = owners.owner_of_holder(&holder, at);
    let process = owners.process(record.peer_tgid, at);
    Some(Peer::one(&owner, process, PeerMethod::Credentials))
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
