//! The end of a TCP connection, or of a listener.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Repeats, Socket, Subject};

/// `TCP_LISTEN` (include/net/tcp_states.h).
const TCP_LISTEN: u16 = 10;

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

impl Close {
    /// Whether it is the end of a listener.
    #[inline(always)]
    #[must_use]
    pub const fn is_of_listener(&self) -> bool {
        self.from_state == TCP_LISTEN
    }
}

impl Repeats for Close {
    /// The end of a listener, who can then no longer be at the other end.
    #[inline(always)]
    fn carries_state(&self) -> bool {
        self.is_of_listener()
    }
    /// Which end connected is not known here; services have the lower port.
    #[inline(always)]
    fn subject(&self) -> Subject {
        let (local, remote) = (self.local_port, self.remote_port);
        let service = if remote == 0 || local < remote { local } else { remote };
        let detail = self.is_of_listener() as u32;
        Subject { address: self.remote, port: service.into(), detail }
    }
}
