//! `listen(2)`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Repeats, Socket, Subject};

/// A TCP socket began to listen.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Listen {
    /// Local address.
    pub address: Address,
    /// Local port, host order; 0 when the kernel chooses it after this point
    /// (listen without bind: `inet_csk_listen_start` binds after the state change).
    pub port: u16,
    /// Bits of [`reuse`](crate::reuse).
    pub reuse: u16,
    /// Length of the accept queue that was asked for.
    pub backlog: u32,
    /// The socket.
    pub socket: Socket,
    /// Index of the interface it is bound to (`SO_BINDTODEVICE`), or 0.
    pub interface: u32,
}

impl Repeats for Listen {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.address, port: self.port.into(), detail: self.socket.protocol }
    }
}
