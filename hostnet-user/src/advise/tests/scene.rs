//! A made-up record: a run of an agent, a container, and what it does.

use std::sync::Arc;

use hostnet_abi::Hook;
use serde_json::json;
use uuid::Uuid;

use crate::{
    advise::{Advice, Cases, Meant},
    event::{
        Accept, Bind, Close, Connect, Container, Datagram, Direction, Event, ExistingSocket,
        FamilySocket, Health, Joined, Left, Listen, ListenerClosed, LossCount, MulticastJoin,
        NetlinkRequest, Operation, Outcome, Owner, OwnerKind, PacketBind, Peer, PeerMethod,
        PeerParty, RawSocket, Socket, SocketState, Unix, UnixAddress, UnixKind,
    },
    judge::{surface::Network, surface_of},
};

pub const SECOND: u64 = 1_000_000_000;
pub const HOUR: u64 = 3600 * SECOND;
pub const DAY: u64 = 24 * HOUR;
/// When the agent of a scene begins: 2026-11-28.
pub const BEGIN: u64 = 1_795_824_000 * SECOND;

pub const TCP: u32 = 6;
pub const UDP: u32 = 17;

/// Events as they would be told, and what is made of them.
pub struct Scene {
    cases: Cases,
    now: u64,
    owner: Arc<Owner>,
    cookie: u64,
}

/// Everything that only `families` shows.
const FAMILIES: &str = "families";

impl Scene {
    /// An agent that sees everything, and a container that starts a second later.
    pub fn new() -> Self {
        Self::seen_by(FAMILIES)
    }

    /// An agent that sees what is beyond IP by this set, and a container that starts then.
    pub fn seen_by(set: &str) -> Self {
        let row = |set: &str| json!({"set": set, "hook": "x", "state": "proven"});
        let hook = |hook: Hook| json!({"set": set, "hook": hook.attach_point(), "state": "proven"});
        let mut rows = vec![row("inet"), row("life"), row(set)];
        if set == FAMILIES {
            rows.extend([Hook::IpMcJoinGroup, Hook::Ipv6SockMcJoin].map(hook));
        }
        let coverage = json!(rows);
        let mut scene = Self::without_agent("web", "2026-11-28T00:00:01Z");
        let settings = json!({});
        scene.health(Health::Started { coverage, complete: true, settings });
        scene.pass(SECOND);
        scene.act(Joined { declared: Some("host".to_owned()) }, 0);
        scene
    }

    pub fn without_agent(name: &str, created: &str) -> Self {
        let owner = container(name, created, &[]);
        Self { cases: Cases::default(), now: BEGIN, owner, cookie: 0 }
    }

    /// Another container acts from now on.
    pub fn container(&mut self, name: &str, capabilities: &[&str]) {
        self.owner = container(name, "2026-11-28T00:00:01Z", capabilities);
    }

    /// Whose events those that follow are.
    pub fn by(&mut self, owner: Arc<Owner>) {
        self.owner = owner;
    }

    pub fn pass(&mut self, ns: u64) {
        self.now += ns;
    }

    pub fn take(&mut self, event: Event) {
        let surface = surface_of(&event, &Network::default());
        self.cases.take(&Event { surface, ..event });
    }

    fn event(&mut self, operation: impl Into<Operation>, socket: hostnet_abi::Socket) -> Event {
        self.cookie += 1;
        Event {
            // The same in every run, because the documentation shows some.
            id: Uuid::from_u128(
                0x019a_c7d0_0000_7000_8000_0000_0000_0000 | u128::from(self.cookie),
            ),
            boot_ns: self.now - BEGIN,
            wall_ns: self.now,
            hook: None,
            owner: Some(Arc::clone(&self.owner)),
            creator: None,
            process: None,
            actor: None,
            host_users: None,
            socket: Some(Socket { cookie: self.cookie, socket }),
            peer: None,
            surface: None,
            learned: None,
            amends: None,
            operation: operation.into(),
        }
    }

    fn of(&mut self, operation: impl Into<Operation>, protocol: u32) -> Event {
        let kind = if protocol == UDP { libc::SOCK_DGRAM } else { libc::SOCK_STREAM };
        let family = libc::AF_INET as u16;
        self.event(operation, hostnet_abi::Socket { family, kind: kind as u16, protocol })
    }

    pub fn act(&mut self, operation: impl Into<Operation>, protocol: u32) {
        let event = self.of(operation, protocol);
        self.take(event);
    }

    pub fn health(&mut self, health: Health) {
        let event = self.of(health, 0);
        self.take(Event { owner: None, socket: None, ..event });
    }

    pub fn lost(&mut self, of_its_own: bool, count: u64) {
        let owner = of_its_own.then(|| Arc::clone(&self.owner));
        let by = vec![LossCount { owner, operation: "connect".to_owned(), count, new: 0 }];
        self.health(Health::Lost { place: "ring".to_owned(), from_ns: 0, to_ns: 1, by });
    }

    pub fn listen(&mut self, at: &str) {
        self.listen_beside(at, Vec::new());
    }

    pub fn listen_beside(&mut self, at: &str, shares_port_with: Vec<PeerParty>) {
        let local = at.parse().unwrap();
        self.act(Listen { local, backlog: 128, shares_port_with }, TCP);
    }

    pub fn closed_listener(&mut self, at: &str) {
        self.act(ListenerClosed { local: at.parse().unwrap() }, TCP);
    }

    pub fn bind(&mut self, asked: &str, given: &str, protocol: u32) -> u64 {
        let (requested, local) = (Some(asked.parse().unwrap()), given.parse().unwrap());
        let (outcome, shares_port_with) = (Outcome::Success, Vec::new());
        self.act(Bind { requested, local, reuse: 0, outcome, shares_port_with }, protocol);
        self.cookie
    }

    pub fn accept(&mut self, at: &str, from: &str, times: usize) {
        for _ in 0..times {
            let accept = Accept { local: at.parse().unwrap(), remote: from.parse().unwrap() };
            self.act(accept, TCP);
        }
    }

    pub fn accept_itself(&mut self, at: &str) {
        let owner = Arc::clone(&self.owner);
        self.accept_from(at, "127.0.0.1:40000", owner);
    }

    /// From somebody on this host, over the same connection.
    pub fn accept_from(&mut self, at: &str, from: &str, whose: Arc<Owner>) {
        let (local, remote) = (at.parse().unwrap(), from.parse().unwrap());
        let event = self.of(Accept { local, remote }, TCP);
        let (possible, method) = (vec![party(whose)], PeerMethod::Connection);
        let peer = Some(Box::new(Peer { possible, listens_on: None, method }));
        self.take(Event { peer, ..event });
    }

    /// A connection that was there when the agent began, as the one that accepted it.
    pub fn accepted_before(&mut self, at: &str, from: &str) {
        let kind = libc::SOCK_STREAM as u16;
        let existing = ExistingSocket {
            socket: hostnet_abi::Socket { family: libc::AF_INET as u16, kind, protocol: TCP },
            local: Some(at.parse().unwrap()),
            remote: Some(from.parse().unwrap()),
            state: SocketState::Established,
            direction: Some(Direction::Ingress),
            local_name: None,
            remote_name: None,
            backlog: None,
            interface: None,
            user: None,
        };
        self.act(existing, TCP);
    }

    pub fn closed(&mut self, sent: u64, received: u64, seconds: u64) {
        let close = Close {
            local: "10.0.0.2:80".parse().unwrap(),
            remote: "10.0.0.9:5000".parse().unwrap(),
            direction: Some(Direction::Ingress),
            sent,
            received,
            duration_ns: Some(seconds * SECOND),
            errno: None,
        };
        self.act(close, TCP);
    }

    pub fn connect(&mut self, to: &str, times: usize) {
        for _ in 0..times {
            let connect = connect(to, Outcome::Success);
            self.act(connect, TCP);
        }
    }

    pub fn refused(&mut self, to: &str) {
        self.act(connect(to, Outcome::Failure(Some(libc::ECONNREFUSED as u16))), TCP);
    }

    /// By the socket with this cookie.
    pub fn connect_by(&mut self, cookie: u64, from: &str, to: &str) {
        let local = Some(from.parse().unwrap());
        let connect = Connect { local, ..connect(to, Outcome::Success) };
        let mut event = self.of(connect, TCP);
        event.socket.as_mut().unwrap().cookie = cookie;
        self.take(event);
    }

    /// To somebody who listens at `on`.
    pub fn connect_to(&mut self, to: &str, whose: Arc<Owner>, on: &str) {
        let event = self.of(connect(to, Outcome::Success), TCP);
        let peer = self.peer(whose, on);
        self.take(Event { peer, ..event });
    }

    fn peer(&self, owner: Arc<Owner>, listens_on: &str) -> Option<Box<Peer>> {
        let possible = vec![party(owner)];
        let listens_on = Some(listens_on.parse().unwrap());
        Some(Box::new(Peer { possible, listens_on, method: PeerMethod::Address }))
    }

    pub fn send(&mut self, to: &str) {
        let (local, remote) = ("0.0.0.0:40000".parse().unwrap(), to.parse().unwrap());
        self.act(Datagram { local, remote, direction: Direction::Egress, is_last: false }, UDP);
    }

    /// A UDP socket that was bound when the agent began.
    pub fn bound_before(&mut self, at: &str) {
        let kind = libc::SOCK_DGRAM as u16;
        let existing = ExistingSocket {
            socket: hostnet_abi::Socket { family: libc::AF_INET as u16, kind, protocol: UDP },
            local: Some(at.parse().unwrap()),
            remote: None,
            state: SocketState::Bound,
            direction: None,
            local_name: None,
            remote_name: None,
            backlog: None,
            interface: None,
            user: None,
        };
        self.act(existing, UDP);
    }

    /// On the interface with this index.
    pub fn join(&mut self, group: &str, interface: u32) {
        let (group, interface) = (group.parse().unwrap(), Some(interface));
        self.act(MulticastJoin { local: None, group, source: None, interface }, UDP);
    }

    pub fn receive(&mut self, at: &str, from: &str) {
        let (local, remote) = (at.parse().unwrap(), from.parse().unwrap());
        self.act(Datagram { local, remote, direction: Direction::Ingress, is_last: false }, UDP);
    }

    pub fn unix(&mut self, kind: UnixKind, name: &[u8], whose: Option<Arc<Owner>>) {
        let unix = Unix { kind, name: UnixAddress::new(name), outcome: Outcome::Success };
        let socket = hostnet_abi::Socket { family: libc::AF_UNIX as u16, kind: 1, protocol: 0 };
        let event = self.event(unix, socket);
        let peer = whose.map(|owner| {
            let (possible, listens_on) = (vec![party(owner)], None);
            Box::new(Peer { possible, listens_on, method: PeerMethod::Credentials })
        });
        self.take(Event { peer, ..event });
    }

    pub fn raw_socket(&mut self, protocol: u32) {
        self.act(RawSocket { protocol }, protocol);
    }

    pub fn family_socket(&mut self, family: i32, protocol: u32) {
        let socket = hostnet_abi::Socket { family: family as u16, kind: 3, protocol };
        let event = self.event(FamilySocket { socket }, socket);
        self.take(event);
    }

    pub fn sniff(&mut self) {
        self.family_socket(libc::AF_PACKET, 3);
        let bind = PacketBind { interface: 0, protocol: 3, outcome: Outcome::Success };
        let socket = hostnet_abi::Socket { family: libc::AF_PACKET as u16, kind: 3, protocol: 3 };
        let event = self.event(bind, socket);
        self.take(event);
    }

    pub fn add_route(&mut self) {
        let (protocol, message) = (libc::NETLINK_ROUTE as u32, libc::RTM_NEWROUTE);
        self.act(NetlinkRequest { protocol, message, flags: 0, unread: 0 }, 0);
    }

    pub fn leave(&mut self) {
        self.act(Left, 0);
    }

    pub fn all(&self) -> Vec<Advice> {
        self.cases.advice()
    }

    pub fn cases(&self) -> &Cases {
        &self.cases
    }

    /// The advice for the container, the agent having observed until now.
    pub fn advice(&mut self) -> Advice {
        self.health(Health::Heartbeat { numbers: json!({}) });
        let label = self.owner.label().to_owned();
        self.called(&label).remove(0)
    }

    /// The advice for the containers that are called so, or none.
    pub fn called(&self, wanted: &str) -> Vec<Advice> {
        match self.cases.advice_for(wanted) {
            Meant::These(advice) => advice,
            Meant::OneOf(_) | Meant::Nobody => Vec::new(),
        }
    }
}

fn connect(to: &str, outcome: Outcome) -> Connect {
    Connect { local: None, remote: to.parse().unwrap(), rewritten_to: None, outcome, sent: None }
}

pub fn party(owner: Arc<Owner>) -> PeerParty {
    PeerParty { owner, process: None, via: None, local: None }
}

/// A service of the host's.
pub fn unit(name: &str) -> Arc<Owner> {
    let path = format!("/system.slice/{name}");
    Arc::new(Owner { kind: OwnerKind::Host, ..Owner::unknown(8, Some(&path)) })
}

pub fn container(name: &str, created: &str, capabilities: &[&str]) -> Arc<Owner> {
    labelled(name, created, capabilities, &[])
}

/// A container with labels.
pub fn labelled(
    name: &str,
    created: &str,
    capabilities: &[&str],
    labels: &[(&str, &str)],
) -> Arc<Owner> {
    let id = format!("{:0<64}", name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
    let container = Container {
        id: id.clone(),
        name: name.to_owned(),
        image: format!("{name}:1"),
        network_mode: "host".to_owned(),
        capabilities: capabilities.iter().map(|one| (*one).to_owned()).collect(),
        created: created.to_owned(),
        labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        ..Container::default()
    };
    Arc::new(Owner {
        kind: OwnerKind::Container,
        container_id: Some(id),
        container: Some(Arc::new(container)),
        ..Owner::unknown(7, Some("/docker/ab"))
    })
}
