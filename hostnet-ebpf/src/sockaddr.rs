//! The kernel's copy of an IP address that a process handed to it, in tracing
//! programs. It is copied once more because its BTF type, `struct sockaddr`, ends
//! before IPv6's address does.

use core::ffi::c_void;

use hostnet_abi::{Address, v4_mapped};

use crate::{
    read::copied,
    sock::{AF_INET, AF_INET6},
};

/// `sizeof(struct sockaddr_in)`, and the least of a `sockaddr_in6` that the kernel takes
/// (`SIN6_LEN_RFC2133`, include/net/ipv6.h). What is behind a shorter one is whatever was
/// in the kernel's memory.
const SIN_LENGTH: i32 = 16;
const SIN6_LENGTH: i32 = 24;

/// A `struct sockaddr_in` or `sockaddr_in6`, as its family and its length say.
pub struct SockAddr {
    at: u64,
    length: i32,
    start: Start,
}

/// How `struct sockaddr_in` begins (include/uapi/linux/in.h); in `sockaddr_in6` a
/// flow label stands where the address is here, and the address follows.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Start {
    family: u16,
    port: u16,
    address: u32,
}

impl SockAddr {
    #[inline(always)]
    pub fn read(uaddr: *const c_void, length: i32) -> Self {
        let at = uaddr as u64;
        Self { at, length, start: copied(at, 0) }
    }

    /// Host order.
    #[inline(always)]
    pub fn port(&self) -> u32 {
        u16::from_be(self.start.port).into()
    }

    /// The address, when it is a whole `sockaddr_in`.
    #[inline(always)]
    pub fn v4(&self) -> Option<Address> {
        let is_whole = self.start.family == AF_INET && self.length >= SIN_LENGTH;
        is_whole.then(|| v4_mapped(self.start.address))
    }

    /// The address, when it is a whole `sockaddr_in6`.
    #[inline(always)]
    pub fn v6(&self) -> Option<Address> {
        let is_whole = self.start.family == AF_INET6 && self.length >= SIN6_LENGTH;
        is_whole.then(|| copied(self.at, size_of::<Start>()))
    }

    /// The address, when a socket of this family takes it: one of IPv6 takes either.
    #[inline(always)]
    pub fn address_for(&self, family: u16) -> Option<Address> {
        self.v4().or_else(|| if family == AF_INET6 { self.v6() } else { None })
    }
}
