//! `bind(2)`: what was asked, and what the kernel gave.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Repeats, Socket, Subject, repeat::of_socket};

/// Bits of [`Bind::reuse`], as `struct sock_common` keeps them.
pub mod reuse {
    /// `SO_REUSEADDR` (`skc_reuse:4` is not zero).
    pub const ADDRESS: u32 = 0x0f;
    /// `SO_REUSEPORT` (`skc_reuseport:1`).
    pub const PORT: u32 = 0x10;
    /// `IPV6_V6ONLY` (`skc_ipv6only:1`).
    pub const V6_ONLY: u32 = 0x20;
    /// Somebody's socket, not one of the kernel's own (`skc_net_refcnt:1`), of
    /// which no hook shows the end.
    pub const OF_PROCESS: u32 = 0x40;
}

/// The address a task asked for; the kernel may still refuse it.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct BindAsked {
    /// Requested address.
    pub address: Address,
    /// Requested port, host order; 0 asks the kernel to choose.
    pub port: u32,
    /// The socket.
    pub socket: Socket,
}

/// Without the success that follows it would be told as a failure. One that is new and
/// succeeds is told by its success.
impl Repeats for BindAsked {
    const IS_TOLD_ALONE: bool = false;
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.address, port: self.port, detail: self.socket.protocol }
    }
}

/// The address the kernel gave: the bind succeeded.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Bind {
    /// Local address after the bind.
    pub address: Address,
    /// Local port after the bind, host order.
    pub port: u32,
    /// The socket.
    pub socket: Socket,
    /// Bits of [`reuse`].
    pub reuse: u32,
    /// Index of the interface it is bound to (`SO_BINDTODEVICE`), or 0.
    pub interface: u32,
}

impl Repeats for Bind {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.address, port: self.port, detail: self.socket.protocol }
    }
}

/// The kernel refused the bind that was asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct BindRefused {
    /// The socket.
    pub socket: Socket,
    /// Why.
    pub errno: u32,
}

impl Repeats for BindRefused {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.errno)
    }
}
