//! Packet sockets: what they are bound to and which filter they carry.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Repeats, Socket, Subject, repeat::of_socket};

/// Most bytes of a filter carried: 256 instructions.
pub const MAX_FILTER: usize = 2048;

/// A packet socket was bound to an interface or a protocol.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PacketBind {
    /// The socket; its protocol is the bound `ETH_P_*`.
    pub socket: Socket,
    /// Index of the interface, 0 for all of them.
    pub interface: u32,
    /// errno of the refusal, 0 when it was bound.
    pub errno: u32,
}

impl Repeats for PacketBind {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.interface)
    }
}

/// A classic BPF filter was attached to a socket. The tail is the program as the
/// kernel keeps it, eight bytes an instruction, at most [`MAX_FILTER`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SocketFilter {
    /// The socket that carries it.
    pub socket: Socket,
    /// Instructions of the filter.
    pub instructions: u32,
    /// Explicit padding, zero.
    pub padding: u32,
}

impl Repeats for SocketFilter {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.instructions)
    }
}
