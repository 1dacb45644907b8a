//! Unix sockets, in the abstract namespace that a network namespace shares and
//! in the file system.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Socket;

/// Longest `sun_path` (include/uapi/linux/un.h).
pub const MAX_SUN_PATH: usize = 108;

/// Words that a name has room in.
pub const NAME_WORDS: usize = MAX_SUN_PATH.div_ceil(8);

/// A number that tells names apart, by secret keys: two names of anybody's choice have the
/// same once in 2^32 (NH of UMAC, RFC 4418: sums of products of keyed halves).
#[inline(always)]
pub fn name_hash(words: &[u64; NAME_WORDS], length: u32, key: impl Fn(usize) -> u64) -> u64 {
    let mut sum = u64::from(length).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for (index, word) in words.iter().enumerate() {
        let key = key(index);
        let low = (*word as u32).wrapping_add(key as u32);
        let high = ((word >> 32) as u32).wrapping_add((key >> 32) as u32);
        sum = sum.wrapping_add(u64::from(low).wrapping_mul(u64::from(high)));
    }
    sum
}

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

/// An operation of a unix socket, and who is at its other end.
///
/// Of a connection the kernel itself keeps who that is (`SO_PEERCRED`): for the
/// end that connects the process that called listen(2), for the end that was
/// accepted the one that called connect(2). A connected datagram socket knows
/// only the other socket, and thereby the cgroup that was made in.
///
/// The name is always as long as it may be, because a record is reserved before
/// its length is known; bytes beyond `name_length` are whatever was in the ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Unix {
    /// Cgroup-v2 id at the other end, 0 when it is not known.
    pub peer_cgroup: u64,
    /// Process id at the other end in the host's pid namespace, 0 when it is not
    /// known or that process has ended.
    pub peer_tgid: u32,
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
}
