//! What a UDP socket exchanged with each of its peers: the kernel counts it, and its counts
//! come with the record that closes the socket.

use std::net::SocketAddr;

use hostnet_abi::{Flow, FlowKey, Record};

use super::{SocketCorrelator, table::flow_key};
use crate::{
    attribute::{decoded::Decoded, request::Request},
    event::{FlowCount, endpoint},
};

impl SocketCorrelator {
    /// The flows whose counts a closing record needs; none for other records.
    pub fn flows_of(&self, of: &Decoded<'_>) -> Vec<FlowKey> {
        let Record::DatagramClose(_) = of.record else { return Vec::new() };
        let cookie = of.header.cookie;
        let tracked = self.table.get(cookie);
        let remotes = tracked.into_iter().flat_map(|tracked| &tracked.flows);
        remotes.map(|remote| flow_key(cookie, *remote)).collect()
    }

    /// Counts of the flows that the next closing record ends.
    pub fn flows(&mut self, counts: &[(FlowKey, Flow)]) {
        let count = |(key, flow): &(FlowKey, Flow)| FlowCount {
            remote: endpoint(key.remote, key.remote_port as u16),
            sent: flow.sent,
            received: flow.received,
        };
        self.flow_counts = counts.iter().map(count).collect();
    }

    /// UDP flows that are counted for an agent before this one: their sockets' ends tell
    /// them, and those whose sockets are gone are forgotten.
    pub fn older_flows(&mut self, flows: Vec<(u64, SocketAddr)>) {
        let mut gone = Vec::new();
        for (cookie, remote) in flows {
            match self.table.get_mut(cookie) {
                Some(tracked) => tracked.note_flow(remote),
                None => gone.push(flow_key(cookie, remote)),
            }
        }
        if !gone.is_empty() {
            self.requests.push(Request::ForgetFlows(gone));
        }
    }
}

#[cfg(test)]
mod tests {
    use hostnet_abi::{
        Datagram, DatagramClose, Header, Hook, Payload, Socket, counting, direction, v4_mapped,
    };
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;
    use crate::{
        attribute::{Attribution, decoded::Decoded, policy::Policy},
        event::Operation,
    };

    const UDP: Socket = Socket { family: libc::AF_INET as u16, kind: 2, protocol: 17 };

    fn bytes<P: Payload>(hook: Hook, payload: P) -> Vec<u8> {
        let header = Header {
            boot_ns: 1,
            cookie: 7,
            kind: P::KIND as u16,
            hook: hook as u16,
            length: (size_of::<Header>() + size_of::<P>()) as u32,
            ..Header::new_zeroed()
        };
        [header.as_bytes(), payload.as_bytes()].concat()
    }

    fn sent_to(port: u16, counting: u16) -> Vec<u8> {
        let datagram = Datagram {
            remote: v4_mapped(u32::from_ne_bytes([127, 0, 0, 1])),
            remote_port: port,
            direction: direction::SENT,
            counting,
            socket: UDP,
            ..Datagram::new_zeroed()
        };
        bytes(Hook::Sendmsg4, datagram)
    }

    fn end(others_sent: u64) -> Vec<u8> {
        let close = DatagramClose { others_sent, socket: UDP, ..DatagramClose::new_zeroed() };
        bytes(Hook::SockRelease, close)
    }

    fn record(stage: &mut Attribution, bytes: &[u8]) {
        stage.record(&Decoded::of(bytes).expect("a record"));
    }

    fn flows(stage: &Attribution, bytes: &[u8]) -> Vec<FlowKey> {
        stage.flows_of(&Decoded::of(bytes).expect("a record"))
    }

    fn stage() -> Attribution {
        let mut stage = Attribution::new(Policy { seed: 1, ..Policy::default() });
        let mut existing = stage.existing(0, Vec::new());
        while stage.tell_next(&mut existing) {}
        stage
    }

    #[test]
    fn a_peer_that_is_reported_again_is_counted_once() {
        let mut stage = stage();
        for _ in 0..10_000 {
            record(&mut stage, &sent_to(53, counting::APART));
        }
        assert_eq!(flows(&stage, &end(0)).len(), 1);
    }

    #[test]
    fn peers_that_the_kernel_does_not_count_apart_are_not_asked_for() {
        let mut stage = stage();
        for port in 1..=600 {
            record(&mut stage, &sent_to(port, counting::NOT_APART));
        }
        assert!(flows(&stage, &end(0)).is_empty());
        for port in 1..=60_000 {
            record(&mut stage, &sent_to(port, counting::APART));
        }
        assert_eq!(flows(&stage, &end(0)).len(), 512, "however many are reported");
    }

    #[test]
    fn the_end_of_a_socket_says_how_much_it_exchanged_with_peers_that_are_not_listed() {
        let mut stage = stage();
        record(&mut stage, &sent_to(53, counting::LAST_APART));
        let counts: Vec<_> = flows(&stage, &end(9))
            .into_iter()
            .map(|key| (key, Flow { sent: 2, received: 0 }))
            .collect();
        stage.flows(&counts);
        record(&mut stage, &end(9));
        let mut events = Vec::new();
        stage.take_events(&mut events);
        let last = |operation: &Operation| matches!(operation, Operation::Datagram(datagram) if datagram.is_last);
        assert!(events.iter().any(|event| last(&event.operation)));
        let closed = events.iter().find_map(|event| match &event.operation {
            Operation::DatagramClose(close) => Some(close),
            _ => None,
        });
        let close = closed.expect("its end is an event");
        assert_eq!((close.flows.peers(), close.others, close.total()), (1, (9, 0), (11, 0)));
        assert_eq!(close.remote, None, "it is not the only one");
    }
}
