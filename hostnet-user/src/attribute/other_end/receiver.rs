//! Who received what was sent or accepted a connection, as far as that is certain.
//!
//! Of a TCP connection within this host the end that accepts is seen, or nobody is named.
//! A datagram's receiver is whoever is bound to the address, unless a packet filter may
//! lead it elsewhere. An address behind a bridge is the container's that the runtime gave
//! it to.

use std::net::{IpAddr, SocketAddr};

use super::{
    PeerTable, Redirects,
    listeners::Listener,
    peer::{distinct, is_same},
};
use crate::{
    attribute::{owners::OwnerResolver, party::Party},
    event::{OwnerKind, Peer, PeerMethod, canonical},
};

const IPPROTO_TCP: u32 = 6;

impl PeerTable {
    /// Who received what went to `remote` at `at`.
    pub fn receiver_of(
        &mut self,
        owners: &mut OwnerResolver,
        protocol: u32,
        remote: SocketAddr,
        at: u64,
    ) -> Option<Box<Peer>> {
        let own = self.own_address(remote);
        if self.redirects.may_lead(protocol, remote, own.is_some()) {
            return None;
        }
        match own {
            Some(own) => self.listener_at(owners, protocol, own, at),
            None => self.bridged_container(owners, remote.ip()),
        }
    }

    /// Who listens, or is bound, at an address of this host.
    fn listener_at(
        &mut self,
        owners: &mut OwnerResolver,
        protocol: u32,
        own: SocketAddr,
        at: u64,
    ) -> Option<Box<Peer>> {
        // Until the table is filled anew it may lack whoever is nearest.
        if self.doubt.is_there() {
            return None;
        }
        let reached = self.listeners.at(protocol, own, at)?;
        let is_exact = reached.is_exact;
        let listeners = reached.listeners.into_iter().cloned().collect();
        self.listening(owners, listeners, is_exact)
    }

    /// Who accepted a connection at `local`: `by` is whose the accepted socket is, `cookie`
    /// the listener that the kernel names, or 0.
    pub fn acceptor(
        &mut self,
        owners: &mut OwnerResolver,
        cookie: u64,
        local: SocketAddr,
        by: &Party,
        at: u64,
    ) -> Option<Box<Peer>> {
        let local = canonical(local);
        let (listeners, is_exact): (Vec<Listener>, bool) = match self.listeners.get(cookie) {
            Some(listener) => {
                (vec![listener.clone()], canonical(listener.local).ip() == local.ip())
            }
            None if cookie != 0 || self.doubt.is_there() => (Vec::new(), false),
            // The listener is older than the programs: it bears no mark.
            None => match self.listeners.at(IPPROTO_TCP, local, at) {
                Some(reached) => {
                    let known = reached.listeners.into_iter().filter(|one| one.is_by(by));
                    (known.cloned().collect(), reached.is_exact)
                }
                None => (Vec::new(), false),
            },
        };
        if let Some(peer) = self.listening(owners, listeners, is_exact) {
            return Some(peer);
        }
        let Party { owner, process, .. } = by;
        (owner.kind != OwnerKind::Unknown)
            .then(|| Peer::one(owner, process.as_ref(), PeerMethod::Connection))
    }

    fn listening(
        &mut self,
        owners: &mut OwnerResolver,
        listeners: Vec<Listener>,
        is_exact: bool,
    ) -> Option<Box<Peer>> {
        let method = if is_exact { PeerMethod::Address } else { PeerMethod::Wildcard };
        let listens_on = Some(listeners.first()?.local);
        let possible = listeners.iter().map(|listener| self.party_of(owners, listener)).collect();
        Some(Box::new(Peer { possible: distinct(possible), listens_on, method }))
    }

    /// The container that has this address behind a bridge of this host.
    pub fn bridged_container(&self, owners: &mut OwnerResolver, ip: IpAddr) -> Option<Box<Peer>> {
        let ip = ip.to_canonical();
        if !self.bridged.iter().any(|range| Redirects::covers(*range, ip)) {
            return None;
        }
        let owner = owners.running_at(ip)?;
        Some(Peer::one(&owner, None, PeerMethod::Runtime))
    }

    /// Whose the listener is at `local` when its process tells that, and not its cgroup.
    pub fn stray_listening_at(&self, local: SocketAddr, at: u64) -> Option<Party> {
        let reached = self.listeners.at(IPPROTO_TCP, canonical(local), at)?;
        let mut parties = reached.listeners.iter().map(|listener| &listener.party);
        let first = parties.next().filter(|party| party.owner.is_by_process())?;
        parties.all(|other| other.owner.is_same(&first.owner)).then(|| first.clone())
    }
}

impl Listener {
    /// Whether a socket that was accepted from it may be whose this is: made by the same.
    fn is_by(&self, party: &Party) -> bool {
        let made_by = self.party.creator.as_ref().unwrap_or(&self.party.owner);
        is_same(made_by, &party.owner) || is_same(&self.party.owner, &party.owner)
    }
}
