//! A connect and how it ends: two records, one event, with whoever was at the
//! other end.

use std::net::SocketAddr;

use hostnet_abi::{
    Accept as AcceptRecord, Connect as ConnectRecord, ConnectOutcome as OutcomeRecord, EventKind,
    Header, Hook, established,
};
use uuid::Uuid;

use super::{
    SocketCorrelator,
    act::{Act, Parts},
    same,
    table::PendingConnect,
    unconfirmed::{Ends, Established},
};
use crate::{
    attribute::{other_end::listeners::is_datagram, party::Party},
    event::{
        Connect, ConnectOutcome, Direction, Event, Outcome, Peer, PeerMethod, SentToPeer, Socket,
        endpoint,
    },
};

const IPPROTO_TCP: u32 = 6;
/// Nobody listens, or whoever does has no room.
const ECONNREFUSED: u16 = libc::ECONNREFUSED as u16;

/// How a connect ended, as far as it is known.
#[derive(Debug)]
pub struct Ended {
    pub outcome: Outcome,
    /// The two ends of the connection, its own first.
    pub ends: Option<Ends>,
    /// Who was at the other end.
    pub peer: Option<Box<Peer>>,
}

impl SocketCorrelator {
    pub(super) fn connect_attempted(
        &mut self,
        parts: &mut Parts<'_>,
        act: &Act,
        record: &ConnectRecord,
    ) {
        let remote = endpoint(record.address, record.port as u16);
        let protocol = act.socket.socket.protocol;
        if is_datagram(protocol) {
            return self.peer_set(parts, act, remote);
        }
        if is_tcp(act.socket) {
            let pending = PendingConnect::new(act.at, act.hook, remote);
            match self.table.ask_connect(&act.party, act.socket, pending) {
                Ok(None) => {}
                Ok(Some(before)) => {
                    let outcome = Outcome::Failure(None);
                    self.report_connect(
                        parts,
                        act,
                        before,
                        Ended { outcome, ends: None, peer: None },
                    );
                }
                Err(pending) => {
                    parts.reporter.not_kept(act.at, &act.party.owner, EventKind::ConnectOutcome);
                    self.report_unfollowed(parts, act, pending);
                }
            }
            return;
        }
        let outcome = Outcome::Unknown;
        let operation = Connect { local: None, remote, rewritten_to: None, outcome, sent: None };
        let peer = parts.peers.receiver_of(parts.owners, protocol, remote, act.at);
        parts.report_with(act, operation, peer);
    }

    /// A UDP socket has a peer from now on: what comes of it is a datagram, if one leaves.
    fn peer_set(&mut self, parts: &mut Parts<'_>, act: &Act, remote: SocketAddr) {
        let cookie = act.socket.cookie;
        let pending = PendingConnect::new(act.at, act.hook, remote);
        let before = match self.table.ask_connect(&act.party, act.socket, pending) {
            Ok(before) => before,
            Err(pending) => {
                let older = PendingConnect { is_older: true, ..pending };
                return self.report_unfollowed(parts, act, older);
            }
        };
        if let Some(tracked) = self.table.get_mut(cookie) {
            tracked.direction.get_or_insert(Direction::Egress);
            tracked.peer = Some(remote);
        }
        if let Some(before) = before.filter(|before| before.told.is_none()) {
            self.report_unfollowed(parts, act, before);
        }
        if !self.policy.sees_first_sends {
            self.report_without_outcome(parts, cookie);
        }
    }

    /// Reports a connect with an unknown outcome: none is waited for.
    fn report_unfollowed(&self, parts: &mut Parts<'_>, act: &Act, pending: PendingConnect) {
        let outcome = Outcome::Unknown;
        let peer = self.peer_without_connection(parts, act.socket, &pending, outcome);
        self.report_connect(parts, act, pending, Ended { outcome, ends: None, peer });
    }

    /// A datagram passed between a connected UDP socket and its peer. Returns whether
    /// that is what its connect waited for.
    pub(super) fn first_datagram(&mut self, parts: &mut Parts<'_>, act: &Act, ends: Ends) -> bool {
        let Some(tracked) = self.table.get_mut(act.socket.cookie) else { return false };
        let Some(pending) = tracked.connect.take() else { return false };
        // Another program may have chosen it.
        tracked.peer = Some(ends.1);
        let act = Act { party: tracked.party.clone(), ..*act };
        let protocol = act.socket.socket.protocol;
        let peer = parts.peers.receiver_of(parts.owners, protocol, ends.1, act.at);
        let ended = Ended { outcome: Outcome::Success, ends: Some(ends), peer };
        self.report_connect(parts, &act, *pending, ended);
        true
    }

    /// Whether a datagram has left a socket with a peer. `waiting` is its connect, for as
    /// long as none has been seen.
    pub(super) fn has_sent(&self, waiting: Option<&PendingConnect>) -> SentToPeer {
        match waiting {
            None => SentToPeer::Yes,
            Some(connect) if connect.is_older || !self.policy.sees_first_sends => {
                SentToPeer::Unknown
            }
            Some(_) => SentToPeer::No,
        }
    }

    /// Reports the connect of a socket that has waited long enough.
    pub(super) fn report_without_outcome(&mut self, parts: &mut Parts<'_>, cookie: u64) {
        let Some(tracked) = self.table.get(cookie).cloned() else { return };
        let Some(pending) = tracked.connect else { return };
        let outcome = Outcome::Unknown;
        let (at, hook, party, socket) =
            (pending.boot_ns, pending.hook, tracked.party, tracked.socket);
        let peer = self.peer_without_connection(parts, socket, &pending, outcome);
        let act = Act { at, hook, party, socket };
        let told = self.report_connect(parts, &act, *pending, Ended { outcome, ends: None, peer });
        if let Some(connect) =
            self.table.get_mut(cookie).and_then(|tracked| tracked.connect.as_mut())
        {
            connect.told = Some(told);
        }
    }

    pub(super) fn connect_ended(
        &mut self,
        parts: &mut Parts<'_>,
        mut act: Act,
        record: &OutcomeRecord,
    ) {
        let cookie = act.socket.cookie;
        let remote = endpoint(record.remote, record.remote_port);
        let ends = (endpoint(record.local, record.local_port), remote);
        if record.established == established::NOT_YET {
            // The other end may be told first, and then it was this one.
            let party = self.table.get(cookie).map_or(&act.party, |tracked| &tracked.party);
            parts.peers.note_client(cookie, ends, party);
            return;
        }
        let is_established = record.established == established::YES;
        let outcome = if is_established {
            Outcome::Success
        } else {
            Outcome::Failure((record.errno != 0).then_some(record.errno))
        };
        let mut pending = None;
        if let Some(tracked) = self.table.get_mut(cookie) {
            pending = tracked.connect.take();
            act.party = tracked.party.clone();
        }
        // What the connection's own state has told is not told again. What a program of
        // somebody else refused may have come no further than this.
        let is_refused = i32::from(record.errno) == libc::EPERM && is_tcp(act.socket);
        if act.hook == Hook::InetStreamConnect && pending.is_none() && !is_refused {
            return;
        }
        let connect =
            pending.map_or_else(|| PendingConnect::new(act.at, act.hook, remote), |one| *one);
        if !is_established {
            parts.peers.forget_client(cookie, ends);
            self.table.remove(cookie);
            let peer = self.peer_without_connection(parts, act.socket, &connect, outcome);
            self.report_connect(parts, &act, connect, Ended { outcome, ends: Some(ends), peer });
            return;
        }
        if let Some(tracked) = self.table.track(&act.party, act.socket, act.at) {
            tracked.since_ns = Some(act.at);
            tracked.direction = Some(Direction::Egress);
            parts.peers.note_client(cookie, ends, &act.party);
        }
        self.connected(parts, Established { act, connect, ends });
    }

    /// A connect succeeded: it is reported with whoever is at the other end, once that is sure.
    fn connected(&mut self, parts: &mut Parts<'_>, one: Established) {
        let (local, remote) = one.ends;
        if !self.policy.sees_accepts_within_host || parts.peers.own_address(remote).is_none() {
            let protocol = one.act.socket.socket.protocol;
            let peer = parts.peers.receiver_of(parts.owners, protocol, remote, one.act.at);
            self.report_connected(parts, one, peer);
        } else if let Some(peer) = parts.peers.client_at(local, remote) {
            // Both ends connected: two at the same time, or a socket to itself.
            if let Some(other) = self.unconfirmed.remove((remote, local)) {
                let Party { owner, process, .. } = &one.act.party;
                let peer = Peer::one(owner, process.as_ref(), PeerMethod::Connection);
                self.report_connected(parts, other, Some(peer));
            }
            self.report_connected(parts, one, Some(peer));
        } else if let Some(one) = self.unconfirmed.wait(one) {
            self.report_connected(parts, one, None);
        }
    }

    /// Somebody accepted a connection: who connected is told with whom, if it waits for that.
    pub(super) fn confirm(
        &mut self,
        parts: &mut Parts<'_>,
        header: &Header,
        accept: &AcceptRecord,
        by: &Party,
    ) {
        let local = endpoint(accept.local, accept.local_port);
        let ends = (endpoint(accept.remote, accept.remote_port), local);
        if let Some(one) = self.unconfirmed.remove(ends) {
            let Parts { owners, peers, .. } = parts;
            let peer = peers.acceptor(owners, accept.listener, local, by, header.boot_ns);
            self.report_connected(parts, one, peer);
        }
    }

    /// The connection of this socket has ended: what waits of it is reported first.
    pub(super) fn report_unconfirmed_of(&mut self, parts: &mut Parts<'_>, cookie: u64, ends: Ends) {
        if let Some(one) = self.unconfirmed.remove_of(cookie, ends) {
            self.report_connected(parts, one, None);
        }
    }

    /// Reports those that have waited long enough at `boot_ns`.
    pub(in crate::attribute) fn report_unconfirmed(&mut self, parts: &mut Parts<'_>, boot_ns: u64) {
        while let Some(one) = self.unconfirmed.overdue(boot_ns) {
            self.report_connected(parts, one, None);
        }
    }

    fn report_connected(&self, parts: &mut Parts<'_>, one: Established, peer: Option<Box<Peer>>) {
        let Established { act, connect, ends } = one;
        let ended = Ended { outcome: Outcome::Success, ends: Some(ends), peer };
        self.report_connect(parts, &act, connect, ended);
    }

    /// Who was aimed at by a connect of which no connection was seen.
    pub(super) fn peer_without_connection(
        &self,
        parts: &mut Parts<'_>,
        socket: Socket,
        pending: &PendingConnect,
        outcome: Outcome,
    ) -> Option<Box<Peer>> {
        let Parts { owners, peers, .. } = parts;
        match outcome {
            Outcome::Failure(None | Some(ECONNREFUSED)) => None,
            // A connection is with whoever is seen to accept it.
            Outcome::Success
                if is_tcp(socket)
                    && self.policy.sees_accepts_within_host
                    && peers.own_address(pending.remote).is_some() =>
            {
                None
            }
            Outcome::Success | Outcome::Failure(_) | Outcome::Unknown => {
                let protocol = socket.socket.protocol;
                peers.receiver_of(owners, protocol, pending.remote, pending.boot_ns)
            }
        }
    }

    /// Reports a connect, or completes the one that was reported without its outcome. `act`
    /// is what showed how it ended.
    pub(super) fn report_connect(
        &self,
        parts: &mut Parts<'_>,
        act: &Act,
        pending: PendingConnect,
        Ended { outcome, ends, peer }: Ended,
    ) -> Uuid {
        let Act { at, hook, party, socket } = act;
        let sent = is_datagram(socket.socket.protocol).then(|| match outcome {
            Outcome::Success => SentToPeer::Yes,
            Outcome::Failure(_) | Outcome::Unknown => self.has_sent(Some(&pending)),
        });
        let (local, established_remote) = ends.unzip();
        let connect = Connect {
            local,
            remote: pending.remote,
            rewritten_to: established_remote
                .filter(|to| outcome == Outcome::Success && !same(*to, pending.remote)),
            outcome,
            sent,
        };
        let Some(told) = pending.told else {
            let asked = Act { at: pending.boot_ns, hook: pending.hook, ..act.clone() };
            return parts.report_with(&asked, connect, peer);
        };
        let after_ns = (!pending.is_older).then(|| at.saturating_sub(pending.boot_ns));
        let operation = ConnectOutcome { connect, after_ns }.into();
        let Parts { owners, reporter, .. } = parts;
        let event = reporter.event(*at, Some(*hook), operation);
        let id = event.id;
        let event = Event { peer, amends: Some(told), ..party.did(event, Some(*socket)) };
        reporter.push(owners, event);
        id
    }
}

/// Whether the hook tells of datagrams from connected UDP sockets to their peers.
pub(super) const fn tells_first_sends(hook: Hook) -> bool {
    matches!(hook, Hook::UdpSendmsg | Hook::Udpv6Sendmsg | Hook::SockSendLength)
}

const fn is_tcp(socket: Socket) -> bool {
    socket.socket.protocol == IPPROTO_TCP
}
