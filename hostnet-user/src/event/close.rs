//! The end of a TCP connection, or of a listener.

use std::{fmt, net::SocketAddr};

use super::{
    Action, Colour, Common, Direction, Documented, Info, NoFields, NotOurs, Told, canonical,
};
use crate::event::{document::summable, errno};

/// A TCP connection is over.
#[derive(Clone, Debug)]
pub struct Close {
    /// Local end.
    pub local: SocketAddr,
    /// Remote end.
    pub remote: SocketAddr,
    /// Who began; `None` when the beginning was not seen.
    pub direction: Option<Direction>,
    /// Payload bytes the owner sent.
    pub sent: u64,
    /// Payload bytes the owner received.
    pub received: u64,
    /// Nanoseconds since it was established; `None` when that was not seen.
    pub duration_ns: Option<u64>,
    /// The socket's pending error, such as ECONNRESET.
    pub errno: Option<u16>,
}

impl Close {
    /// What is true of every end of traffic with a peer, by whatever protocol.
    pub(super) fn ended(operation: &'static str) -> Info {
        Info::new(operation, Action::DisconnectReceived, &["connection", "end"], Colour::Dim)
    }
}

impl Told for Close {
    fn info(&self) -> Info {
        Self::ended(Self::OPERATIONS[0])
    }
    fn errno(&self) -> Option<u16> {
        self.errno
    }
    fn duration_ns(&self) -> Option<u64> {
        self.duration_ns
    }
    fn bytes(&self) -> Option<(u64, u64)> {
        Some((self.sent, self.received))
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn remote(&self) -> Option<SocketAddr> {
        Some(self.remote)
    }
    fn direction(&self) -> Option<Direction> {
        self.direction
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, remote) = (canonical(self.local), canonical(self.remote));
        write!(
            f,
            "closed the connection of {local} with {remote}: {} bytes received, {} bytes sent",
            self.received, self.sent
        )?;
        if let Some(duration) = self.duration_ns {
            write!(f, ", {:.3} s", duration as f64 / 1e9)?;
        }
        errno::suffix(f, self.errno)
    }
}

impl Documented for Close {
    const OPERATIONS: &'static [&'static str] = &["close"];
    no_fields!();
    fn is_told_by(common: &Common<'_>) -> bool {
        common.operation == Self::OPERATIONS[0]
            && common.action != Some(Action::ClosedListener)
            && !common.own.has("udp")
    }
    fn read(_: NoFields, common: &Common<'_>) -> Result<Self, NotOurs> {
        let direction = common.direction()?;
        let (source, destination) = common.bytes;
        let (sent, received) = match direction {
            Some(Direction::Ingress) => (destination, source),
            Some(Direction::Egress) | None => (source, destination),
        };
        summable("source.bytes", [sent, received])?;
        Ok(Self {
            local: common.local()?,
            remote: common.remote()?,
            direction,
            sent,
            received,
            duration_ns: common.duration_ns,
            errno: common.errno(),
        })
    }
}

/// A TCP socket stopped listening.
#[derive(Clone, Debug)]
pub struct ListenerClosed {
    /// Where it listened.
    pub local: SocketAddr,
}

impl Told for ListenerClosed {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::ClosedListener, &["end"], Colour::Dim)
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped listening on {}", canonical(self.local))
    }
}

impl Documented for ListenerClosed {
    const OPERATIONS: &'static [&'static str] = Close::OPERATIONS;
    no_fields!();
    fn is_told_by(common: &Common<'_>) -> bool {
        common.operation == Self::OPERATIONS[0] && common.action == Some(Action::ClosedListener)
    }
    fn read(_: NoFields, common: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self { local: common.local()? })
    }
}
