//! The end of a TCP connection, or of a listener.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Socket};

/// A TCP socket reached CLOSE.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Close {
    /// Payload bytes sent, retransmissions not counted twice.
    pub sent: u64,
    /// Payload bytes received, the FIN not counted.
    pub received: u64,
    /// Local address.
    pub local: Address,
    /// Remote address.
    pub remote: Address,
    /// Local port, host order.
    pub local_port: u16,
    /// Remote port, host order.
    pub remote_port: u16,
    /// `sk_err`: a positive errno such as ECONNRESET, or 0.
    pub errno: u16,
    /// The state left (`TCP_LISTEN` is 10).
    pub from_state: u16,
    /// The socket.
    pub socket: Socket,
}
