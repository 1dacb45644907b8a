//! A container that has as many sockets as the table takes hurts nobody but itself.

use hostnet_abi::{
    Connect, ConnectOutcome, Datagram, DatagramClose, EventKind, Header, Hook, Payload,
    Socket as SocketNumbers, established, v4_mapped,
};
use zerocopy::{FromZeros, IntoBytes};

use super::*;
use crate::{
    attribute::{Attribution, decoded::Decoded, news::RuntimeNews, party::Party, policy::Policy},
    event::{Event, Health, Operation, Owner, OwnerKind, Process, Socket, shares::Fill},
};

const FLOOD: (&str, u64, u32) =
    ("5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf", 7, 70);
const QUIET: (&str, u64, u32) =
    ("6aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf", 8, 80);
const TCP: SocketNumbers = SocketNumbers { family: 2, kind: 1, protocol: 6 };
const UDP: SocketNumbers = SocketNumbers { family: 2, kind: 2, protocol: 17 };
const ROOM: usize = 64;
const SECOND: u64 = 1_000_000_000;

struct Stage(Attribution);

impl Stage {
    /// With a table of [`ROOM`] sockets.
    fn new() -> Self {
        let policy = Policy { sees_first_sends: true, seed: 1, ..Policy::default() };
        let mut stage = Attribution::new(policy);
        stage.sockets.table = SocketTable::of(ROOM);
        for (id, cgroup, pid) in [FLOOD, QUIET] {
            stage.cgroup(cgroup, format!("/docker/{id}"));
            stage.process(Process { pid, cgroup: Some(cgroup), ..Process::default() });
        }
        let (endpoint, reason) = (String::new(), String::new());
        stage.runtime(RuntimeNews::Unreachable { endpoint, reason }, 0);
        Self(stage)
    }

    /// A record at `at` of what the process of a container does with a socket.
    fn record<P: Payload>(
        &mut self,
        who: (&str, u64, u32),
        hook: Hook,
        cookie: u64,
        at: u64,
        of: P,
    ) {
        let (_, cgroup, pid) = who;
        let header = Header {
            boot_ns: at,
            task_cgroup: cgroup,
            socket_cgroup: cgroup,
            cookie,
            tgid: pid,
            tid: pid,
            kind: P::KIND as u16,
            hook: hook as u16,
            length: P::KIND.record_length() as u32,
            ..Header::new_zeroed()
        };
        let bytes = [header.as_bytes(), of.as_bytes()].concat();
        self.0.record(&Decoded::of(&bytes).expect("a record"));
    }

    fn connect(&mut self, who: (&str, u64, u32), cookie: u64, at: u64) {
        let address = v4_mapped(u32::from_ne_bytes([10, 8, 8, 8]));
        let connect = Connect { address, port: 443, socket: TCP };
        self.record(who, Hook::Connect4, cookie, at, connect);
    }

    fn outcome(&mut self, who: (&str, u64, u32), hook: Hook, cookie: u64, errno: u16) {
        let [local, remote] =
            [[10, 1, 1, 1], [10, 8, 8, 8]].map(|ip| v4_mapped(u32::from_ne_bytes(ip)));
        let established = if errno == 0 { established::YES } else { established::NO };
        let (local_port, remote_port, socket) = (40_000, 443, TCP);
        let outcome =
            ConnectOutcome { local, remote, local_port, remote_port, established, errno, socket };
        self.record(who, hook, cookie, 2_000, outcome);
    }

    /// A first datagram of each of these sockets.
    fn datagrams(&mut self, who: (&str, u64, u32), cookies: impl Iterator<Item = u64>) {
        let remote = v4_mapped(u32::from_ne_bytes([10, 8, 8, 8]));
        for cookie in cookies {
            let datagram =
                Datagram { remote, remote_port: 53, socket: UDP, ..Datagram::new_zeroed() };
            self.record(who, Hook::UdpSendmsg, cookie, 1_000, datagram);
        }
    }

    /// Events of a container since the last call, with the process of each.
    fn events(&mut self, who: (&str, u64, u32)) -> Vec<(String, Option<u32>)> {
        let mut events = Vec::new();
        self.0.take_events(&mut events);
        events.retain(|event| !matches!(event.operation, Operation::Joined(_)));
        let is_its = |event: &&Event| {
            event.owner.as_ref().is_some_and(|owner| owner.container_id.as_deref() == Some(who.0))
        };
        let row = |event: &Event| {
            (event.operation.to_string(), event.process.as_ref().map(|process| process.pid))
        };
        events.iter().filter(is_its).map(row).collect()
    }

    /// Losses since the last call: the place, and what was lost of whom.
    fn losses(&mut self, boot_ns: u64) -> Vec<(String, Vec<LostOf>)> {
        self.0.take_events(&mut Vec::new());
        self.0.report_unkept(boot_ns);
        let mut events = Vec::new();
        self.0.take_events(&mut events);
        let loss = |event: Event| match event.operation {
            Operation::Health(Health::Lost { place, by, .. }) => {
                let of = |loss: crate::event::LossCount| {
                    let id = loss.owner.and_then(|owner| owner.container_id.clone());
                    (id.unwrap_or_default(), loss.operation, loss.count)
                };
                Some((place, by.into_iter().map(of).collect()))
            }
            _ => None,
        };
        events.into_iter().filter_map(loss).collect()
    }
}

/// An owner's id, the kind of its records, and how many.
type LostOf = (String, String, u64);

/// What three connects are reported as: one that succeeds, one that fails before it leaves
/// CLOSE, and one without an answer.
fn three_connects(stage: &mut Stage) -> Vec<(String, Option<u32>)> {
    for cookie in [1, 2, 3] {
        stage.connect(QUIET, cookie, 1_000);
    }
    stage.outcome(QUIET, Hook::InetSockSetState, 1, 0);
    stage.outcome(QUIET, Hook::InetStreamConnect, 2, libc::ENETUNREACH as u16);
    stage.0.expire(2 * SECOND);
    stage.events(QUIET)
}

#[test]
fn a_full_table_leaves_the_connects_of_others_as_they_are() {
    let expected = three_connects(&mut Stage::new());
    assert_eq!(expected.len(), 3, "{expected:?}");
    assert!(expected.iter().all(|(_, pid)| *pid == Some(QUIET.2)), "{expected:?}");
    let mut stage = Stage::new();
    stage.datagrams(FLOOD, 100..1_100);
    assert_eq!(stage.0.tables()["sockets"], Fill { entries: 32, capacity: 64 });
    stage.events(FLOOD);
    assert_eq!(three_connects(&mut stage), expected);
    assert_eq!(stage.losses(3 * SECOND), [], "nothing is lost yet");
}

#[test]
fn what_the_table_refuses_is_reported_at_once_and_counted_as_its_owners() {
    let mut stage = Stage::new();
    stage.datagrams(FLOOD, 100..1_100);
    assert_eq!(stage.events(FLOOD).len(), 1_000, "each datagram is reported");
    stage.connect(FLOOD, 5_000, 1_000);
    let attempt = [("connecting to 10.8.8.8:443".to_owned(), Some(FLOOD.2))];
    assert_eq!(stage.events(FLOOD), attempt);
    stage.outcome(FLOOD, Hook::InetStreamConnect, 5_000, libc::ENETUNREACH as u16);
    // One of a socket that is in the table, and two of others.
    for cookie in [100, 900, 901] {
        let close = DatagramClose { socket: UDP, ..DatagramClose::new_zeroed() };
        stage.record(FLOOD, Hook::SockRelease, cookie, 3_000, close);
    }
    assert_eq!(stage.losses(SECOND), [], "at most once a second");
    let by = |kind: EventKind, count| (FLOOD.0.to_owned(), kind.name().to_owned(), count);
    let lost = vec![by(EventKind::ConnectOutcome, 1), by(EventKind::DatagramClose, 2)];
    assert_eq!(stage.losses(2 * SECOND), [("agent-table".to_owned(), lost)]);
    assert_eq!(stage.losses(u64::MAX), []);
}

/// The table as it is, which one container with all its cgroups fills to the half.
#[test]
fn one_owner_has_half_of_the_table() {
    let mut table = SocketTable::default();
    let party = |id: &str, cgroup| {
        let (kind, container_id) = (OwnerKind::Container, Some(id.to_owned()));
        let owner = Owner { kind, container_id, ..Owner::unknown(cgroup, None) };
        Party { owner: owner.into(), creator: None, process: None, actor: None }
    };
    let socket = |cookie| Socket { cookie, socket: UDP };
    let flood = [party("flood", 7), party("flood", 8)];
    let kept = (1..300_000)
        .filter(|cookie| table.track(&flood[*cookie as usize % 2], socket(*cookie), 1).is_some());
    assert_eq!(kept.count(), 1 << 18);
    assert!(table.track(&party("quiet", 9), socket(400_000), 1).is_some());
    assert!(table.has_refused(&flood[0].owner) && !table.has_refused(&party("quiet", 9).owner));
    table.remove(1);
    assert!(table.track(&flood[0], socket(400_001), 1).is_some(), "what it gave back");
}
