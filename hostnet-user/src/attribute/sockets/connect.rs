//! A connect and how it ends: two records, one event, with whoever was at the
//! other end.

use std::net::SocketAddr;

use hostnet_abi::{ConnectOutcome as OutcomeRecord, EventKind, Hook, established};

use super::{same, table::PendingConnect, unconfirmed::Established};
use crate::{
    attribute::{Attribution, Party, other_end::is_datagram},
    event::{
        Connect, ConnectOutcome, Direction, Event, Outcome, Peer, SentToPeer, Socket, endpoint,
    },
};

const IPPROTO_TCP: u32 = 6;
/// Nobody listens, or whoever does has no room.
const ECONNREFUSED: u16 = libc::ECONNREFUSED as u16;

/// How a connect ended, as far as it is known.
#[derive(Debug)]
pub struct Ended {
    pub at: u64,
    /// What showed it.
    pub hook: Hook,
    pub outcome: Outcome,
    /// The two ends of the connection, its own first.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// Who was at the other end.
    pub peer: Option<Box<Peer>>,
}

impl Attribution {
    pub(super) fn connect_attempted(
        &mut self,
        at: u64,
        hook: Hook,
        party: &Party,
        socket: Socket,
        remote: SocketAddr,
    ) {
        if is_datagram(socket.socket.protocol) {
            return self.peer_set(at, hook, party, socket, remote);
        }
        if is_tcp(socket) {
            let pending = PendingConnect::new(at, hook, remote);
            match self.sockets.ask_connect(party, socket, pending) {
                Ok(None) => {}
                Ok(Some(before)) => {
                    let outcome = Outcome::Failure(None);
                    let ended = Ended { at, hook, outcome, ends: None, peer: None };
                    self.tell_connect(party, socket, before, ended);
                }
                Err(pending) => {
                    self.not_kept(at, &party.owner, EventKind::ConnectOutcome);
                    self.report_unfollowed(at, hook, party, socket, pending);
                }
            }
            return;
        }
        let outcome = Outcome::Unknown;
        let operation = Connect { local: None, remote, rewritten_to: None, outcome, sent: None };
        let peer = self.receiver_of(socket.socket.protocol, remote, at);
        self.tell_with(at, hook, party, Some(socket), operation.into(), peer);
    }

    /// A UDP socket has a peer from now on: what comes of it is a datagram, if one leaves.
    fn peer_set(&mut self, at: u64, hook: Hook, party: &Party, socket: Socket, remote: SocketAddr) {
        let pending = PendingConnect::new(at, hook, remote);
        let before = match self.sockets.ask_connect(party, socket, pending) {
            Ok(before) => before,
            Err(pending) => {
                let older = PendingConnect { is_older: true, ..pending };
                return self.report_unfollowed(at, hook, party, socket, older);
            }
        };
        if let Some(tracked) = self.sockets.get_mut(socket.cookie) {
            tracked.direction.get_or_insert(Direction::Egress);
            tracked.peer = Some(remote);
        }
        if let Some(before) = before.filter(|before| before.told.is_none()) {
            self.report_unfollowed(at, hook, party, socket, before);
        }
        if !self.policy.sees_first_sends {
            self.tell_without_outcome(socket.cookie);
        }
    }

    /// Reports a connect with an unknown outcome: none is waited for.
    fn report_unfollowed(
        &mut self,
        at: u64,
        hook: Hook,
        party: &Party,
        socket: Socket,
        pending: PendingConnect,
    ) {
        let outcome = Outcome::Unknown;
        let peer = self.peer_without_connection(socket, &pending, outcome);
        let ended = Ended { at, hook, outcome, ends: None, peer };
        self.tell_connect(party, socket, pending, ended);
    }

    /// A datagram passed between a connected UDP socket and its peer. Returns whether
    /// that is what its connect waited for.
    pub(super) fn first_datagram(
        &mut self,
        at: u64,
        hook: Hook,
        socket: Socket,
        ends: (SocketAddr, SocketAddr),
    ) -> bool {
        let Some(tracked) = self.sockets.get_mut(socket.cookie) else { return false };
        let Some(pending) = tracked.connect.take() else { return false };
        // Another program may have chosen it.
        tracked.peer = Some(ends.1);
        let party = tracked.party.clone();
        let peer = self.receiver_of(socket.socket.protocol, ends.1, at);
        let ended = Ended { at, hook, outcome: Outcome::Success, ends: Some(ends), peer };
        self.tell_connect(&party, socket, *pending, ended);
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

    /// Tells the connect of a socket that has waited long enough.
    pub(super) fn tell_without_outcome(&mut self, cookie: u64) {
        let Some(tracked) = self.sockets.get(cookie).cloned() else { return };
        let Some(pending) = tracked.connect else { return };
        let (at, hook, outcome) = (pending.boot_ns, pending.hook, Outcome::Unknown);
        let peer = self.peer_without_connection(tracked.socket, &pending, outcome);
        let ended = Ended { at, hook, outcome, ends: None, peer };
        let told = self.tell_connect(&tracked.party, tracked.socket, *pending, ended);
        if let Some(connect) =
            self.sockets.get_mut(cookie).and_then(|tracked| tracked.connect.as_mut())
        {
            connect.told = Some(told);
        }
    }

    pub(super) fn connect_ended(
        &mut self,
        at: u64,
        hook: Hook,
        seen_by: &Party,
        socket: Socket,
        record: &OutcomeRecord,
    ) {
        let remote = endpoint(record.remote, record.remote_port);
        let ends = (endpoint(record.local, record.local_port), remote);
        if record.established == established::NOT_YET {
            // The other end may be told first, and then it was this one.
            let party = self.sockets.get(socket.cookie).map(|tracked| tracked.party.clone());
            self.note_client(socket.cookie, ends, &party.unwrap_or_else(|| seen_by.clone()));
            return;
        }
        let is_established = record.established == established::YES;
        let outcome = if is_established {
            Outcome::Success
        } else {
            Outcome::Failure((record.errno != 0).then_some(record.errno))
        };
        let (pending, party) = match self.sockets.get_mut(socket.cookie) {
            Some(tracked) => (tracked.connect.take(), tracked.party.clone()),
            None => (None, seen_by.clone()),
        };
        // What the connection's own state has told is not told again. What a program of
        // somebody else refused may have come no further than this.
        let is_refused = i32::from(record.errno) == libc::EPERM && is_tcp(socket);
        if hook == Hook::InetStreamConnect && pending.is_none() && !is_refused {
            return;
        }
        let pending = pending.map_or_else(|| PendingConnect::new(at, hook, remote), |one| *one);
        if !is_established {
            self.forget_client(socket.cookie, ends);
            self.sockets.remove(socket.cookie);
            let peer = self.peer_without_connection(socket, &pending, outcome);
            let ended = Ended { at, hook, outcome, ends: Some(ends), peer };
            self.tell_connect(&party, socket, pending, ended);
            return;
        }
        if let Some(tracked) = self.sockets.track(&party, socket, at) {
            tracked.since_ns = Some(at);
            tracked.direction = Some(Direction::Egress);
            self.note_client(socket.cookie, ends, &party);
        }
        self.connected(Established { party, socket, connect: pending, ends, at, hook });
    }

    /// Who was aimed at by a connect of which no connection was seen.
    pub(super) fn peer_without_connection(
        &mut self,
        socket: Socket,
        pending: &PendingConnect,
        outcome: Outcome,
    ) -> Option<Box<Peer>> {
        match outcome {
            Outcome::Failure(None | Some(ECONNREFUSED)) => None,
            // A connection is with whoever is seen to accept it.
            Outcome::Success
                if is_tcp(socket)
                    && self.policy.sees_accepts_within_host
                    && self.own_address(pending.remote).is_some() =>
            {
                None
            }
            Outcome::Success | Outcome::Failure(_) | Outcome::Unknown => {
                self.receiver_of(socket.socket.protocol, pending.remote, pending.boot_ns)
            }
        }
    }

    /// Tells a connect, or completes the one that was told without its outcome.
    pub(super) fn tell_connect(
        &mut self,
        party: &Party,
        socket: Socket,
        pending: PendingConnect,
        ended: Ended,
    ) -> uuid::Uuid {
        let Ended { at, hook, outcome, ends, peer } = ended;
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
            let PendingConnect { boot_ns, hook, .. } = pending;
            return self.tell_with(boot_ns, hook, party, Some(socket), connect.into(), peer);
        };
        let after_ns = (!pending.is_older).then(|| at.saturating_sub(pending.boot_ns));
        let operation = ConnectOutcome { connect, after_ns }.into();
        let event = self.event(at, Some(hook), operation);
        let id = event.id;
        self.push(Event { peer, amends: Some(told), ..party.did(event, Some(socket)) });
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
