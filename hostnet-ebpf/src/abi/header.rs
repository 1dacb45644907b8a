//! What every record starts with, and the two small shapes payloads share.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An IPv6 address as four words in network byte order, as the kernel holds it.
/// IPv4 is written v4-mapped ([`v4_mapped`]); the socket's family tells which
/// of the two the application used.
pub type Address = [u32; 4];

/// The third word of a v4-mapped address (`::ffff:0:0/96`) in network order.
pub const V4_MAPPED_PREFIX: u32 = 0xffff_u32.to_be();

/// `address` (network byte order) as a v4-mapped [`Address`].
#[inline(always)]
#[must_use]
pub const fn v4_mapped(address: u32) -> Address {
    [0, 0, V4_MAPPED_PREFIX, address]
}

/// Starts every record: 56 bytes.
///
/// The task fields say who *acted* and are zero where the kernel ran the hook
/// in somebody else's context (softirq); the socket fields are zero for records
/// that are about a task or a cgroup. The network namespace is not here: the
/// programs end before this point unless it is the host's.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Header {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub boot_ns: u64,
    /// Cgroup-v2 id of the acting task, 0 when nobody can be blamed.
    pub task_cgroup: u64,
    /// Cgroup-v2 id the socket was created in, 0 when not about a socket.
    pub socket_cgroup: u64,
    /// The socket's cookie, never reused until reboot.
    pub cookie: u64,
    /// Process (thread-group) id in the host's pid namespace.
    pub tgid: u32,
    /// Thread id in the host's pid namespace.
    pub tid: u32,
    /// Real user id in the host's user namespace.
    pub uid: u32,
    /// Real group id in the host's user namespace.
    pub gid: u32,
    /// An `EventKind`, unchecked.
    pub kind: u16,
    /// A `Hook`, unchecked.
    pub hook: u16,
    /// Length of the whole record in bytes, tail included.
    pub length: u32,
}

/// What `socket(2)` was asked for.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Socket {
    /// Address family, `AF_INET` (2) or `AF_INET6` (10).
    pub family: u16,
    /// `SOCK_STREAM` (1), `SOCK_DGRAM` (2), `SOCK_RAW` (3).
    pub kind: u16,
    /// IP protocol number; wider than a byte because MPTCP is 262.
    pub protocol: u32,
}
