//! Acts of containers as events, without a kernel: for histories of tests and
//! benchmarks. Nothing here knows how an event is kept or asked for.

use std::{net::SocketAddr, sync::Arc};

use hostnet::event::{
    Accept, Ancestor, Bind, Close, Confidence, Connect, Container, DatagramClose, Event, Exec,
    Exit, FlowCount, Flows, Health, Joined, Left, Listen, ListenerClosed, Location, Method,
    Operation, Outcome, Owner, OwnerKind, Peer, PeerMethod, PeerParty, Process, RecordHealth,
    Socket,
};
use uuid::Uuid;

/// When the host of these histories was booted, UTC nanoseconds.
pub const BOOTED_NS: u64 = 1_790_000_000_000_000_000;

/// A second.
pub const SECOND: u64 = 1_000_000_000;

pub const TCP: u32 = 6;
pub const UDP: u32 = 17;

/// Somebody who acts: a process and whose it is.
#[derive(Clone)]
pub struct Actor {
    pub owner: Arc<Owner>,
    pub process: Arc<Process>,
}

/// A container's id, made of its number.
pub fn id(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4)
}

/// A container as an inspect of it says.
pub fn container(number: u64, name: &str, image: &str, mode: &str) -> Arc<Owner> {
    let id = id(number);
    let container = Container {
        id: id.clone(),
        name: name.to_owned(),
        image: image.to_owned(),
        image_id: format!("sha256:{}", &id),
        network_mode: mode.to_owned(),
        created: "2026-09-21T10:00:00Z".to_owned(),
        runtime: "docker".to_owned(),
        ..Container::default()
    };
    Arc::new(Owner {
        kind: OwnerKind::Container,
        container_id: Some(id.clone()),
        runtime: Some("docker"),
        container: Some(Arc::new(container)),
        method: Method::CgroupId,
        confidence: Confidence::Confirmed,
        cgroup_path: format!("/docker/{id}"),
        ..Owner::unknown(1000 + number, None)
    })
}

/// A service of the host's.
pub fn host(unit: &str) -> Arc<Owner> {
    Arc::new(Owner {
        kind: OwnerKind::Host,
        method: Method::CgroupId,
        confidence: Confidence::Cgroup,
        cgroup_path: format!("/system.slice/{unit}"),
        ..Owner::unknown(7, None)
    })
}

/// A process that began at `at`; `parent` made it.
pub fn process(pid: u32, name: &str, at: u64, parent: Option<&Process>) -> Arc<Process> {
    let path = format!("/usr/bin/{name}").into_bytes();
    let start_ns = at.saturating_sub(BOOTED_NS);
    let known_parent = parent.map(|parent| {
        let Process { pid, start_ns, name, executable, .. } = parent.clone();
        let executable = executable.path;
        Arc::new(Ancestor { pid, start_ns, name, executable, cgroup: None })
    });
    Arc::new(Process {
        pid,
        namespace_pid: 1,
        parent: parent.map_or(1, |parent| parent.pid),
        start_ns,
        name: name.as_bytes().to_vec(),
        executable: Location { path, ..Location::default() },
        arguments: vec![name.as_bytes().to_vec(), b"-c".to_vec(), b"/etc/service.conf".to_vec()],
        known_parent,
        ..Process::default()
    })
}

/// An IP socket.
pub fn socket(cookie: u64, protocol: u32, local: SocketAddr) -> Socket {
    let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = if protocol == TCP { libc::SOCK_STREAM } else { libc::SOCK_DGRAM };
    let socket = hostnet_abi::Socket { family: family as u16, kind: kind as u16, protocol };
    Socket { cookie, socket }
}

/// Something that happened at `at`, UTC nanoseconds.
pub fn event(at: u64, by: Option<&Actor>, of: Option<Socket>, operation: Operation) -> Event {
    Event {
        owner: by.map(|by| Arc::clone(&by.owner)),
        process: by.map(|by| Arc::clone(&by.process)),
        socket: of,
        ..Event::new(Uuid::now_v7(), at.saturating_sub(BOOTED_NS), at, operation)
    }
}

/// Who is at the other end.
pub fn peer(actor: &Actor, listens_on: Option<SocketAddr>) -> Box<Peer> {
    let party = PeerParty {
        owner: Arc::clone(&actor.owner),
        process: Some(Arc::clone(&actor.process)),
        via: None,
        local: listens_on,
    };
    Box::new(Peer { possible: vec![party], listens_on, method: PeerMethod::Address })
}

pub fn bind(local: SocketAddr) -> Operation {
    bind_ended(local, Outcome::Success)
}

pub fn bind_ended(local: SocketAddr, outcome: Outcome) -> Operation {
    let shares_port_with = Vec::new();
    Bind { requested: Some(local), local, reuse: 0, outcome, shares_port_with }.into()
}

pub fn listen(local: SocketAddr) -> Operation {
    Listen { local, backlog: 128, shares_port_with: Vec::new() }.into()
}

pub fn listener_closed(local: SocketAddr) -> Operation {
    ListenerClosed { local }.into()
}

pub fn connect(local: SocketAddr, remote: SocketAddr, outcome: Outcome) -> Operation {
    Connect { local: Some(local), remote, rewritten_to: None, outcome, sent: None }.into()
}

pub fn accept(local: SocketAddr, remote: SocketAddr) -> Operation {
    Accept { local, remote }.into()
}

/// The end of a connection that its owner began, or the other.
pub fn close(
    (local, remote): (SocketAddr, SocketAddr),
    direction: hostnet::event::Direction,
    (sent, received): (u64, u64),
    duration_ns: u64,
) -> Operation {
    let (direction, duration_ns) = (Some(direction), Some(duration_ns));
    Close { local, remote, direction, sent, received, duration_ns, errno: None }.into()
}

pub fn datagrams_closed(local: SocketAddr, flows: Vec<FlowCount>) -> Operation {
    let remote = if let [only] = flows.as_slice() { Some(only.remote) } else { None };
    let (sent, direction, duration_ns) = (None, None, None);
    DatagramClose {
        local,
        remote,
        sent,
        direction,
        flows: Flows::of(flows),
        others: (0, 0),
        duration_ns,
    }
    .into()
}

pub fn exec() -> Operation {
    Exec { command_line: "service -c /etc/service.conf".to_owned() }.into()
}

pub fn exit() -> Operation {
    Exit { code: 0 }.into()
}

pub fn joined() -> Operation {
    Joined { declared: Some("host".to_owned()) }.into()
}

pub fn left() -> Operation {
    Left.into()
}

pub fn started() -> Operation {
    let (coverage, settings) = (serde_json::json!([]), serde_json::json!({}));
    Health::Started { coverage, complete: true, settings }.into()
}

pub fn stopped() -> Operation {
    Health::Stopped { reason: "test".to_owned(), events: 0, lost: 0 }.into()
}

pub fn crashed(run: Uuid, last_ns: u64, found_ns: u64) -> Operation {
    let crash = RecordHealth::Crashed { run: run.to_string(), sequence: 1, last_ns, found_ns };
    Health::Record(Box::new(crash)).into()
}
