//! An inbound TCP connection.

use std::{fmt, net::SocketAddr};

use super::{Action, Direction, Told, canonical};

/// A connection came in through a listening socket.
#[derive(Clone, Debug)]
pub struct Accept {
    /// Local end.
    pub local: SocketAddr,
    /// Remote end.
    pub remote: SocketAddr,
}

impl Told for Accept {
    fn operation(&self) -> &'static str {
        "accept"
    }
    fn action(&self) -> Action {
        Action::ConnectionAccepted
    }
    fn types(&self) -> &'static [&'static str] {
        &["connection", "start"]
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn remote(&self) -> Option<SocketAddr> {
        Some(self.remote)
    }
    fn direction(&self) -> Option<Direction> {
        Some(Direction::Ingress)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accepted a connection from {} on {}",
            canonical(self.remote),
            canonical(self.local)
        )
    }
}
