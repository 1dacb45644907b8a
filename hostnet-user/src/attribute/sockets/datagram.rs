//! Datagrams: the first between a socket and each of its peers, and at the end of the
//! socket how many there were.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hostnet_abi::{
    Datagram as DatagramRecord, DatagramClose as CloseRecord, EventKind, counting, direction,
};

use super::{
    SocketCorrelator,
    act::{Act, Parts},
    connect::{Ended, tells_first_sends},
    same,
    table::flow_key,
};
use crate::{
    attribute::request::Request,
    event::{Datagram, DatagramClose, Direction, Flows, Outcome, Socket, endpoint},
};

impl SocketCorrelator {
    pub(super) fn exchanged(&mut self, parts: &mut Parts<'_>, act: &Act, record: &DatagramRecord) {
        let Act { at, hook, party, socket } = act;
        let remote = endpoint(record.remote, record.remote_port);
        let direction = if record.direction == direction::SENT {
            Direction::Egress
        } else {
            Direction::Ingress
        };
        let is_to_peer = tells_first_sends(*hook);
        let is_counted = !is_to_peer && record.counting != counting::NOT_APART;
        let mut has_peer = false;
        if let Some(tracked) = self.table.track(party, *socket, *at) {
            tracked.direction.get_or_insert(direction);
            if is_counted {
                tracked.note_flow(remote);
            }
            // A v4-mapped socket's sends show here, too.
            has_peer = tracked.peer.is_some_and(|peer| same(peer, remote));
        } else if is_counted {
            // Nobody would ask for it, or take it away, when the socket ends.
            let flow = flow_key(socket.cookie, remote);
            self.requests.push(Request::ForgetFlows(vec![flow]));
        }
        let local = any_of_family(endpoint(record.local, record.local_port), *socket);
        let was_connected =
            (is_to_peer || has_peer) && self.first_datagram(parts, act, (local, remote));
        if was_connected || has_peer {
            return;
        }
        let is_last = record.counting == counting::LAST_APART;
        let operation = Datagram { local, remote, direction, is_last };
        // Whoever sent first may have written any address as its own.
        let protocol = socket.socket.protocol;
        let peer = (direction == Direction::Egress)
            .then(|| parts.peers.receiver_of(parts.owners, protocol, remote, *at))
            .flatten();
        parts.report_with(act, operation, peer);
    }

    /// Only sockets of which something was told have an end worth telling, and those with
    /// datagrams that were only counted.
    pub(super) fn datagram_closed(
        &mut self,
        parts: &mut Parts<'_>,
        act: &Act,
        record: &CloseRecord,
    ) {
        let Act { at, party, socket, .. } = act;
        let others = (record.others_sent, record.others_received);
        let flows = std::mem::take(&mut self.flow_counts);
        let tracked = self.table.remove(socket.cookie);
        if tracked.is_none() && others == (0, 0) {
            if self.table.has_refused(&party.owner) {
                parts.reporter.not_kept(*at, &party.owner, EventKind::DatagramClose);
            }
            return;
        }
        let only = (flows.len() == 1 && others == (0, 0)).then(|| flows[0].remote);
        let mut operation = DatagramClose {
            local: endpoint(record.local, record.local_port as u16),
            remote: only,
            sent: None,
            direction: None,
            flows: Flows::of(flows),
            others,
            duration_ns: None,
        };
        if let Some(mut tracked) = tracked {
            operation.sent = tracked.peer.map(|_| self.has_sent(tracked.connect.as_deref()));
            operation.remote = tracked.peer.or(only);
            operation.direction = tracked.direction;
            operation.duration_ns = tracked.since_ns.map(|since| at.saturating_sub(since));
            if let Some(connect) = tracked.connect.take().filter(|connect| connect.told.is_none()) {
                let outcome = Outcome::Unknown;
                let peer = self.peer_without_connection(parts, *socket, &connect, outcome);
                let opened = Act { party: tracked.party, ..act.clone() };
                self.report_connect(parts, &opened, *connect, Ended { outcome, ends: None, peer });
            }
        }
        parts.report(act, operation);
    }
}

/// The same address, no address in particular as the socket's family has it: IPv4
/// datagrams of an IPv6 socket pass by the hooks of IPv4.
fn any_of_family(local: SocketAddr, socket: Socket) -> SocketAddr {
    if !local.ip().to_canonical().is_unspecified() {
        return local;
    }
    let ip: IpAddr = if i32::from(socket.socket.family) == libc::AF_INET {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    SocketAddr::new(ip, local.port())
}
