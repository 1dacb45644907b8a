//! Scenes for the detections' tests: a container and one act of it.

use std::sync::Arc;

use uuid::Uuid;

use super::{Detection, Memory, Suspicion};
use crate::{
    event::{
        Bind, Cgroup, CgroupMigration, Close, Connect, ConnectOutcome, Container, Datagram,
        Direction, Event, FamilySocket, Health, Joined, Listen, LossCount, Mover, NameSpoof,
        NetlinkRequest, Operation, Outcome, Owner, OwnerKind, Peer, PeerMethod, PeerParty,
        RawSocket, SentToPeer, Socket, Unix, UnixAddress, UnixKind, loopback::Destination,
    },
    judge::{
        Offer, Reach, Scene,
        expectations::{self, Expectations},
        reach,
        standings::Standings,
        surface::{Address, Interface, Network, Route, Way},
    },
};

/// A recorded event, by its fields, that a rule for a SIEM fires for once it is changed so.
#[derive(Debug)]
pub struct Case {
    /// What the event has.
    pub of: &'static [(&'static str, &'static str)],
    /// Changes to it, in JSON.
    pub set: &'static [(&'static str, &'static str)],
    /// Each of them alone keeps the rule from firing.
    pub but: &'static [(&'static str, &'static str)],
}

/// A connection to the host's loopback.
pub const CONNECT: &[(&str, &str)] = &[
    ("/hostnet/operation", "connect"),
    ("/event/outcome", "success"),
    ("/hostnet/surface/target", "host-loopback"),
];

/// A connection to a unix socket.
pub const UNIX: &[(&str, &str)] =
    &[("/hostnet/operation", "unix-connect"), ("/event/outcome", "success")];

/// Of somebody who is not judged.
pub const HOST: (&str, &str) = ("/hostnet/owner/kind", "\"host\"");

/// What is no connection to a service of the host.
pub const NOT_OURS: &[(&str, &str)] = &[
    ("/hostnet/surface/target", "\"lan\""),
    ("/event/outcome", "\"failure\""),
    HOST,
    ("/hostnet/remote/port", "8080"),
];

/// Where hostnet delivers to in these scenes.
pub const DESTINATION: &str = "127.0.0.1:6514";

const ECONNREFUSED: Outcome = Outcome::Failure(Some(libc::ECONNREFUSED as u16));

pub fn judged(detection: &Detection, event: &Event) -> Option<Suspicion> {
    judged_with(detection, event, &mut Memory::default())
}

pub fn judged_with(detection: &Detection, event: &Event, memory: &mut Memory) -> Option<Suspicion> {
    let event = Event { surface: reach::surface(event, &network()), ..event.clone() };
    let mut standings = Standings::new(Expectations::default());
    scene_judged(detection, &event, memory, &mut standings)
}

/// Judged while this `[[expect]]` entry holds.
pub fn judged_by(entry: &str, detection: &Detection, event: &Event) -> Option<Suspicion> {
    let entry = format!("reason = \"test\"\n{entry}");
    let entries = [toml::from_str(&entry).unwrap()];
    let expectations = Expectations::new(&entries, &expectations::Settings::default());
    let event = Event { surface: reach::surface(event, &network()), ..event.clone() };
    let mut standings = Standings::new(expectations);
    scene_judged(detection, &event, &mut Memory::default(), &mut standings)
}

fn scene_judged(
    detection: &Detection,
    event: &Event,
    memory: &mut Memory,
    standings: &mut Standings,
) -> Option<Suspicion> {
    let owner = event.owner.clone().unwrap_or_else(|| Arc::new(Owner::unknown(0, None)));
    let (reach, offer) = (Reach::of(event), Offer::of(event));
    let standing = standings.of(&owner, event.wall_ns);
    let network = &network();
    let what = "what sink siem sends".to_owned();
    let destinations = &[Destination { what, at: vec![DESTINATION.parse().unwrap()] }];
    let settles = false;
    let scene =
        Scene { event, owner: &owner, reach, offer, network, destinations, standing, settles };
    if detection.excuse.holds(&scene) {
        return None;
    }
    detection.judge(&scene, memory)
}

/// A host at 192.168.1.2/24 with Docker's bridge.
fn network() -> Network {
    let interface = |index, name: &str, is_bridge| Interface {
        index,
        name: name.to_owned(),
        is_bridge,
        is_uplink: !is_bridge,
    };
    let address =
        |ip: &str, interface| Address { ip: ip.parse().unwrap(), prefix_length: 24, interface };
    Network {
        interfaces: vec![interface(2, "eth0", false), interface(3, "docker0", true)],
        addresses: vec![address("192.168.1.2", 2), address("172.17.0.1", 3)],
        routes: vec![Route {
            destination: [192, 168, 1, 0].into(),
            prefix_length: 24,
            way: Way::OnLink,
            interface: 2,
        }],
        ..Network::default()
    }
}

fn container(name: &str, network_mode: &str) -> Arc<Owner> {
    let container = Container {
        id: "ab".repeat(32),
        name: name.to_owned(),
        image: "busybox:1".to_owned(),
        image_id: "sha256:1".to_owned(),
        network_mode: network_mode.to_owned(),
        created: "2026-01-01T00:00:00Z".to_owned(),
        ..Container::default()
    };
    Arc::new(Owner {
        kind: OwnerKind::Container,
        container_id: Some(container.id.clone()),
        container: Some(Arc::new(container)),
        ..Owner::unknown(7, Some("/docker/ab"))
    })
}

fn event(operation: impl Into<Operation>, protocol: u32) -> Event {
    let family = libc::AF_INET as u16;
    let kind = if protocol == 17 { libc::SOCK_DGRAM } else { libc::SOCK_STREAM };
    let socket = hostnet_abi::Socket { family, kind: kind as u16, protocol };
    Event {
        owner: Some(container("one", "host")),
        socket: Some(Socket { cookie: 1, socket }),
        ..Event::new(Uuid::now_v7(), 1, 0, operation.into())
    }
}

fn connect(to: &str, outcome: Outcome) -> Event {
    let remote = to.parse().unwrap();
    event(Connect { local: None, remote, rewritten_to: None, outcome, sent: None }, 6)
}

pub fn reached(to: &str) -> Event {
    connect(to, Outcome::Success)
}

pub fn reached_at(to: &str, wall_ns: u64) -> Event {
    Event { wall_ns, ..reached(to) }
}

pub fn refused(to: &str) -> Event {
    connect(to, ECONNREFUSED)
}

pub fn refused_at(to: &str, wall_ns: u64) -> Event {
    Event { wall_ns, ..refused(to) }
}

fn peer(owner: Arc<Owner>) -> Option<Box<Peer>> {
    let party = PeerParty { owner, process: None, via: None, local: None };
    Some(Box::new(Peer { possible: vec![party], listens_on: None, method: PeerMethod::Address }))
}

fn unit(name: &str) -> Arc<Owner> {
    let path = format!("/system.slice/{name}");
    Arc::new(Owner { kind: OwnerKind::Host, ..Owner::unknown(8, Some(&path)) })
}

pub fn reached_of(to: &str, service: &str) -> Event {
    Event { peer: peer(unit(service)), ..reached(to) }
}

pub fn own_service(to: &str) -> Event {
    Event { peer: peer(container("one", "host")), ..reached(to) }
}

/// Connecting, without an answer yet.
pub fn unanswered(to: &str) -> Event {
    connect(to, Outcome::Unknown)
}

fn connect_udp(to: &str, sent: SentToPeer) -> Event {
    let (remote, outcome) = (to.parse().unwrap(), Outcome::Unknown);
    let connect = Connect { local: None, remote, rewritten_to: None, outcome, sent: Some(sent) };
    event(connect, 17)
}

/// The end of a connection whose beginning was not reported.
pub fn closed(local: &str, remote: &str) -> Event {
    let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
    let (duration_ns, errno, direction) = (None, None, None);
    event(Close { local, remote, direction, sent: 1, received: 2, duration_ns, errno }, 6)
}

/// A UDP socket whose peer is set, and nothing sent.
pub fn aimed(to: &str) -> Event {
    connect_udp(to, SentToPeer::No)
}

/// The same where it cannot be seen whether anything is sent.
pub fn unseen(to: &str) -> Event {
    connect_udp(to, SentToPeer::Unknown)
}

pub fn aimed_of(to: &str, service: &str) -> Event {
    Event { peer: peer(unit(service)), ..aimed(to) }
}

pub fn sent_of(to: &str, service: &str) -> Event {
    Event { peer: peer(unit(service)), ..sent(to) }
}

/// The outcome of a connect that was told without one.
pub fn outcome_of(first: &Event, outcome: Outcome) -> Event {
    let Operation::Connect(connect) = &first.operation else { panic!("no connect") };
    let connect = Connect { outcome, ..connect.clone() };
    let operation = ConnectOutcome { connect, after_ns: Some(2_000_000_000) }.into();
    Event { id: Uuid::now_v7(), amends: Some(first.id), operation, ..first.clone() }
}

pub fn sent(to: &str) -> Event {
    let (local, remote) = ("0.0.0.0:5000".parse().unwrap(), to.parse().unwrap());
    event(Datagram { local, remote, direction: Direction::Egress, is_last: false }, 17)
}

pub fn reached_unix(name: &[u8]) -> Event {
    let name = UnixAddress::new(name);
    event(Unix { kind: UnixKind::Connect, name, outcome: Outcome::Success }, 0)
}

pub fn reached_unix_of(name: &[u8], service: &str) -> Event {
    Event { peer: peer(unit(service)), ..reached_unix(name) }
}

pub fn listens(on: &str) -> Event {
    let local = on.parse().unwrap();
    event(Listen { local, backlog: 1, shares_port_with: Vec::new() }, 6)
}

pub fn listens_beside(on: &str, service: &str) -> Event {
    let other = PeerParty { owner: unit(service), process: None, via: None, local: None };
    let local = on.parse().unwrap();
    event(Listen { local, backlog: 1, shares_port_with: vec![other] }, 6)
}

pub fn bound_udp(to: &str) -> Event {
    let local = to.parse().unwrap();
    let shares_port_with = Vec::new();
    let outcome = Outcome::Success;
    event(Bind { requested: Some(local), local, reuse: 0, outcome, shares_port_with }, 17)
}

pub fn raw_socket(protocol: u32) -> Event {
    event(RawSocket { protocol }, protocol)
}

pub fn family_socket(family: i32) -> Event {
    let socket = hostnet_abi::Socket { family: family as u16, kind: 3, protocol: 0 };
    let event = event(FamilySocket { socket }, 0);
    Event { socket: Some(Socket { cookie: 1, socket }), ..event }
}

pub fn netlink_request(protocol: i32, message: u16) -> Event {
    event(NetlinkRequest { protocol: protocol as u32, message, flags: 0, unread: 0 }, 0)
}

pub fn joined(network_mode: &str) -> Event {
    let owner = Some(container("one", network_mode));
    Event { owner, ..event(Joined::default(), 0) }
}

fn cgroup(path: &str) -> Cgroup {
    Cgroup { id: 9, path: path.to_owned() }
}

pub fn spoofed(path: &str, claimed: &str) -> Event {
    let claimed = claimed.to_owned();
    event(NameSpoof { cgroup: cgroup(path), claimed, victim: None }, 0)
}

pub fn migrated(from: &str, to: &str) -> Event {
    let by = Mover { pid: 2, process: None, owner: unit("x.service") };
    event(CgroupMigration { from: cgroup(from), to: cgroup(to), pid: 1, by }, 0)
}

/// So many connects were counted instead of reported, and of them so many new ones.
pub fn flooded(count: u64, new: u64) -> Event {
    let owner = Some(container("one", "host"));
    let by = vec![LossCount { owner: owner.clone(), operation: "connect".to_owned(), count, new }];
    Event { owner, ..health(Health::Suppressed { from_ns: 0, to_ns: 1, by }) }
}

pub fn health(health: Health) -> Event {
    Event { owner: None, socket: None, ..event(health, 0) }
}
