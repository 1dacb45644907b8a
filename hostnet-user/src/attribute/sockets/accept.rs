//! An inbound connection and the process that takes it: two records, one event.
//!
//! The kernel completes a connection before anybody calls accept(2). Where that
//! call is seen, the event waits for it and names the process; elsewhere it
//! names the process that listens.

use hostnet_abi::{Accept as AcceptRecord, Header, Hook};

use super::table::PendingAccept;
use crate::{
    attribute::{Attribution, Party},
    event::{Accept, Direction, Socket, endpoint},
};

impl Attribution {
    pub(super) fn accepted(
        &mut self,
        at: u64,
        hook: Hook,
        mut party: Party,
        socket: Socket,
        record: &AcceptRecord,
    ) {
        party = match self.sockets.get(record.listener) {
            // The kernel names the listener's maker; whoever listens may be another.
            Some(listener) => Party { actor: None, ..listener.party.clone() },
            None => {
                let local = endpoint(record.local, record.local_port);
                let process = self.sockets.older_listener(local, &party.owner);
                Party { process: process.or(party.process), ..party }
            }
        };
        let accept = Accept {
            local: endpoint(record.local, record.local_port),
            remote: endpoint(record.remote, record.remote_port),
        };
        let sees_acceptor = self.policy.sees_acceptor;
        let peer = self.client_at(accept.local, accept.remote);
        let peer = peer.or_else(|| self.bridged_container(accept.remote.ip()));
        let Some(tracked) = self.sockets.track(&party, socket, at) else {
            self.tell_with(at, hook, &party, Some(socket), accept.into(), peer);
            return;
        };
        tracked.direction = Some(Direction::Ingress);
        if sees_acceptor {
            tracked.accept = Some(Box::new(PendingAccept { boot_ns: at, hook, accept, peer }));
            self.sockets.wait(socket.cookie, at);
        } else {
            self.tell_with(at, hook, &party, Some(socket), accept.into(), peer);
        }
    }

    /// Whose the listener from before the agent is that accepts, when its process tells
    /// another owner than its cgroup.
    pub(super) fn older_stray(&self, accept: &AcceptRecord, at: u64) -> Option<Party> {
        if accept.listener != 0 {
            return None;
        }
        let local = endpoint(accept.local, accept.local_port);
        let found = self.sockets.older_stray(local).or_else(|| self.stray_listening_at(local, at));
        found.map(|party| Party { actor: None, ..party })
    }

    /// A process took the connection: it is whose it is from now on.
    pub(super) fn accept_taken(&mut self, header: &Header, mut party: Party) {
        let Some(tracked) = self.sockets.get_mut(header.cookie) else { return };
        let listens = &tracked.party.owner;
        if (listens.kind, &listens.container_id) != (party.owner.kind, &party.owner.container_id) {
            party.creator.get_or_insert_with(|| listens.clone());
        }
        tracked.party = party;
        self.tell_pending_accept(header.cookie);
    }

    /// Tells a connection that waited for the process that takes it.
    pub(super) fn tell_pending_accept(&mut self, cookie: u64) {
        let Some(tracked) = self.sockets.get_mut(cookie) else { return };
        let Some(pending) = tracked.accept.take() else { return };
        let PendingAccept { boot_ns, hook, accept, peer } = *pending;
        let (party, socket) = (tracked.party.clone(), tracked.socket);
        self.tell_with(boot_ns, hook, &party, Some(socket), accept.into(), peer);
    }
}
