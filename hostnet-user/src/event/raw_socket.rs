//! A raw IP socket.

use std::fmt;

use super::{Action, Colour, Common, Documented, Info, NoFields, NotOurs, Surface, Told};

/// A raw IP socket was opened.
#[derive(Clone, Debug)]
pub struct RawSocket {
    /// IP protocol number.
    pub protocol: u32,
}

impl Told for RawSocket {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::OpenedRawSocket, &["start"], Colour::Magenta)
            .aimed_at(Surface::Raw)
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

impl Documented for RawSocket {
    const OPERATIONS: &'static [&'static str] = &["raw-socket"];
    no_fields!();
    fn read(_: NoFields, common: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self { protocol: common.socket()?.protocol })
    }
}
