//! Unix sockets: connected, bound, listening, accepted, used.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use super::{
    Action, Colour, Common, Direction, Documented, Fitted, Info, NotOurs, Outcome, Told,
    UnixAddress,
};
use crate::event::{errno, listen::ListenFields};

/// One operation of a unix socket. An unnamed end has no address.
#[derive(Clone, Debug)]
pub struct Unix {
    /// What was done.
    pub kind: UnixKind,
    /// The name that belongs to it: the peer's for connect and send, else its own.
    pub name: Option<UnixAddress>,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a unix socket did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnixKind {
    Connect,
    Bind,
    Listen { backlog: u16 },
    Accept,
    Send,
    Use,
}

impl UnixKind {
    /// Whether the name is the other socket's.
    const fn names_peer(self) -> bool {
        matches!(self, Self::Connect | Self::Send)
    }
}

impl Told for Unix {
    fn info(&self) -> Info {
        Info::new(
            match self.kind {
                UnixKind::Connect => Self::OPERATIONS[0],
                UnixKind::Bind => Self::OPERATIONS[1],
                UnixKind::Listen { .. } => Self::OPERATIONS[2],
                UnixKind::Accept => Self::OPERATIONS[3],
                UnixKind::Send => Self::OPERATIONS[4],
                UnixKind::Use => Self::OPERATIONS[5],
            },
            match self.kind {
                UnixKind::Connect | UnixKind::Send => Action::ConnectionAttempted,
                UnixKind::Bind => Action::BoundSocket,
                UnixKind::Listen { .. } => Action::ListenForConnections,
                UnixKind::Accept => Action::ConnectionAccepted,
                UnixKind::Use => Action::UsedUnixSocket,
            },
            match self.kind {
                UnixKind::Connect | UnixKind::Accept | UnixKind::Send => &["connection", "start"],
                UnixKind::Bind | UnixKind::Listen { .. } => &["start"],
                UnixKind::Use => &["info"],
            },
            Colour::Blue,
        )
    }
    fn outcome(&self) -> Outcome {
        self.outcome
    }
    fn local_name(&self) -> Option<&UnixAddress> {
        self.name.as_ref().filter(|_| !self.kind.names_peer())
    }
    fn remote_name(&self) -> Option<&UnixAddress> {
        self.name.as_ref().filter(|_| self.kind.names_peer())
    }
    fn direction(&self) -> Option<Direction> {
        match self.kind {
            UnixKind::Connect | UnixKind::Send => Some(Direction::Egress),
            UnixKind::Accept => Some(Direction::Ingress),
            UnixKind::Bind | UnixKind::Listen { .. } | UnixKind::Use => None,
        }
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = matches!(self.outcome, Outcome::Failure(_));
        f.write_str(match (self.kind, failed) {
            (UnixKind::Connect, false) => "connected to",
            (UnixKind::Connect, true) => "failed to connect to",
            (UnixKind::Bind, false) => "bound",
            (UnixKind::Bind, true) => "failed to bind",
            (UnixKind::Listen { .. }, false) => "listens on",
            (UnixKind::Listen { .. }, true) => "failed to listen on",
            (UnixKind::Accept, _) => "accepted a connection on",
            (UnixKind::Send, false) => "sent to",
            (UnixKind::Send, true) => "failed to send to",
            (UnixKind::Use, _) => "uses",
        })?;
        match &self.name {
            Some(name) => write!(f, " unix socket {name}")?,
            None => write!(f, " an unnamed unix socket")?,
        }
        match self.outcome {
            Outcome::Failure(Some(errno)) => {
                write!(f, ": {}", errno::name(errno).unwrap_or("unknown error"))
            }
            Outcome::Success | Outcome::Failure(None) | Outcome::Unknown => Ok(()),
        }
    }
}

/// What only unix sockets have.
#[derive(Serialize, Deserialize)]
pub struct OwnOfUnix {
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<ListenFields<'static>>,
}

impl Documented for Unix {
    const OPERATIONS: &'static [&'static str] =
        &["unix-connect", "unix-bind", "unix-listen", "unix-accept", "unix-send", "unix-use"];
    type Own<'a> = OwnOfUnix;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfUnix {
        let UnixKind::Listen { backlog } = self.kind else { return OwnOfUnix { listen: None } };
        let shares_port_with = Cow::default();
        let listen = ListenFields { backlog: backlog.into(), scope: None, shares_port_with };
        OwnOfUnix { listen: Some(listen) }
    }
    fn read(own: OwnOfUnix, common: &Common<'_>) -> Result<Self, NotOurs> {
        let kinds = [
            UnixKind::Connect,
            UnixKind::Bind,
            UnixKind::Listen { backlog: 0 },
            UnixKind::Accept,
            UnixKind::Send,
            UnixKind::Use,
        ];
        let mut named = Self::OPERATIONS.iter().zip(kinds);
        let kind = named.find(|(name, _)| **name == common.operation);
        let (_, mut kind) = kind.ok_or_else(|| NotOurs::of_kind(common.action_name))?;
        if let UnixKind::Listen { backlog } = &mut kind {
            let listen = own.listen.ok_or_else(|| NotOurs::missing("hostnet.listen"))?;
            *backlog = u16::try_from(listen.backlog).map_err(|_| {
                NotOurs::field("hostnet.listen.backlog", "longer than a unix socket's can be")
            })?;
        }
        let name = if kind.names_peer() { &common.remote_name } else { &common.local_name };
        Ok(Self { kind, name: name.clone(), outcome: common.outcome()? })
    }
}
