//! A connect and how it ends: two records, one event, with whoever was at the
//! other end.

use std::net::SocketAddr;

use hostnet_abi::{ConnectOutcome as OutcomeRecord, Hook, established};

use super::{same, table::PendingConnect};
use crate::{
    attribute::{Attribution, Party, other_end::is_datagram},
    event::{Connect, ConnectOutcome, Direction, Event, Outcome, Socket, endpoint},
};

const IPPROTO_TCP: u32 = 6;
/// Nobody listens, or whoever does has no room.
const ECONNREFUSED: u16 = libc::ECONNREFUSED as u16;

impl Attribution {
    pub(super) fn connect_attempted(
        &mut self,
        at: u64,
        hook: Hook,
        party: &Party,
        socket: Socket,
        remote: SocketAddr,
    ) {
        if is_tcp(socket) {
            let pending = PendingConnect::new(at, hook, remote);
            if let Some(before) = self.sockets.ask_connect(party, socket, pending) {
                self.tell_connect(party, socket, before, Outcome::Failure(None), None, at);
            }
            return;
        }
        if is_datagram(socket.socket.protocol)
            && let Some(tracked) = self.sockets.track(party, socket, at)
        {
            tracked.direction.get_or_insert(Direction::Egress);
            tracked.peer = Some(remote);
        }
        let outcome = Outcome::Unknown;
        let operation = Connect { local: None, remote, rewritten_to: None, outcome };
        let peer = self.listener_at(socket.socket.protocol, remote, at);
        self.tell_with(at, hook, party, Some(socket), operation.into(), peer);
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
        } else if let Some(tracked) = self.sockets.track(&party, socket, at) {
            tracked.since_ns = Some(at);
            tracked.direction = Some(Direction::Egress);
            self.note_client(socket.cookie, ends, &party);
        }
        self.tell_connect(&party, socket, pending, outcome, Some(ends), at);
    }

    /// Tells a connect, or completes the one that was told without its outcome.
    pub(super) fn tell_connect(
        &mut self,
        party: &Party,
        socket: Socket,
        pending: PendingConnect,
        outcome: Outcome,
        ends: Option<(SocketAddr, SocketAddr)>,
        at: u64,
    ) -> uuid::Uuid {
        let (local, established_remote) = ends.unzip();
        let connect = Connect {
            local,
            remote: pending.remote,
            rewritten_to: established_remote
                .filter(|to| outcome == Outcome::Success && !same(*to, pending.remote)),
            outcome,
        };
        // Established is established with whoever listens at that moment, unless the
        // other end connected as well: two at the same time, or a socket to itself.
        let peer = match (outcome, ends) {
            (Outcome::Success, Some((local, reached))) => self
                .client_at(local, reached)
                .or_else(|| self.listener_at(IPPROTO_TCP, reached, at)),
            (Outcome::Failure(None | Some(ECONNREFUSED)), _) => None,
            _ => self.listener_at(IPPROTO_TCP, pending.remote, pending.boot_ns),
        };
        let Some(told) = pending.told else {
            let PendingConnect { boot_ns, hook, .. } = pending;
            return self.tell_with(boot_ns, hook, party, Some(socket), connect.into(), peer);
        };
        let after_ns = (!pending.is_older).then(|| at.saturating_sub(pending.boot_ns));
        let operation = ConnectOutcome { connect, after_ns }.into();
        let event = self.event(at, Some(Hook::InetSockSetState), operation);
        let id = event.id;
        self.push(Event { peer, amends: Some(told), ..party.did(event, Some(socket)) });
        id
    }
}

const fn is_tcp(socket: Socket) -> bool {
    socket.socket.protocol == IPPROTO_TCP
}
