//! What an event says of ports and of others: what the history counts. Of an event that
//! is told now, and the same of a document that was kept.

use std::net::SocketAddr;

use hostnet_abi::Hook;

use crate::{
    event::{
        Action, Attempt, Contact, Direction, Event, FlowCount, Operation, Outcome, Peer, PeerParty,
        SentToPeer, canonical, errno,
    },
    format::ecs::read,
};

/// What one event says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// The local port whose holder changes, or shows.
    pub port: Option<u16>,
    /// What passed between its owner and others.
    pub exchanges: Vec<Exchange>,
    /// The connection that begins with it, or that it shows to be there. Only the first
    /// event of a connection counts it.
    pub began: Option<Connection>,
    /// The socket that it ends: its connections are no longer there.
    pub ended: Option<Socket>,
    /// The name of the container that it is of.
    pub name: Option<String>,
}

/// A socket of one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket {
    /// Which boot, by [`boot_key`].
    pub boot: i64,
    /// The kernel's id of it.
    pub cookie: u64,
}

/// A connection, or what a UDP socket exchanges with one peer: it is counted once, however
/// many runs of the agent see it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection {
    /// Of the owner's.
    pub socket: Socket,
    /// The other end's address, or the name of a unix socket.
    pub address: String,
    /// Its port; 0 where there is none.
    pub port: u16,
    /// It begins with this event: no run can have seen it before.
    pub is_new: bool,
}

/// A boot's id as a number: FNV-1a, the same in every build.
#[must_use]
pub fn boot_key(id: &str) -> i64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// Something between an owner and somebody at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// With whom, and how.
    pub with: With,
    /// What it adds.
    pub sums: Sums,
}

/// With whom an owner had to do, in the order of the table's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct With {
    /// `egress` when the owner began, `ingress` when the other did, empty when that
    /// is not known.
    pub direction: String,
    /// Protocol of the socket within its family.
    pub protocol: String,
    /// The other's address; of unix sockets, the name of the socket.
    pub address: String,
    /// The port that was asked for: the other's, or the owner's of who came in; 0
    /// where there is none.
    pub port: u16,
    /// Who was there, when that is known: a container, a unit or a program.
    pub peer: String,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Connections, or peers of UDP sockets, that began.
    pub begun: u64,
    /// Those that failed.
    pub failed: u64,
    /// Connections that ended.
    pub ended: u64,
    /// Bytes of ended TCP connections that the owner sent, and received.
    pub bytes: (u64, u64),
    /// Datagrams of closed UDP sockets that the owner sent, and received.
    pub datagrams: (u64, u64),
}

impl Sums {
    /// What is left of them where the connection was counted before; `None` when that is
    /// nothing.
    #[must_use]
    pub fn again(self) -> Option<Self> {
        let rest = Self { begun: 0, ..self };
        (rest != Self::default()).then_some(rest)
    }

    /// Adds others.
    pub const fn add(&mut self, other: &Self) {
        self.begun += other.begun;
        self.failed += other.failed;
        self.ended += other.ended;
        self.bytes = (self.bytes.0 + other.bytes.0, self.bytes.1 + other.bytes.1);
        self.datagrams =
            (self.datagrams.0 + other.datagrams.0, self.datagrams.1 + other.datagrams.1);
    }
}

const EGRESS: &str = Direction::Egress.name();
const INGRESS: &str = Direction::Ingress.name();

impl Touch {
    /// What an event says.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "other kinds have no counts")]
    pub fn of_event(event: &Event, boot: i64) -> Self {
        let container = event.owner.as_ref().and_then(|owner| owner.container.as_ref());
        let name = container.map(|container| container.name.clone());
        let name = name.filter(|name| !name.is_empty());
        let Some(socket) = event.socket else { return Self { name, ..Self::default() } };
        let told = event.operation.told();
        let direction = told.direction().map_or("", Direction::name);
        let protocol = crate::event::family::protocol(socket.socket.family, socket.socket.protocol);
        let ip = |end: Option<SocketAddr>| end.map(canonical);
        let (local, remote) = (ip(told.local()), ip(told.remote()));
        let facts = Facts {
            action: told.action(),
            contact: Contact::of(event),
            is_failure: matches!(told.outcome(), Outcome::Failure(_)),
            direction,
            protocol: protocol.unwrap_or("other"),
            local_port: local.map(|local| local.port()),
            local_name: told.local_name().map(ToString::to_string),
            remote: remote.map(|remote| (remote.ip().to_string(), remote.port())),
            remote_name: told.remote_name().map(ToString::to_string),
            peer: event.peer.as_deref().map(label).unwrap_or_default(),
            bytes: match &event.operation {
                Operation::Close(close) => (close.sent, close.received),
                _ => (0, 0),
            },
            flows: match &event.operation {
                Operation::DatagramClose(close) => close.flows.listed().iter().map(flow).collect(),
                _ => Vec::new(),
            },
            socket: Socket { boot, cookie: socket.cookie },
            name,
        };
        facts.touch()
    }

    /// What the document of an event says.
    #[must_use]
    pub fn of_document(document: &read::Read) -> Self {
        let read::Hostnet { local, remote, socket, udp, peer, .. } = &document.hostnet;
        let name = document.container.name.clone().filter(|name| !name.is_empty());
        let known = socket.cookie.zip(document.event.action());
        let Some((cookie, action)) = known else { return Self { name, ..Self::default() } };
        let boot = boot_key(document.host.boot.id.as_deref().unwrap_or_default());
        let direction = document.network.direction.as_deref().unwrap_or_default();
        let bytes = |end: &read::End| end.bytes.unwrap_or(0);
        let (source, destination) = (bytes(&document.source), bytes(&document.destination));
        let facts = Facts {
            action,
            contact: contact(document),
            is_failure: document.event.outcome == "failure",
            direction,
            protocol: &socket.protocol,
            local_port: local.as_ref().and_then(|local| local.port),
            local_name: local.as_ref().and_then(|local| local.name.clone()),
            remote: remote.as_ref().and_then(|to| Some((to.ip.clone()?, to.port.unwrap_or(0)))),
            remote_name: remote.as_ref().and_then(|remote| remote.name.clone()),
            peer: peer.as_ref().map(read::Peer::label).unwrap_or_default(),
            bytes: if direction == INGRESS { (destination, source) } else { (source, destination) },
            flows: udp
                .flows
                .iter()
                .filter_map(|flow| {
                    let remote = (flow.remote.ip.clone()?, flow.remote.port.unwrap_or(0));
                    Some((remote, (flow.sent, flow.received)))
                })
                .collect(),
            socket: Socket { boot, cookie },
            name,
        };
        facts.touch()
    }
}

/// An address and a port.
type At = (String, u16);

/// What is asked of an event, wherever it is from.
struct Facts<'a> {
    action: Action,
    contact: Contact,
    is_failure: bool,
    direction: &'a str,
    protocol: &'a str,
    local_port: Option<u16>,
    local_name: Option<String>,
    remote: Option<At>,
    remote_name: Option<String>,
    peer: String,
    bytes: (u64, u64),
    flows: Vec<(At, (u64, u64))>,
    socket: Socket,
    name: Option<String>,
}

impl Facts<'_> {
    fn touch(mut self) -> Touch {
        let (port, name) = (self.port(), self.name.take());
        let (began, ended) = (self.began(), self.ended());
        Touch { port, exchanges: self.exchanges(), began, ended, name }
    }

    /// What is not there after it, a refused connection, is counted by itself.
    fn began(&self) -> Option<Connection> {
        let is_about = match (self.action, self.contact) {
            (
                Action::ConnectionAttempted | Action::ExistingSocket,
                Contact::Aimed | Contact::Unknown,
            ) => false,
            (
                Action::ConnectionAttempted | Action::ConnectionAccepted | Action::ExistingSocket,
                _,
            ) => true,
            (Action::ConnectionOutcome, Contact::Reached) => self.protocol != "tcp",
            _ => false,
        };
        if !is_about || self.is_failure || self.socket.cookie == 0 {
            return None;
        }
        let name = || {
            let is_ingress = self.direction == INGRESS;
            let name = if is_ingress { &self.local_name } else { &self.remote_name };
            name.clone().map(|name| (name, 0))
        };
        let (address, port) = self.remote.clone().or_else(name)?;
        let is_new = self.action != Action::ExistingSocket && self.protocol == "tcp";
        Some(Connection { socket: self.socket, address, port, is_new })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "other actions end no socket")]
    fn ended(&self) -> Option<Socket> {
        let is_end = match self.action {
            Action::DisconnectReceived => true,
            Action::ConnectionOutcome => self.is_failure,
            _ => false,
        };
        (is_end && self.socket.cookie != 0).then_some(self.socket)
    }

    /// Connections that came in have the port of their listener, which holds it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other actions have no port of their own")]
    fn port(&self) -> Option<u16> {
        let is_about = match self.action {
            Action::BoundSocket => !self.is_failure,
            Action::ListenForConnections | Action::ClosedListener | Action::ExistingSocket => true,
            Action::ConnectionAttempted | Action::ConnectionOutcome => self.direction == EGRESS,
            Action::DisconnectReceived => self.direction != INGRESS || self.protocol != "tcp",
            _ => false,
        };
        self.local_port.filter(|port| *port != 0 && is_about)
    }

    fn exchanges(self) -> Vec<Exchange> {
        let mut sums = Sums::default();
        let failed = self.is_failure.into();
        match (self.action, self.contact) {
            (Action::ConnectionAttempted | Action::DisconnectReceived, Contact::Aimed)
                if self.flows.is_empty() =>
            {
                return Vec::new();
            }
            // It is listed, and nothing counted: perhaps nothing was sent.
            (
                Action::ConnectionAttempted | Action::DisconnectReceived | Action::ExistingSocket,
                Contact::Unknown,
            ) => {}
            (Action::ConnectionAttempted, _) => sums = Sums { begun: 1, failed, ..sums },
            // What was told before it has counted a connection, but no UDP peer.
            (Action::ConnectionOutcome, Contact::Reached) if self.protocol != "tcp" => {
                sums.begun = 1
            }
            (Action::ConnectionOutcome, _) => sums.failed = failed,
            (Action::ConnectionAccepted, _) => sums.begun = 1,
            (Action::DisconnectReceived, _) => (sums.ended, sums.bytes) = (1, self.bytes),
            (Action::ExistingSocket, _) => sums.begun = 1,
            _ => return Vec::new(),
        }
        let is_ingress = self.direction == INGRESS;
        let own_port = self.local_port.unwrap_or(0);
        let with = |(address, port): At| With {
            direction: self.direction.to_owned(),
            protocol: self.protocol.to_owned(),
            address,
            port: if is_ingress { own_port } else { port },
            peer: self.peer.clone(),
        };
        if !self.flows.is_empty() {
            let each = |(remote, datagrams)| {
                let sums = Sums { datagrams, ..Sums::default() };
                Exchange { with: with(remote), sums }
            };
            return self.flows.iter().cloned().map(each).collect();
        }
        let name = if is_ingress { &self.local_name } else { &self.remote_name };
        let named = || name.clone().map(|name| (name, 0));
        let at = self.remote.clone().or_else(named);
        at.map(|at| Exchange { with: with(at), sums }).into_iter().collect()
    }
}

/// What came of an attempt, by the document of its event.
#[must_use]
pub fn contact(document: &read::Read) -> Contact {
    let read::Read { event, hostnet, .. } = document;
    let (protocol, kind) = (hostnet.socket.protocol.as_str(), hostnet.socket.r#type.as_str());
    let is_existing = event.action() == Some(Action::ExistingSocket);
    let outcome = match event.outcome.as_str() {
        _ if is_existing && hostnet.existing.state.as_deref() == Some("syn-sent") => {
            Outcome::Unknown
        }
        "success" => Outcome::Success,
        "failure" => Outcome::Failure(event.reason.as_deref().and_then(errno::number)),
        _ => Outcome::Unknown,
    };
    let sent = match hostnet.udp.sent_to_peer.as_deref() {
        Some("yes") => Some(SentToPeer::Yes),
        Some("no") => Some(SentToPeer::No),
        Some(_) => Some(SentToPeer::Unknown),
        None if event.provider == Hook::UnixDgramConnect.attach_point() => Some(SentToPeer::No),
        None => None,
    };
    let only_sets_peer = is_existing && matches!(kind, "dgram" | "raw");
    Attempt { outcome, sent, is_tcp: protocol == "tcp", only_sets_peer }.contact()
}

fn flow(flow: &FlowCount) -> (At, (u64, u64)) {
    let remote = canonical(flow.remote);
    ((remote.ip().to_string(), remote.port()), (flow.sent, flow.received))
}

fn label(peer: &Peer) -> String {
    let each: Vec<String> = peer.possible.iter().map(PeerParty::label).collect();
    each.join(" or ")
}
