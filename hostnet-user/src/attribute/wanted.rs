//! What a record needs to be understood that is not in it: looked up by those who
//! feed this stage (`agent/`), and given before the record.

use hostnet_abi::{EventKind, Flow, FlowKey, Record, decode};

use super::{Attribution, Request, sockets::note_flow};
use crate::event::{FlowCount, endpoint, from_socket_addr};

/// Who is charged for looking up what a record lacks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// A container, in whichever of its cgroups.
    Container(String),
    /// Another cgroup.
    Cgroup(u64),
}

impl Attribution {
    /// Who is charged for what a record of a process in `cgroup` lacks.
    pub fn asker(&mut self, cgroup: u64) -> Asker {
        let owner = self.registry.owner(cgroup, &self.tree);
        owner.container_id.clone().map_or(Asker::Cgroup(cgroup), Asker::Container)
    }

    /// Whether it is known which process had this id at `boot_ns`.
    #[must_use]
    pub fn knows_process(&self, pid: u32, boot_ns: u64) -> bool {
        self.processes.get(pid, boot_ns).is_some()
    }

    /// The processes a record names of which nothing is known: whoever feeds this
    /// stage may look them up and [`seed`](Self::process) them first.
    pub fn unknown_processes(&self, bytes: &[u8]) -> impl Iterator<Item = u32> + use<> {
        let header = hostnet_abi::header(bytes).filter(|header| header.cookie != 0);
        let is_unix = header.is_some_and(|header| header.kind == EventKind::Unix as u16);
        let peer = is_unix.then(|| decode(bytes).ok()).flatten();
        let peer = peer.and_then(|(_, _, record, _)| match record {
            Record::Unix(unix) => Some(unix.peer_tgid),
            _ => None,
        });
        let actor = header.map(|header| header.tgid);
        let at = header.map_or(0, |header| header.boot_ns);
        let is_unknown = |pid: &u32| *pid != 0 && self.processes.get(*pid, at).is_none();
        [actor.filter(is_unknown), peer.filter(is_unknown)].into_iter().flatten()
    }

    /// The process of a record whose cgroup is not known: that it was made is not told
    /// where the record of it was lost.
    #[must_use]
    pub fn misplaced_process(&self, bytes: &[u8]) -> Option<u32> {
        let header = hostnet_abi::header(bytes)?;
        let is_somewhere = header.tgid != 0 && header.task_cgroup != 0;
        (is_somewhere && self.lacks_cgroup(header.task_cgroup)).then_some(header.tgid)
    }

    /// Whether nothing is known of a cgroup.
    #[must_use]
    pub fn lacks_cgroup(&self, id: u64) -> bool {
        self.tree.path(id).is_none()
    }

    /// Whether a cgroup is known to be there by this path.
    #[must_use]
    pub fn has_cgroup_at(&self, path: &str) -> bool {
        self.tree.id(path).is_some()
    }

    /// The UDP flows whose counts a closing record needs; empty for other records.
    #[must_use]
    pub fn wanted_flows(&self, bytes: &[u8]) -> Vec<FlowKey> {
        let Some(header) = hostnet_abi::header(bytes) else { return Vec::new() };
        if header.kind != EventKind::DatagramClose as u16 {
            return Vec::new();
        }
        let Some(tracked) = self.sockets.get(header.cookie) else { return Vec::new() };
        tracked.flows.iter().map(|remote| flow_key(header.cookie, *remote)).collect()
    }

    /// Counts of the flows that the next closing record ends.
    pub fn flows(&mut self, counts: &[(FlowKey, Flow)]) {
        self.flow_counts = counts
            .iter()
            .map(|(key, flow)| FlowCount {
                remote: endpoint(key.remote, key.remote_port as u16),
                sent: flow.sent,
                received: flow.received,
            })
            .collect();
    }

    /// UDP flows that are counted for an agent before this one: their sockets' ends tell
    /// them, and those whose sockets are gone are forgotten.
    pub fn older_flows(&mut self, flows: Vec<(u64, std::net::SocketAddr)>) {
        let mut gone = Vec::new();
        for (cookie, remote) in flows {
            match self.sockets.get_mut(cookie) {
                Some(tracked) => note_flow(&mut tracked.flows, remote),
                None => gone.push(flow_key(cookie, remote)),
            }
        }
        if !gone.is_empty() {
            self.requests.push(Request::ForgetFlows(gone));
        }
    }
}

/// The key of a socket's flow in the kernel's map.
pub(super) fn flow_key(cookie: u64, remote: std::net::SocketAddr) -> FlowKey {
    let (address, port) = from_socket_addr(remote);
    FlowKey { cookie, remote: address, remote_port: port.into() }
}

#[cfg(test)]
mod tests {
    use hostnet_abi::{
        Datagram, DatagramClose, Header, Hook, Payload, Socket, counting, direction, v4_mapped,
    };
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;
    use crate::{attribute::Policy, event::Operation};

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
            stage.record(&sent_to(53, counting::APART)).expect("a record");
        }
        assert_eq!(stage.wanted_flows(&end(0)).len(), 1);
    }

    #[test]
    fn peers_that_the_kernel_does_not_count_apart_are_not_asked_for() {
        let mut stage = stage();
        for port in 1..=600 {
            stage.record(&sent_to(port, counting::NOT_APART)).expect("a record");
        }
        assert!(stage.wanted_flows(&end(0)).is_empty());
        for port in 1..=60_000 {
            stage.record(&sent_to(port, counting::APART)).expect("a record");
        }
        assert_eq!(stage.wanted_flows(&end(0)).len(), 512, "however many are reported");
    }

    #[test]
    fn the_end_of_a_socket_says_how_much_it_exchanged_with_peers_that_are_not_listed() {
        let mut stage = stage();
        stage.record(&sent_to(53, counting::LAST_APART)).expect("a record");
        let flows = stage.wanted_flows(&end(9));
        let counts: Vec<_> =
            flows.into_iter().map(|key| (key, Flow { sent: 2, received: 0 })).collect();
        stage.flows(&counts);
        stage.record(&end(9)).expect("a record");
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
