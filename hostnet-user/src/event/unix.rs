//! Unix sockets: connected, bound, listening, accepted, used.

use std::fmt;

use super::{Action, Direction, Outcome, Told, UnixAddress};
use crate::event::errno;

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

impl Unix {
    const fn name_is_remote(&self) -> bool {
        matches!(self.kind, UnixKind::Connect | UnixKind::Send)
    }
}

impl Told for Unix {
    fn operation(&self) -> &'static str {
        match self.kind {
            UnixKind::Connect => "unix-connect",
            UnixKind::Bind => "unix-bind",
            UnixKind::Listen { .. } => "unix-listen",
            UnixKind::Accept => "unix-accept",
            UnixKind::Send => "unix-send",
            UnixKind::Use => "unix-use",
        }
    }
    fn action(&self) -> Action {
        match self.kind {
            UnixKind::Connect | UnixKind::Send => Action::ConnectionAttempted,
            UnixKind::Bind => Action::BoundSocket,
            UnixKind::Listen { .. } => Action::ListenForConnections,
            UnixKind::Accept => Action::ConnectionAccepted,
            UnixKind::Use => Action::UsedUnixSocket,
        }
    }
    fn types(&self) -> &'static [&'static str] {
        match self.kind {
            UnixKind::Connect | UnixKind::Accept | UnixKind::Send => &["connection", "start"],
            UnixKind::Bind | UnixKind::Listen { .. } => &["start"],
            UnixKind::Use => &["info"],
        }
    }
    fn outcome(&self) -> Outcome {
        self.outcome
    }
    fn local_name(&self) -> Option<&UnixAddress> {
        self.name.as_ref().filter(|_| !self.name_is_remote())
    }
    fn remote_name(&self) -> Option<&UnixAddress> {
        self.name.as_ref().filter(|_| self.name_is_remote())
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
