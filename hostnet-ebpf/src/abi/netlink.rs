//! Netlink: what a process asks the kernel to change or to report.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Socket;

/// A message that asks the kernel to change something.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetlinkRequest {
    /// The socket; its protocol says which part of the kernel is asked.
    pub socket: Socket,
    /// `nlmsg_type`, such as `RTM_NEWADDR`.
    pub message: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// Bytes of the buffer from this message on, when it is one more than are
    /// looked at: whatever it and those behind it ask for. Else 0.
    pub unread: u32,
}

/// A netlink socket joined multicast groups by `bind(2)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetlinkBind {
    /// The socket.
    pub socket: Socket,
    /// The first 32 groups as a mask, group 1 in the lowest bit.
    pub groups: u32,
}
