//! UDP without a connection: the first datagram per socket and peer, and the end.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Repeats, Socket, Subject};

/// Values of [`Datagram::direction`].
pub mod direction {
    /// The socket sent first.
    pub const SENT: u16 = 1;
    /// The peer sent first.
    pub const RECEIVED: u16 = 2;
}

/// Values of [`Datagram::counting`].
pub mod counting {
    /// Datagrams with the peer are counted apart.
    pub const APART: u16 = 0;
    /// So they are; those with further peers of the socket are counted together.
    pub const LAST_APART: u16 = 1;
    /// They are not.
    pub const NOT_APART: u16 = 2;
}

/// The first datagram between a socket and a peer.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Datagram {
    /// The peer.
    pub remote: Address,
    /// Of what was sent, the address it is sent from; of what was received, the
    /// address the socket is bound to. Unspecified where the kernel chooses by its
    /// routes, or takes what comes to any address.
    pub local: Address,
    /// The peer's port, host order.
    pub remote_port: u16,
    /// Local port, host order.
    pub local_port: u16,
    /// [`direction::SENT`] or [`direction::RECEIVED`].
    pub direction: u16,
    /// One of [`counting`].
    pub counting: u16,
    /// The socket.
    pub socket: Socket,
}

impl Repeats for Datagram {
    #[inline(always)]
    fn subject(&self) -> Subject {
        let detail = self.direction.into();
        Subject { address: self.remote, port: self.remote_port.into(), detail }
    }
}

/// A UDP socket was released. The counts per peer are in the FLOWS map.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct DatagramClose {
    /// Datagrams sent to peers that were not counted apart.
    pub others_sent: u64,
    /// Datagrams received from such.
    pub others_received: u64,
    /// Local address.
    pub local: Address,
    /// Local port, host order.
    pub local_port: u32,
    /// The socket.
    pub socket: Socket,
    /// Explicit padding, zero.
    pub padding: u32,
}

impl Repeats for DatagramClose {
    // It does when the socket was bound, as its program sees.
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.local, port: self.local_port, detail: 0 }
    }
}
