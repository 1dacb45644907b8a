//! An inbound connection and the process that takes it: two records, one event.
//!
//! The kernel completes a connection before anybody calls accept(2). Where that
//! call is seen, the event waits for it and names the process; elsewhere it
//! names the process that listens.

use hostnet_abi::Accept as AcceptRecord;

use super::{
    SocketCorrelator,
    act::{Act, Parts},
    table::PendingAccept,
};
use crate::{
    attribute::{other_end::PeerTable, party::Party},
    event::{Accept, Direction, endpoint},
};

impl SocketCorrelator {
    pub(super) fn accepted(&mut self, parts: &mut Parts<'_>, mut act: Act, record: &AcceptRecord) {
        let accept = Accept {
            local: endpoint(record.local, record.local_port),
            remote: endpoint(record.remote, record.remote_port),
        };
        act.party = match self.table.get(record.listener) {
            // The kernel names the listener's maker; whoever listens may be another.
            Some(listener) => Party { actor: None, ..listener.party.clone() },
            None => {
                let process = self.table.older_listener(accept.local, &act.party.owner);
                Party { process: process.or(act.party.process), ..act.party }
            }
        };
        let Parts { owners, peers, .. } = parts;
        let peer = peers
            .client_at(accept.local, accept.remote)
            .or_else(|| peers.bridged_container(owners, accept.remote.ip()));
        let tracked = self.table.track(&act.party, act.socket, act.at);
        match tracked {
            Some(tracked) if self.policy.sees_acceptor => {
                let (boot_ns, hook) = (act.at, act.hook);
                tracked.direction = Some(Direction::Ingress);
                tracked.accept = Some(Box::new(PendingAccept { boot_ns, hook, accept, peer }));
                self.table.wait(act.socket.cookie, act.at);
            }
            tracked => {
                if let Some(tracked) = tracked {
                    tracked.direction = Some(Direction::Ingress);
                }
                parts.report_with(&act, accept, peer);
            }
        }
    }

    /// Whose the listener from before the agent is that accepts, when its process tells
    /// another owner than its cgroup.
    pub(super) fn older_stray(
        &self,
        peers: &PeerTable,
        accept: &AcceptRecord,
        at: u64,
    ) -> Option<Party> {
        if accept.listener != 0 {
            return None;
        }
        let local = endpoint(accept.local, accept.local_port);
        let found = self.table.older_stray(local).or_else(|| peers.stray_listening_at(local, at));
        found.map(|party| Party { actor: None, ..party })
    }

    /// A process took the connection: it is whose it is from now on.
    pub(super) fn accept_taken(&mut self, parts: &mut Parts<'_>, act: Act) {
        let Act { mut party, socket, .. } = act;
        let Some(tracked) = self.table.get_mut(socket.cookie) else { return };
        let listens = &tracked.party.owner;
        if (listens.kind, &listens.container_id) != (party.owner.kind, &party.owner.container_id) {
            party.creator.get_or_insert_with(|| listens.clone());
        }
        tracked.party = party;
        self.report_pending_accept(parts, socket.cookie);
    }

    /// Reports a connection that waited for the process that takes it.
    pub(super) fn report_pending_accept(&mut self, parts: &mut Parts<'_>, cookie: u64) {
        let Some(tracked) = self.table.get_mut(cookie) else { return };
        let Some(pending) = tracked.accept.take() else { return };
        let PendingAccept { boot_ns: at, hook, accept, peer } = *pending;
        let act = Act { at, hook, party: tracked.party.clone(), socket: tracked.socket };
        parts.report_with(&act, accept, peer);
    }
}
