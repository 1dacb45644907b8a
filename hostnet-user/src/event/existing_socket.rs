//! A socket that was there before the agent.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

use super::{
    Action, Colour, Common, Direction, Documented, Field, Fitted, Info, NotOurs, Scope, Surface,
    Told, UnixAddress, canonical,
};
use crate::event::family;

/// What a socket is doing; for TCP the states of RFC 9293.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketState {
    /// Waits for connections.
    Listen,
    /// Has a peer; without a connection, the default one.
    Established,
    /// Connecting.
    SynSent,
    /// Closed by its owner, not yet acknowledged.
    #[serde(rename = "fin-wait-1")]
    FinWait1,
    /// Closed by its owner.
    #[serde(rename = "fin-wait-2")]
    FinWait2,
    /// Closed by both at once.
    Closing,
    /// Closed by the peer.
    CloseWait,
    /// Closed by both, not yet acknowledged.
    LastAck,
    /// Has an address and no peer.
    Bound,
    /// Is there: a kind of socket that needs neither.
    Open,
}

/// A socket found when the agent started, with the owner it has by now.
#[derive(Clone, Debug)]
pub struct ExistingSocket {
    /// Family, type and protocol.
    pub socket: hostnet_abi::Socket,
    /// What it is doing.
    pub state: SocketState,
    /// Local end of an IP socket.
    pub local: Option<SocketAddr>,
    /// Remote end of an IP socket.
    pub remote: Option<SocketAddr>,
    /// Local end of a unix socket.
    pub local_name: Option<UnixAddress>,
    /// Remote end of a unix socket.
    pub remote_name: Option<UnixAddress>,
    /// Who began; `None` when that cannot be told any more.
    pub direction: Option<Direction>,
    /// Length of a listener's accept queue that was asked for.
    pub backlog: Option<u32>,
    /// Index of the interface it is bound to.
    pub interface: Option<u32>,
    /// Who opened it, in the host's user namespace.
    pub user: Option<u32>,
}

impl SocketState {
    /// Their names.
    pub const NAMES: &'static [&'static str] = &[
        "listen",
        "established",
        "syn-sent",
        "fin-wait-1",
        "fin-wait-2",
        "closing",
        "close-wait",
        "last-ack",
        "bound",
        "open",
    ];
}

impl ExistingSocket {
    /// What it is and does in a few words, without its addresses.
    #[must_use]
    pub fn summary(&self) -> String {
        let does = match self.state {
            SocketState::Listen => "listens",
            SocketState::Established => "connected",
            SocketState::SynSent => "connecting",
            SocketState::Bound => "bound",
            SocketState::Open => "open",
            SocketState::FinWait1
            | SocketState::FinWait2
            | SocketState::Closing
            | SocketState::CloseWait
            | SocketState::LastAck => "closing",
        };
        format!("{} {does}", self.kind())
    }

    /// `tcp`, `raw icmp`, `unix`, `netlink route`.
    fn kind(&self) -> String {
        let hostnet_abi::Socket { family, kind, protocol } = self.socket;
        let name = family::protocol(family, protocol).map(str::to_owned);
        let name = name.unwrap_or_else(|| protocol.to_string());
        match i32::from(family) {
            libc::AF_UNIX => name,
            libc::AF_INET | libc::AF_INET6 if i32::from(kind) == libc::SOCK_RAW => {
                format!("raw {name}")
            }
            libc::AF_INET | libc::AF_INET6 => name,
            _ => format!("{} {name}", family::name(family)),
        }
    }

    fn ends(&self) -> (Option<String>, Option<String>) {
        let end = |ip: Option<SocketAddr>, name: &Option<UnixAddress>| {
            let ip = ip.map(|address| canonical(address).to_string());
            ip.or_else(|| name.as_ref().map(UnixAddress::to_string))
        };
        (end(self.local, &self.local_name), end(self.remote, &self.remote_name))
    }
}

impl Told for ExistingSocket {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::ExistingSocket, &["info"], Colour::Dim)
            .aimed_at(Surface::of_family(self.socket.family))
    }
    fn short(&self) -> &'static str {
        "existing"
    }
    fn kind(&self) -> &'static str {
        "state"
    }
    fn local(&self) -> Option<SocketAddr> {
        self.local
    }
    fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }
    fn local_name(&self) -> Option<&UnixAddress> {
        self.local_name.as_ref()
    }
    fn remote_name(&self) -> Option<&UnixAddress> {
        self.remote_name.as_ref()
    }
    fn direction(&self) -> Option<Direction> {
        self.direction
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, remote) = self.ends();
        let kind = self.kind();
        match (self.state, local, remote) {
            (SocketState::Listen, Some(local), _) => write!(f, "was already listening on {local}"),
            (SocketState::SynSent, _, Some(remote)) => {
                write!(f, "was already connecting to {remote}")
            }
            (_, Some(local), Some(remote)) => {
                write!(f, "already had a connection of {local} with {remote}")
            }
            (_, None, Some(remote)) => write!(f, "already had a connection with {remote}"),
            (_, Some(local), None) => write!(f, "already had {local} open"),
            (_, None, None) => write!(f, "already had a socket open"),
        }?;
        write!(f, " ({kind})")?;
        match self.interface {
            Some(index) => write!(f, " on interface {index}"),
            None => Ok(()),
        }
    }
}

part! {
    /// `hostnet.existing`.
    struct ExistingFields at "existing" {
        state: SocketState = Word(SocketState::NAMES), "What a socket that was there before the agent is doing: a TCP state, `established` also for a socket with a default peer, `bound` with an address and no peer, `open` with neither. `process` is the first, by id, of the owner's processes that hold it.";
        #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
        scope: Option<Scope> = Word(Scope::NAMES), "Who can reach its address.";
        #[serde(skip_serializing_if = "Option::is_none")]
        backlog: Option<u32> = Number, "Length of a listener's accept queue.";
        #[serde(skip_serializing_if = "Option::is_none")]
        interface: Option<u32> = Number, "Index of the interface it is bound to.";
    }
}

own!(OwnOfExisting { existing: ExistingFields });

impl Documented for ExistingSocket {
    const OPERATIONS: &'static [&'static str] = &[Action::ExistingSocket.name()];
    const FIELDS: &'static [&'static [Field]] = &[ExistingFields::ROWS];
    type Own<'a> = OwnOfExisting;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfExisting {
        let Self { state, backlog, interface, .. } = *self;
        let is_open_to_others = matches!(state, SocketState::Listen | SocketState::Bound);
        let scope = self.local.filter(|_| is_open_to_others).map(Scope::of);
        OwnOfExisting { existing: ExistingFields { state, scope, backlog, interface } }
    }
    fn read(own: OwnOfExisting, common: &Common<'_>) -> Result<Self, NotOurs> {
        let ExistingFields { state, backlog, interface, .. } = own.existing;
        Ok(Self {
            socket: common.socket()?,
            state,
            local: common.local,
            remote: common.remote,
            local_name: common.local_name.clone(),
            remote_name: common.remote_name.clone(),
            direction: common.direction()?,
            backlog,
            interface,
            user: common.user()?,
        })
    }
}
