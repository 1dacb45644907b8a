//! Connections within this host that wait until the other end was seen to accept them.
//!
//! Who listens at an address is not always who a connection to it is with: a packet filter
//! or a program of somebody else may have led it elsewhere. The end that accepts knows the
//! connection by the same two ends, the other way round. Where nobody is seen to accept,
//! the connect is told without a peer.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use hostnet_abi::{Accept as AcceptRecord, Header, Hook};

use super::{connect::Ended, table::PendingConnect};
use crate::{
    attribute::{Attribution, Party},
    event::{
        Outcome, Peer, PeerMethod, Socket, endpoint,
        shares::{Fill, SharedMap},
    },
};

/// How long a connection waits. The kernel completes both ends within one exchange of
/// packets over loopback.
const PATIENCE_NS: u64 = 100_000_000;

/// Most that wait. One owner has at most half of them; its next is reported without a peer.
const MOST: usize = 1 << 15;

/// A connection by the address of the end that connected, and the other.
type Ends = (SocketAddr, SocketAddr);

/// A connect that succeeded and is not told yet.
#[derive(Debug)]
pub struct Established {
    pub party: Party,
    pub socket: Socket,
    pub connect: PendingConnect,
    pub ends: Ends,
    pub at: u64,
    /// What showed it.
    pub hook: Hook,
}

/// Those that wait.
#[derive(Debug)]
pub struct Unconfirmed {
    waiting: SharedMap<Ends, Established>,
    deadlines: VecDeque<(u64, Ends)>,
}

impl Default for Unconfirmed {
    fn default() -> Self {
        Self { waiting: SharedMap::of(MOST), deadlines: VecDeque::new() }
    }
}

impl Unconfirmed {
    /// How full it is.
    pub const fn fill(&self) -> Fill {
        self.waiting.fill()
    }

    /// When the oldest record was made of those that wait.
    pub fn waits_since(&self) -> Option<u64> {
        self.waiting.values().map(|one| one.connect.boot_ns.min(one.at)).min()
    }

    /// Gives it back when there is no room.
    fn wait(&mut self, one: Established) -> Option<Established> {
        let owner = Arc::clone(&one.party.owner);
        let (deadline, ends) = (one.at.saturating_add(PATIENCE_NS), one.ends);
        match self.waiting.insert(&owner, ends, one) {
            Ok(before) => {
                self.deadlines.push_back((deadline, ends));
                before
            }
            Err(one) => Some(one),
        }
    }

    fn overdue(&mut self, boot_ns: u64) -> Option<Established> {
        while let Some(&(deadline, ends)) = self.deadlines.front()
            && deadline <= boot_ns
        {
            self.deadlines.pop_front();
            // The same two ends may be those of a later connection by now.
            let is_due = |one: &Established| one.at.saturating_add(PATIENCE_NS) <= boot_ns;
            if self.waiting.get(&ends).is_some_and(is_due) {
                return self.waiting.remove(&ends);
            }
        }
        None
    }
}

impl Attribution {
    /// A connect succeeded: it is told with whoever is at the other end, once that is sure.
    pub(super) fn connected(&mut self, one: Established) {
        let (local, remote) = one.ends;
        if !self.policy.sees_accepts_within_host || self.own_address(remote).is_none() {
            let peer = self.receiver_of(one.socket.socket.protocol, remote, one.at);
            self.tell_connected(one, peer);
        } else if let Some(peer) = self.client_at(local, remote) {
            // Both ends connected: two at the same time, or a socket to itself.
            if let Some(other) = self.unconfirmed.waiting.remove(&(remote, local)) {
                let Party { owner, process, .. } = &one.party;
                let peer = Peer::one(owner, process.as_ref(), PeerMethod::Connection);
                self.tell_connected(other, Some(peer));
            }
            self.tell_connected(one, Some(peer));
        } else if let Some(one) = self.unconfirmed.wait(one) {
            self.tell_connected(one, None);
        }
    }

    /// Somebody accepted a connection: who connected is told with whom, if it waits for that.
    pub(super) fn confirm(&mut self, header: &Header, accept: &AcceptRecord, by: &Party) {
        let local = endpoint(accept.local, accept.local_port);
        let ends = (endpoint(accept.remote, accept.remote_port), local);
        if let Some(one) = self.unconfirmed.waiting.remove(&ends) {
            let peer = self.acceptor(accept.listener, local, by, header.boot_ns);
            self.tell_connected(one, peer);
        }
    }

    /// The connection of this socket has ended: what waits of it is told first.
    pub(super) fn tell_unconfirmed_of(&mut self, cookie: u64, ends: Ends) {
        let waiting = &mut self.unconfirmed.waiting;
        if waiting.get(&ends).is_some_and(|one| one.socket.cookie == cookie)
            && let Some(one) = waiting.remove(&ends)
        {
            self.tell_connected(one, None);
        }
    }

    /// Tells those that have waited long enough at `boot_ns`.
    pub(in crate::attribute) fn tell_unconfirmed(&mut self, boot_ns: u64) {
        while let Some(one) = self.unconfirmed.overdue(boot_ns) {
            self.tell_connected(one, None);
        }
    }

    fn tell_connected(&mut self, one: Established, peer: Option<Box<Peer>>) {
        let Established { party, socket, connect, ends, at, hook } = one;
        let ended = Ended { at, hook, outcome: Outcome::Success, ends: Some(ends), peer };
        self.tell_connect(&party, socket, connect, ended);
    }
}
