//! A TCP socket that listens.

use std::{fmt, net::SocketAddr};

use super::{Action, PeerParty, Told, canonical, sharing};

/// `listen(2)`.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Where it listens; port 0 when the kernel chose it after this point.
    pub local: SocketAddr,
    /// Length of the accept queue that was asked for.
    pub backlog: u32,
    /// Others whose sockets have the same port at an address of this one's.
    pub shares_port_with: Vec<PeerParty>,
}

impl Told for Listen {
    fn operation(&self) -> &'static str {
        "listen"
    }
    fn action(&self) -> Action {
        Action::ListenForConnections
    }
    fn types(&self) -> &'static [&'static str] {
        &["start"]
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listens on {}", canonical(self.local))?;
        sharing(f, &self.shares_port_with)
    }
}
