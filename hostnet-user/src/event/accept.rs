//! An inbound TCP connection.

use std::{fmt, net::SocketAddr};

use super::{
    Action, Colour, Common, Direction, Documented, Info, NoFields, NotOurs, Told, canonical,
};

/// A connection came in through a listening socket.
#[derive(Clone, Debug)]
pub struct Accept {
    /// Local end.
    pub local: SocketAddr,
    /// Remote end.
    pub remote: SocketAddr,
}

impl Told for Accept {
    fn info(&self) -> Info {
        Info::new(
            Self::OPERATIONS[0],
            Action::ConnectionAccepted,
            &["connection", "start"],
            Colour::Cyan,
        )
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

impl Documented for Accept {
    const OPERATIONS: &'static [&'static str] = &["accept"];
    no_fields!();
    fn read(_: NoFields, common: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self { local: common.local()?, remote: common.remote()? })
    }
}
