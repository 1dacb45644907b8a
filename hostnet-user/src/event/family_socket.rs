//! A socket of another kind than TCP, UDP and unix.

use std::fmt;

use super::{Action, Colour, Common, Documented, Info, NoFields, NotOurs, Surface, Told};
use crate::event::family;

const IPPROTO_SCTP: u32 = 132;

/// It was opened; or first used, where opening cannot be seen.
#[derive(Clone, Copy, Debug)]
pub struct FamilySocket {
    /// Family, type and protocol.
    pub socket: hostnet_abi::Socket,
}

impl Told for FamilySocket {
    fn info(&self) -> Info {
        Info::new(
            Self::OPERATIONS[0],
            match i32::from(self.socket.family) {
                libc::AF_PACKET => Action::OpenedPacketSocket,
                libc::AF_NETLINK => Action::OpenedNetlinkSocket,
                libc::AF_VSOCK => Action::OpenedVsockSocket,
                libc::AF_XDP => Action::OpenedXdpSocket,
                libc::AF_ALG => Action::OpenedAlgSocket,
                libc::AF_INET | libc::AF_INET6 if self.socket.protocol == IPPROTO_SCTP => {
                    Action::OpenedSctpSocket
                }
                _ => Action::OpenedOtherSocket,
            },
            &["start"],
            Colour::Magenta,
        )
        .aimed_at(Surface::of_family(self.socket.family).unwrap_or(Surface::Other))
    }
    fn short(&self) -> &'static str {
        "socket"
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hostnet_abi::Socket { family, protocol, .. } = self.socket;
        match family::protocol(family, protocol) {
            Some(name) => write!(f, "opened a socket: {} {name}", family::name(family)),
            None => write!(
                f,
                "opened a socket: {} (family {family}, protocol {protocol})",
                family::name(family)
            ),
        }
    }
}

impl Documented for FamilySocket {
    const OPERATIONS: &'static [&'static str] = &["family-socket"];
    no_fields!();
    fn read(_: NoFields, common: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self { socket: common.socket()? })
    }
}
