//! `connect(2)`: the attempt in the caller's context, the outcome whenever it comes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Repeats, Socket, Subject};

/// The address the kernel is about to connect to.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Connect {
    /// Remote address, the kernel's copy.
    pub address: Address,
    /// Remote port, host order.
    pub port: u32,
    /// The socket.
    pub socket: Socket,
}

impl Repeats for Connect {
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.address, port: self.port, detail: self.socket.protocol }
    }
}

/// Values of [`ConnectOutcome::established`].
pub mod established {
    /// It failed.
    pub const NO: u16 = 0;
    /// It is established.
    pub const YES: u16 = 1;
    /// The other end connects to this one at the same time, without a listener: an
    /// outcome follows. From here on both addresses are known.
    pub const NOT_YET: u16 = 2;
}

/// A TCP connect came to an end, or to the moment at which both its ends are known.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ConnectOutcome {
    /// Local address.
    pub local: Address,
    /// Remote address of the established socket.
    pub remote: Address,
    /// Local port, host order.
    pub local_port: u16,
    /// Remote port, host order.
    pub remote_port: u16,
    /// One of [`established`].
    pub established: u16,
    /// `sk_err`: a positive errno, 0 when established or when the kernel keeps none.
    pub errno: u16,
    /// The socket.
    pub socket: Socket,
}

impl Repeats for ConnectOutcome {
    #[inline(always)]
    fn subject(&self) -> Subject {
        let detail = (self.established as u32) << 16 | self.errno as u32;
        Subject { address: self.remote, port: self.remote_port.into(), detail }
    }
}
