//! An inbound TCP connection.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Repeats, Socket, Subject, repeat::of_socket};

/// A connection reached ESTABLISHED on the listening side.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Accept {
    /// Cookie of the listening socket it came through, 0 when that socket
    /// listened before the programs were attached.
    pub listener: u64,
    /// Local address.
    pub local: Address,
    /// Remote address.
    pub remote: Address,
    /// Local port, host order.
    pub local_port: u16,
    /// Remote port, host order.
    pub remote_port: u16,
    /// Explicit padding, zero.
    pub padding: u32,
    /// The socket.
    pub socket: Socket,
}

impl Repeats for Accept {
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.remote, port: self.local_port.into(), detail: 0 }
    }
}

/// A process took an accepted connection; the header's cookie is the connection's.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct AcceptTaken {
    /// The connection.
    pub socket: Socket,
}

impl Repeats for AcceptTaken {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, 0)
    }
}
