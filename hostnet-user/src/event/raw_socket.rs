//! A raw IP socket.

use std::fmt;

use super::{Action, Told};

/// A raw IP socket was opened.
#[derive(Clone, Debug)]
pub struct RawSocket {
    /// IP protocol number.
    pub protocol: u32,
}

impl Told for RawSocket {
    fn operation(&self) -> &'static str {
        "raw-socket"
    }
    fn action(&self) -> Action {
        Action::OpenedRawSocket
    }
    fn types(&self) -> &'static [&'static str] {
        &["start"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            1 => write!(f, "opened a raw ICMP socket"),
            58 => write!(f, "opened a raw ICMPv6 socket"),
            255 => write!(f, "opened a raw socket that writes its own IP headers"),
            protocol => write!(f, "opened a raw socket for IP protocol {protocol}"),
        }
    }
}
