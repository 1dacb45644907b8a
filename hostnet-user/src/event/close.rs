//! The end of a TCP connection, or of a listener.

use std::{fmt, net::SocketAddr};

use super::{Action, Direction, Told, canonical};
use crate::event::errno;

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

impl Told for Close {
    fn operation(&self) -> &'static str {
        "close"
    }
    fn action(&self) -> Action {
        Action::DisconnectReceived
    }
    fn types(&self) -> &'static [&'static str] {
        &["connection", "end"]
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

/// A TCP socket stopped listening.
#[derive(Clone, Debug)]
pub struct ListenerClosed {
    /// Where it listened.
    pub local: SocketAddr,
}

impl Told for ListenerClosed {
    fn operation(&self) -> &'static str {
        "close"
    }
    fn action(&self) -> Action {
        Action::ClosedListener
    }
    fn types(&self) -> &'static [&'static str] {
        &["end"]
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped listening on {}", canonical(self.local))
    }
}
