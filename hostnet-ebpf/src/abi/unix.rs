//! Unix sockets, in the abstract namespace that a network namespace shares and
//! in the file system.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Socket;

/// Longest `sun_path` (include/uapi/linux/un.h).
pub const MAX_SUN_PATH: usize = 108;

/// Values of [`Unix::operation`].
pub mod unix_operation {
    /// `connect(2)`; the name is the peer's.
    pub const CONNECT: u16 = 1;
    /// `bind(2)`; the name is the socket's own.
    pub const BIND: u16 = 2;
    /// `listen(2)`; the name is the socket's own.
    pub const LISTEN: u16 = 3;
    /// `accept(2)`; the name is the listener's.
    pub const ACCEPT: u16 = 4;
    /// A datagram to a name.
    pub const SEND: u16 = 5;
    /// First use of a datagram socket that has a name.
    pub const USE: u16 = 6;
}

/// An operation of a unix socket.
///
/// The name is always as long as it may be, because a record is reserved before
/// its length is known; bytes beyond `name_length` are whatever was in the ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Unix {
    /// The socket.
    pub socket: Socket,
    /// One of [`unix_operation`].
    pub operation: u16,
    /// errno of the refusal, 0 when the kernel did it.
    pub errno: u16,
    /// Length of the name.
    pub name_length: u16,
    /// Length of the accept queue that was asked for; listen only.
    pub backlog: u16,
    /// `sun_path`; an abstract name begins with NUL.
    pub name: [u8; MAX_SUN_PATH],
    /// Explicit padding.
    pub padding: u32,
}
