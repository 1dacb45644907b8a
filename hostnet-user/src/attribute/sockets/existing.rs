//! The sockets from before the agent: each is told once, unless a record has
//! told of it already, and is tracked as if its beginning had been seen.
//!
//! The programs are attached before the kernel is asked what exists, so a socket
//! is in the answer, or in the records, or in both. Whoever feeds this stage
//! gives it the records that belong to the answer first.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use hostnet_abi::Hook;

use super::{
    SocketCorrelator,
    act::Parts,
    other_ends::{OtherEnds, existing_peer},
    table::{Begun, PendingConnect},
};
use crate::{
    attribute::{decoded::Decoded, found::Found, party::Party, reporter::Report},
    event::{Direction, ExistingSocket, Peer, SocketState, canonical},
};

/// What is still to be told of the sockets that existed at start. There may be a
/// hundred thousand: their events are not all in memory at once.
#[derive(Debug)]
#[must_use]
pub struct Existing {
    boot_ns: u64,
    found: Vec<Found>,
    /// How many of them are told.
    told: usize,
    other_ends: OtherEnds,
    listeners: Listeners,
    begun: Begun,
}

impl SocketCorrelator {
    /// The sockets that existed at `boot_ns`, to be told by [`existing`](Self::existing)
    /// when every record from before has been taken in. Those records are told with whom
    /// they reached: listeners are known from now on, and have listened since `since_ns`
    /// unless a record tells more.
    pub fn snapshot(
        &mut self,
        parts: &mut Parts<'_>,
        boot_ns: u64,
        since_ns: u64,
        found: Vec<Found>,
    ) {
        for one in &found {
            parts.peers.found_listener(parts.owners, one, since_ns, boot_ns);
        }
        self.snapshot = Some(found);
    }

    /// The sockets that existed at `boot_ns`, with those of the
    /// [`snapshot`](Self::snapshot), to be told one after the other by
    /// [`report_next`](Self::report_next). Every record from before the answer was
    /// complete has been taken in; ends of sockets that nothing was told of have
    /// waited for this.
    pub fn existing(
        &mut self,
        parts: &mut Parts<'_>,
        boot_ns: u64,
        mut found: Vec<Found>,
    ) -> Existing {
        let begun = self.table.end_of_start();
        for one in &found {
            parts.peers.found_listener(parts.owners, one, 0, boot_ns);
        }
        found.extend(self.snapshot.take().into_iter().flatten());
        parts.peers.start_is_over();
        let listening = found.iter().filter(|one| one.state == SocketState::Listen);
        let listeners: Listeners =
            listening.filter_map(|one| one.local.map(canonical)).map(ip_and_port).collect();
        let other_ends = OtherEnds::of(&found);
        Existing { boot_ns, found, told: 0, other_ends, listeners, begun }
    }

    /// Reports the next of them, or at last the ends that have waited. Returns
    /// whether there is more to report.
    pub fn report_next(&mut self, parts: &mut Parts<'_>, existing: &mut Existing) -> bool {
        let Existing { boot_ns, found, told, other_ends, listeners, begun } = existing;
        let Some(one) = found.get(*told) else {
            for (header, hook, record) in std::mem::take(&mut begun.ends) {
                self.record(parts, &Decoded { header, hook, record, tail: &[] });
            }
            return false;
        };
        *told += 1;
        if !begun.told.contains(&one.cookie) && !parts.owners.is_own_socket(one) {
            let party = parts.owners.holding_party(one, *boot_ns);
            if parts.owners.is_told(&party.owner) {
                let direction = direction(one, listeners);
                let other = other_ends.at(one).and_then(|at| found.get(at));
                let peer = existing_peer(parts, one, other, direction, *boot_ns);
                self.report_existing(parts, *boot_ns, &party, one.clone(), (direction, peer));
            } else if one.state == SocketState::Listen && one.is_tcp() {
                self.table.track_older(&party, one.socket(), one.local);
            }
        }
        true
    }

    fn report_existing(
        &mut self,
        parts: &mut Parts<'_>,
        at: u64,
        party: &Party,
        found: Found,
        (direction, peer): (Option<Direction>, Option<Box<Peer>>),
    ) {
        let socket = found.socket();
        let (has_an_end, state, local, remote) =
            (found.has_an_end(), found.state, found.local, found.remote);
        let operation = ExistingSocket {
            socket: found.socket,
            state,
            local,
            remote,
            local_name: found.local_name,
            remote_name: found.remote_name,
            direction,
            backlog: found.backlog,
            interface: found.interface,
            user: found.user,
        };
        let (hook, operation) = (None, operation.into());
        let report = Report { at, hook, party, socket: Some(socket), operation, peer };
        let id = parts.reporter.report(parts.owners, report);
        if !matches!(i32::from(socket.socket.family), libc::AF_INET | libc::AF_INET6) {
            self.table.note_older(socket.cookie);
        }
        if !has_an_end {
            return;
        }
        let listens_on = local.filter(|_| state == SocketState::Listen);
        let Some(tracked) = self.table.track_older(party, socket, listens_on) else { return };
        tracked.direction = direction;
        // A connection is not made yet; whether a datagram has left, nobody knows.
        let before = |remote| {
            let hook = Hook::InetSockSetState;
            Box::new(PendingConnect { boot_ns: at, hook, remote, told: Some(id), is_older: true })
        };
        match (state, remote) {
            (SocketState::SynSent, Some(remote)) => tracked.connect = Some(before(remote)),
            (_, Some(peer)) if i32::from(socket.socket.kind) == libc::SOCK_DGRAM => {
                tracked.peer = remote;
                tracked.connect = Some(before(peer));
            }
            _ => {}
        }
    }
}

/// Where somebody listens. There may be as many as sockets.
type Listeners = HashSet<(IpAddr, u16)>;

fn ip_and_port(end: SocketAddr) -> (IpAddr, u16) {
    (end.ip(), end.port())
}

/// Who began a connection, where a listener tells: at the end that has one, the
/// other end came in.
fn direction(found: &Found, listeners: &Listeners) -> Option<Direction> {
    if !found.is_tcp() || found.state == SocketState::Listen {
        return None;
    }
    let everywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let listens = |end: SocketAddr| {
        let (ip, port) = ip_and_port(canonical(end));
        everywhere.iter().chain([&ip]).any(|ip| listeners.contains(&(*ip, port)))
    };
    let (local, remote) = (found.local?, found.remote?);
    match (found.state, listens(local), listens(remote)) {
        (SocketState::SynSent, ..) | (_, false, true) => Some(Direction::Egress),
        (_, true, false) => Some(Direction::Ingress),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hostnet_abi::{Close, EventKind};
    use zerocopy::IntoBytes;

    use super::*;
    use crate::{
        attribute::{Attribution, found::Holder, policy::Policy},
        event::{Event, Operation, Owner, Process},
    };

    const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
    const OTHER: &str = "6aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";
    const TCP: hostnet_abi::Socket =
        hostnet_abi::Socket { family: libc::AF_INET as u16, kind: 1, protocol: 6 };

    /// The host is cgroup 1, two containers are 7 and 8; process N is in the
    /// cgroup that its holder says.
    fn stage() -> Attribution {
        let mut stage = Attribution::new(Policy {
            sees_listeners: true,
            sees_datagram_ends: true,
            seed: 1,
            ..Policy::default()
        });
        stage.cgroup(1, "/".to_owned());
        stage.cgroup(7, format!("/docker/{ID}"));
        stage.cgroup(8, format!("/docker/{OTHER}"));
        for pid in [10, 70, 80] {
            stage.process(Process { pid, ..Process::default() });
        }
        stage
    }

    fn found(cookie: u64, cgroup: u64, holders: &[(u32, u64)]) -> Found {
        Found {
            cookie,
            socket: TCP,
            state: SocketState::Listen,
            local: Some(([127, 0, 0, 1], 80).into()),
            cgroup: (cgroup != 0).then_some(cgroup),
            holders: holders.iter().map(|&(pid, cgroup)| Holder { pid, cgroup }).collect(),
            ..Found::default()
        }
    }

    fn existing(stage: &mut Attribution, boot_ns: u64, found: Vec<Found>) {
        let mut existing = stage.existing(boot_ns, found);
        while stage.tell_next(&mut existing) {}
    }

    fn told(mut stage: Attribution) -> Vec<Event> {
        // Nobody waits for a runtime to name the containers.
        stage.finish();
        let mut events = Vec::new();
        stage.take_events(&mut events);
        events.retain(|event| !matches!(event.operation, Operation::Joined(_)));
        events
    }

    /// Owner, creator and process of the one socket that is told.
    fn party(found: Found) -> Option<(u64, Option<u64>, Option<u32>)> {
        let mut stage = stage();
        existing(&mut stage, 5, vec![found]);
        let event = told(stage).pop()?;
        let cgroup = |owner: Arc<Owner>| owner.cgroup_id;
        Some((
            event.owner.map(cgroup).unwrap_or_default(),
            event.creator.map(cgroup),
            event.process.map(|process| process.pid),
        ))
    }

    #[test]
    fn the_maker_owns_what_it_holds() {
        assert_eq!(party(found(1, 7, &[(10, 1), (70, 7)])), Some((7, None, Some(70))));
        assert_eq!(party(found(1, 7, &[])), Some((7, None, None)));
        assert_eq!(party(found(1, 7, &[(10, 1)])), Some((7, None, None)));
        assert_eq!(party(found(1, 1, &[(10, 1)])), None, "the host's is not told");
    }

    #[test]
    fn what_was_handed_over_is_its_holders() {
        assert_eq!(party(found(1, 7, &[(80, 8)])), Some((8, Some(7), Some(80))));
        assert_eq!(party(found(1, 1, &[(80, 8)])), Some((8, Some(1), Some(80))));
        assert_eq!(party(found(1, 0, &[(10, 1), (70, 7)])), Some((7, None, Some(70))));
        assert_eq!(party(found(1, 0, &[(10, 1)])), None, "the host's is not told");
    }

    #[test]
    fn what_nobody_is_known_to_have_is_told_as_such() {
        assert_eq!(party(found(1, 99, &[])), Some((99, None, None)));
        assert_eq!(party(found(1, 99, &[(10, 1)])), None, "a host process has it");
    }

    #[test]
    fn a_listener_tells_who_began() {
        let end = |port| Some(([127, 0, 0, 1], port).into());
        let connection = |cookie, local, remote| Found {
            state: SocketState::Established,
            local: end(local),
            remote: end(remote),
            ..found(cookie, 7, &[])
        };
        let mut stage = stage();
        let sockets = vec![
            found(1, 7, &[]),
            connection(2, 80, 999),
            connection(3, 999, 80),
            connection(4, 5, 6),
        ];
        existing(&mut stage, 5, sockets);
        let directions: Vec<_> =
            told(stage).iter().map(|event| event.operation.told().direction()).collect();
        let (ingress, egress) = (Some(Direction::Ingress), Some(Direction::Egress));
        assert_eq!(directions, [None, ingress, egress, None]);
    }

    /// A listener's end, as the kernel's program has it.
    fn end_of(cookie: u64) -> Vec<u8> {
        let length = EventKind::Close.record_length();
        let mut header = hostnet_abi::header(&[0; 56]).expect("56 bytes are a header");
        header.boot_ns = 4;
        header.socket_cgroup = 7;
        header.cookie = cookie;
        header.kind = EventKind::Close as u16;
        header.hook = Hook::InetSockSetState as u16;
        header.length = length as u32;
        let mut bytes = header.as_bytes().to_vec();
        let close: Close = zerocopy::FromZeros::new_zeroed();
        bytes.extend(Close { from_state: 10, socket: TCP, ..close }.as_bytes());
        bytes
    }

    #[test]
    fn an_end_waits_for_its_beginning() {
        let mut stage = stage();
        stage.record(&Decoded::of(&end_of(1)).unwrap());
        assert_eq!(stage.waits_since(), Some(4), "for its beginning");
        existing(&mut stage, 5, vec![found(1, 7, &[(70, 7)])]);
        assert_eq!(stage.waits_since(), Some(4), "for its container's name");
        stage.finish();
        assert_eq!(stage.waits_since(), None);
        let events = told(stage);
        let actions: Vec<_> =
            events.iter().map(|event| event.operation.told().action().name()).collect();
        assert_eq!(actions, ["existing_socket", "closed-listener"]);
        assert_eq!(events[1].process.as_ref().map(|process| process.pid), Some(70));
        assert_eq!(events[0].local().map(canonical), found(1, 7, &[]).local.map(canonical));
    }

    #[test]
    fn what_a_record_told_is_not_told_again() {
        let mut stage = stage();
        stage.sockets.table.mention(1);
        existing(&mut stage, 5, vec![found(1, 7, &[])]);
        existing(&mut stage, 6, vec![found(2, 7, &[])]);
        let cookies: Vec<_> =
            told(stage).iter().filter_map(|event| Some(event.socket?.cookie)).collect();
        assert_eq!(cookies, [2]);
    }
}
