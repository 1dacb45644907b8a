//! Packet sockets, which see frames below IP, and the filters sockets carry.

use std::fmt;

use super::{Action, Outcome, Told};
use crate::event::{errno, family};

/// A packet socket was bound to an interface and a protocol.
#[derive(Clone, Copy, Debug)]
pub struct PacketBind {
    /// Index of the interface; 0 for all of them.
    pub interface: u32,
    /// `ETH_P_*` of the frames it gets; 0 for none.
    pub protocol: u32,
    /// How it ended.
    pub outcome: Outcome,
}

impl Told for PacketBind {
    fn operation(&self) -> &'static str {
        "packet-bind"
    }
    fn action(&self) -> Action {
        Action::BoundPacketSocket
    }
    fn types(&self) -> &'static [&'static str] {
        &["start"]
    }
    fn outcome(&self) -> Outcome {
        self.outcome
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = matches!(self.outcome, Outcome::Failure(_));
        f.write_str(if failed { "failed to capture " } else { "captures " })?;
        match family::protocol(libc::AF_PACKET as u16, self.protocol) {
            Some(name) => write!(f, "{name} frames")?,
            None => write!(f, "frames of type {:#06x}", self.protocol)?,
        }
        match self.interface {
            0 => write!(f, " on all interfaces")?,
            index => write!(f, " on interface {index}")?,
        }
        errno::suffix(f, self.outcome.errno())
    }
}

/// A classic BPF filter was attached to a socket.
#[derive(Clone, Debug)]
pub struct SocketFilter {
    /// Its length in instructions.
    pub instructions: u32,
    /// SHA-256 of the instructions as the kernel keeps them, eight bytes each in
    /// this machine's byte order; `None` when the filter was too long to carry.
    pub sha256: Option<String>,
}

impl Told for SocketFilter {
    fn operation(&self) -> &'static str {
        "socket-filter"
    }
    fn action(&self) -> Action {
        Action::AttachedSocketFilter
    }
    fn types(&self) -> &'static [&'static str] {
        &["info"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attached a BPF filter of {} instructions to a socket", self.instructions)
    }
}
