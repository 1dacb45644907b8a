//! What an event reaches out to and what it offers, whichever kind of event says it.

use std::net::SocketAddr;

use super::surface::Network;
use crate::event::{
    Contact, Direction, Event, Operation, Outcome, Peer, Scope, SocketState, Surface, UnixAddress,
    UnixKind, canonical, errno, family,
};

/// Somebody to whom a socket was connected, or something sent.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// Whom.
    pub to: Target<'a>,
    /// Where that is.
    pub surface: Surface,
    /// What came of it.
    pub contact: Contact,
    /// It is known from its end alone: its beginning was not reported.
    pub is_late: bool,
    /// The error it ended with.
    pub errno: Option<u16>,
    /// IANA's number of the transport; 0 for none.
    pub transport: u32,
    /// Who was there, when that is on this host and known.
    pub peer: Option<&'a Peer>,
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// IPv4 for a v4-mapped one.
    Ip(SocketAddr),
    /// A unix socket's.
    Unix(&'a UnixAddress),
}

/// An address that others can reach the owner by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// IPv4 for a v4-mapped one.
    pub local: SocketAddr,
    /// Who can reach it.
    pub scope: Scope,
    /// IANA number of the transport.
    pub transport: u32,
}

/// IANA's numbers of transports.
const TCP: u32 = 6;
const UDP: u32 = 17;
const UDPLITE: u32 = 136;

const DNS_PORT: u16 = 53;

/// From here on the kernel chooses ports for those who connect, unless it is told otherwise.
const FIRST_CHOSEN_PORT: u16 = 32_768;

impl<'a> Reach<'a> {
    /// What the event reaches, once its surface is known.
    #[must_use]
    pub fn of(event: &'a Event) -> Option<Self> {
        let surface = event.surface?;
        let to = target(event)?;
        Some(Self {
            to,
            surface,
            contact: Contact::of(event),
            is_late: matches!(event.operation, Operation::Close(_)),
            errno: event.operation.told().outcome().errno(),
            transport: event.socket.map_or(0, |socket| socket.socket.protocol),
            peer: event.peer.as_deref(),
        })
    }

    /// The port, of an IP address.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        if let Target::Ip(address) = self.to { Some(address.port()) } else { None }
    }

    /// Whether it asks a resolver on the host's loopback for names, as containers of a
    /// bridge network ask Docker's own.
    #[must_use]
    pub fn is_name_lookup(&self) -> bool {
        self.surface == Surface::HostLoopback
            && self.port() == Some(DNS_PORT)
            && matches!(self.transport, TCP | UDP)
    }

    /// What happened, after the owner's name. `what` says who was to be reached.
    #[must_use]
    pub fn sentence(&self, what: &str) -> String {
        match self.contact {
            Contact::Reached if self.is_late => {
                format!("had a connection with {what}, of which only the end was reported")
            }
            Contact::Reached if matches!(self.transport, UDP | UDPLITE) => {
                format!("reached {what} with a datagram")
            }
            Contact::Reached => format!("reached {what}"),
            Contact::Refused => format!("tried to reach {what} and was refused"),
            Contact::Failed => match self.errno.and_then(errno::name) {
                Some("ETIMEDOUT") | None => format!("tried to reach {what} and got no answer"),
                Some(name) => format!("tried to reach {what} and failed ({name})"),
            },
            Contact::Pending => format!("tried to reach {what} and has no answer yet"),
            Contact::Aimed => format!("aimed a socket at {what} and sent nothing"),
            Contact::Unknown => {
                format!("may have reached {what}: whether anything was sent is not known")
            }
        }
    }

    /// Who was there, in words: `redis-server, redis-server.service on the host`.
    #[must_use]
    pub fn whose(&self) -> Option<String> {
        self.peer.map(ToString::to_string)
    }
}

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(name) => write!(f, "unix socket {name}"),
        }
    }
}

/// Whom the event reaches out to.
#[expect(clippy::wildcard_enum_match_arm, reason = "other kinds reach out to nobody")]
fn target(event: &Event) -> Option<Target<'_>> {
    let told = event.operation.told();
    let is_outward = match &event.operation {
        Operation::Connect(_) | Operation::ConnectOutcome(_) => true,
        // Of one whose beginning was not reported, services have the lower port.
        Operation::Close(close) => {
            let port = close.remote.port();
            close.direction.is_none() && port < close.local.port() && port < FIRST_CHOSEN_PORT
        }
        Operation::Datagram(datagram) => datagram.direction == Direction::Egress,
        Operation::Unix(unix) => matches!(unix.kind, UnixKind::Connect | UnixKind::Send),
        // Who began is known where the kernel says who listens.
        Operation::ExistingSocket(existing) => {
            existing.state != SocketState::Listen && told.direction() == Some(Direction::Egress)
        }
        _ => false,
    };
    if !is_outward {
        return None;
    }
    let ip = told.remote().map(|remote| Target::Ip(canonical(remote)));
    ip.or_else(|| told.remote_name().map(Target::Unix))
}

/// `tcp/8080`
impl std::fmt::Display for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let port = self.local.port();
        match family::protocol(libc::AF_INET as u16, self.transport) {
            Some(name) => write!(f, "{name}/{port}"),
            None => write!(f, "{}/{port}", self.transport),
        }
    }
}

impl Offer {
    /// What the event offers: a listener, or a UDP socket with a port that was asked for.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "other kinds offer nothing")]
    pub fn of(event: &Event) -> Option<Self> {
        let protocol = event.socket.map_or(TCP, |socket| socket.socket.protocol);
        let local = match &event.operation {
            Operation::Listen(listen) => listen.local,
            Operation::Bind(bind) => {
                let chose = bind.requested.is_none_or(|asked| asked.port() != 0);
                let is_done = bind.outcome == Outcome::Success;
                (protocol != TCP && is_done && chose).then_some(bind.local)?
            }
            Operation::ExistingSocket(existing) => {
                let is_open = matches!(existing.state, SocketState::Listen | SocketState::Bound);
                existing.local.filter(|_| is_open)?
            }
            _ => return None,
        };
        let local = canonical(local);
        Some(Self { local, scope: Scope::of(local), transport: protocol })
    }
}

/// Where the event is aimed.
#[must_use]
pub fn surface(event: &Event, network: &Network) -> Option<Surface> {
    match target(event) {
        Some(Target::Ip(address)) => Some(network.surface(address.ip())),
        Some(Target::Unix(name)) if name.is_abstract() => Some(Surface::AbstractUnix),
        Some(Target::Unix(_)) => Some(Surface::PathUnix),
        None => event.operation.told().info().surface,
    }
}
