//! Events of every kind, with everything in them that a document can hold.

use std::{collections::HashSet, mem::discriminant, net::SocketAddr};

use hostnet_abi::Socket as Kind;
use serde_json::json;
use uuid::Uuid;

use super::parties::{container, host, owner, process};
use crate::event::{Action, Checkpoint, Purge, RuleFault, *};

const SECOND: u64 = 1_000_000_000;

/// An event of each operation, and of some with less.
pub fn all() -> Vec<Event> {
    let all: Vec<Event> = operations().into_iter().map(|(kind, what)| event(kind, what)).collect();
    let told: HashSet<_> = all.iter().map(|event| discriminant(&event.operation)).collect();
    assert_eq!(told.len(), Operation::NAMES.len(), "every operation has a sample");
    let told: HashSet<Action> = all.iter().map(|event| event.operation.told().action()).collect();
    let unsampled: Vec<_> = Action::ALL.iter().filter(|action| !told.contains(action)).collect();
    assert_eq!(unsampled, Vec::<&Action>::new(), "every action has a sample");
    all
}

fn event(kind: Option<Kind>, operation: Operation) -> Event {
    let is_health = matches!(operation, Operation::Health(_));
    let is_exec = matches!(operation, Operation::Exec(_));
    let (boot_ns, wall_ns) = (5_000 * SECOND + 7, 1_764_000_000 * SECOND + 7);
    let actor = Actor { tgid: 70, tid: 71, uid: 1000, gid: 100 };
    let has_peer = matches!(operation, Operation::Connect(_) | Operation::Accept(_));
    let is_accept = matches!(operation, Operation::Accept(_));
    Event {
        id: Uuid::from_u128(9),
        boot_ns,
        wall_ns,
        hook: (!is_health).then_some(hostnet_abi::Hook::InetSockSetState),
        owner: (!is_health).then(|| owner(container()).into()),
        creator: is_accept.then(|| host().into()),
        process: (!is_health).then(|| process(is_exec).into()),
        actor: (!is_health).then_some(actor),
        host_users: None,
        socket: kind.map(|socket| Socket { cookie: 3, socket }),
        peer: has_peer.then(|| peer(is_accept).into()),
        amends: (!is_health).then(|| Uuid::from_u128(1)),
        learned: None,
        surface: (!is_health).then_some(Surface::BridgeGateway),
        operation,
    }
}

fn peer(is_ambiguous: bool) -> Peer {
    let redis = PeerParty {
        owner: host().into(),
        process: Some(process(false).into()),
        via: None,
        local: is_ambiguous.then(|| at("0.0.0.0:80")),
    };
    let web = PeerParty {
        owner: owner(container()).into(),
        process: None,
        via: Some(Via::DockerProxy),
        local: None,
    };
    let possible = if is_ambiguous { vec![redis, web] } else { vec![web] };
    let listens_on = (!is_ambiguous).then(|| at("127.0.0.1:80"));
    Peer { possible, listens_on, method: PeerMethod::Wildcard }
}

fn at(address: &str) -> SocketAddr {
    let address: SocketAddr = address.parse().expect("an address");
    endpoint(from_socket_addr(address).0, address.port())
}

fn kind(family: i32, kind: i32, protocol: u32) -> Option<Kind> {
    Some(Kind { family: family as u16, kind: kind as u16, protocol })
}

fn operations() -> Vec<(Option<Kind>, Operation)> {
    let tcp = kind(libc::AF_INET, libc::SOCK_STREAM, 6);
    let tcp6 = kind(libc::AF_INET6, libc::SOCK_STREAM, 6);
    let udp = kind(libc::AF_INET, libc::SOCK_DGRAM, 17);
    let unix = kind(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0);
    let packet = kind(libc::AF_PACKET, libc::SOCK_RAW, 0x888e);
    let route = kind(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE as u32);
    let alg = kind(libc::AF_ALG, libc::SOCK_SEQPACKET, 5);
    let (local, remote) = (at("10.0.0.1:4000"), at("10.0.0.2:80"));
    let shares_port_with = peer(true).possible;
    let connect = Connect {
        local: Some(local),
        remote,
        rewritten_to: Some(at("10.9.9.9:8080")),
        outcome: Outcome::Failure(Some(110)),
        sent: None,
    };
    let aimed =
        Connect { outcome: Outcome::Unknown, sent: Some(SentToPeer::No), ..connect.clone() };
    let flow = |remote, sent| FlowCount { remote, sent, received: 2 };
    // More than are listed.
    let numbered = (1..100).map(|number| flow(at(&format!("[2001:db8::{number}]:53")), 1));
    let flows = std::iter::once(flow(remote, 5)).chain(numbered).collect();
    let name = UnixAddress::new(b"\0\xffname\0");
    let mut all: Vec<(Option<Kind>, Operation)> = vec![
        (
            tcp6,
            Bind {
                requested: Some(at("[::ffff:127.0.0.1]:0")),
                local: at("[::ffff:127.0.0.1]:45000"),
                reuse: hostnet_abi::reuse::PORT | hostnet_abi::reuse::V6_ONLY,
                outcome: Outcome::Success,
                shares_port_with: shares_port_with.clone(),
            }
            .into(),
        ),
        (tcp, Listen { local, backlog: 128, shares_port_with }.into()),
        (tcp, connect.clone().into()),
        (udp, aimed.clone().into()),
        (
            udp,
            ConnectOutcome {
                connect: Connect {
                    outcome: Outcome::Success,
                    sent: Some(SentToPeer::Yes),
                    ..aimed
                },
                after_ns: Some(12),
            }
            .into(),
        ),
        (tcp, ConnectOutcome { connect, after_ns: Some(12) }.into()),
        (tcp6, Accept { local: at("[::1]:80"), remote: at("[::1]:5000") }.into()),
        (tcp, ListenerClosed { local }.into()),
        (
            udp,
            DatagramClose {
                local: at("0.0.0.0:53"),
                remote: None,
                sent: Some(SentToPeer::Unknown),
                direction: None,
                flows: Flows::of(flows),
                others: (7, 0),
                duration_ns: Some(3),
            }
            .into(),
        ),
        (kind(libc::AF_INET, libc::SOCK_RAW, 89), RawSocket { protocol: 89 }.into()),
        (alg, FamilySocket { socket: alg.unwrap() }.into()),
        (
            packet,
            PacketBind { interface: 2, protocol: 0x888e, outcome: Outcome::Failure(None) }.into(),
        ),
        (packet, SocketFilter { instructions: 8, sha256: Some("00".repeat(32)) }.into()),
        (route, NetlinkBind { groups: 0x11 }.into()),
        (None, Exec { command_line: "server --quietly".to_owned() }.into()),
        (None, Exit { code: 3 << 8 }.into()),
        (None, Exit { code: 9 }.into()),
        (None, Joined { declared: Some("host".to_owned()) }.into()),
        (None, Present { declared: Some("host".to_owned()), is_agent: false }.into()),
        (None, Present { declared: Some("host".to_owned()), is_agent: true }.into()),
        (None, Left.into()),
        (None, Identified { events: 4 }.into()),
    ];
    for socket in [
        packet,
        route,
        kind(libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        kind(libc::AF_XDP, libc::SOCK_RAW, 0),
        kind(libc::AF_INET, libc::SOCK_SEQPACKET, 132),
        kind(libc::AF_CAN, libc::SOCK_RAW, 1),
    ] {
        all.push((socket, FamilySocket { socket: socket.unwrap() }.into()));
    }
    for unread in [0, 5] {
        let (protocol, message) = (libc::NETLINK_ROUTE as u32, libc::RTM_NEWROUTE);
        all.push((route, NetlinkRequest { protocol, message, flags: 5, unread }.into()));
    }
    for direction in [Some(Direction::Egress), Some(Direction::Ingress), None] {
        let direction_of_first = direction.unwrap_or(Direction::Ingress);
        all.push((
            udp,
            Datagram {
                local,
                remote,
                direction: direction_of_first,
                is_last: direction_of_first == Direction::Ingress,
            }
            .into(),
        ));
        let (sent, received, duration_ns) = (10, 20, Some(30));
        let close =
            Close { local, remote, direction, sent, received, duration_ns, errno: Some(104) };
        all.push((tcp, close.into()));
    }
    for kind in [
        UnixKind::Connect,
        UnixKind::Bind,
        UnixKind::Listen { backlog: 7 },
        UnixKind::Accept,
        UnixKind::Send,
        UnixKind::Use,
    ] {
        let outcome = Outcome::Failure(Some(111));
        all.push((unix, Unix { kind, name: name.clone(), outcome }.into()));
        all.push((unix, Unix { kind, name: None, outcome: Outcome::Success }.into()));
    }
    all.push((
        unix,
        ExistingSocket {
            socket: unix.unwrap(),
            state: SocketState::Listen,
            local: None,
            remote: None,
            local_name: name.clone(),
            remote_name: name,
            direction: None,
            backlog: Some(5),
            interface: Some(2),
            user: Some(1000),
        }
        .into(),
    ));
    all.extend(
        [Direction::Egress, Direction::Ingress].map(|direction| (tcp, finding(direction).into())),
    );
    all.extend(Operation::samples());
    all.extend(claims().into_iter().map(|claim| (None, claim)));
    all.extend(health().into_iter().map(|health| (None, health.into())));
    all
}

fn finding(direction: Direction) -> Finding {
    let technique =
        |id: &'static str, name: &'static str| Technique { id: id.into(), name: name.into() };
    let is_named = direction == Direction::Ingress;
    let rule = Rule {
        id: "etcd".into(),
        name: "Name".into(),
        description: "What it means".into(),
        ruleset: if is_named { "hostnet" } else { "sigma" },
        techniques: vec![
            technique("T1046", if is_named { "Discovery" } else { "" }),
            technique("T1611", if is_named { "Escape" } else { "" }),
        ],
    };
    Finding {
        rule: rule.into(),
        severity: Severity::High,
        subject: "s".to_owned(),
        sentence: "reached (something) it should not".to_owned(),
        evidence: Uuid::from_u128(4),
        ends: FindingEnds {
            local: Some(at("10.0.0.1:1")),
            remote: Some(at("10.0.0.2:2")),
            direction: Some(direction),
            ..FindingEnds::default()
        },
    }
}

fn claims() -> [Operation; 2] {
    let cgroup = |id, path: &str| Cgroup { id, path: path.to_owned() };
    let by =
        Mover { pid: 5, process: Some(process(false).into()), owner: owner(container()).into() };
    let migration = CgroupMigration { from: cgroup(1, "/a"), to: cgroup(2, ""), pid: 70, by };
    let victim = Some(owner(container()).into());
    let spoof = NameSpoof { cgroup: cgroup(3, "/b"), claimed: container().id, victim };
    [migration.into(), spoof.into()]
}

fn health() -> Vec<Health> {
    let text = |text: &str| text.to_owned();
    let (from_ns, to_ns) = (4_000 * SECOND, 4_001 * SECOND);
    let of = |owner| LossCount { owner, operation: "connect".to_owned(), count: 6, new: 2 };
    let by = vec![of(None), of(Some(host().into())), of(Some(owner(container()).into()))];
    let coverage = json!([{ "hook": "bind4", "state": "proven" }]);
    let record = [
        RecordHealth::HistoryFailed {
            path: text("/h"),
            reason: text("full"),
            set_aside: Some(text("/h.1")),
        },
        RecordHealth::HistoryRecovered { path: text("/h"), failed_ns: 5, given_up: 7 },
        RecordHealth::HistoryRecovered { path: text("/h"), failed_ns: 5, given_up: 0 },
        RecordHealth::HistoryPurged(Purge {
            first: 1,
            last: 2,
            hash: "00".repeat(32),
            until_ns: 1_764_000_000 * SECOND + 1,
            reason: text("age"),
        }),
        RecordHealth::Checkpoint(Checkpoint {
            history: Uuid::from_u128(4),
            row: 5,
            hash: "00".repeat(32),
            key: "01".repeat(32),
            signature: "02".repeat(64),
        }),
        RecordHealth::SinkFailing { sink: text("s"), reason: text("refused"), waiting: 3 },
        RecordHealth::SinkRecovered { sink: text("s"), waiting: 3, failed_ns: 4 },
        RecordHealth::SinkDropped { sink: text("s"), dropped: 1, refused: 2, reason: text("r") },
        RecordHealth::Crashed {
            run: text("r"),
            sequence: 6,
            last_ns: 1_764_000_000 * SECOND,
            found_ns: 1_764_000_001 * SECOND,
        },
        RecordHealth::ClockStepped { by_ns: -3 },
    ];
    let mut all = vec![
        Health::Started { coverage: coverage.clone(), complete: true, settings: json!({}) },
        Health::Stopped { reason: text("signal"), events: 4, lost: 1 },
        Health::Lost { place: text("ring"), from_ns, to_ns, by: by.clone() },
        Health::Suppressed { from_ns, to_ns, by },
        Health::Adopted { from_ns, to_ns, unread: None },
        Health::Adopted { from_ns, to_ns, unread: Some(5) },
        Health::CoverageChanged {
            coverage: coverage.as_array().expect("rows").clone(),
            complete: false,
        },
        Health::MapsWiped { maps: vec![text("CGROUPS")] },
        Health::MapsUnmarked { maps: vec![text("FLOWS")] },
        Health::Stalled { from_ns, to_ns },
        Health::RuntimeReachable { endpoint: text("e"), version: text("v") },
        Health::RuntimeUnreachable { endpoint: text("e"), reason: text("r") },
        Health::RulesRefused {
            judged: 2,
            refused: 3,
            faults: vec![
                RuleFault { file: text("/a.yml"), line: Some(3), reason: text("no id") },
                RuleFault { file: text("/b"), line: None, reason: text("cannot be read") },
            ],
        },
        Health::RulesMended { judged: 4 },
        Health::Heartbeat { numbers: json!({ "told": 5, "lost_total": 1 }) },
        Health::Undecodable { reason: text("short"), count: 2 },
    ];
    all.extend(record.map(|record| Health::Record(Box::new(record))));
    all
}
