//! The kernel's copy of an IP address that a process handed to it, in tracing
//! programs. It is copied once more because its BTF type, `struct sockaddr`, ends
//! before IPv6's address does.

use core::ffi::c_void;

use hostnet_abi::{Address, v4_mapped};

use crate::read::copied;

/// A `struct sockaddr_in` or `sockaddr_in6`, as its family says.
pub struct SockAddr {
    at: u64,
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
    pub fn read(uaddr: *const c_void) -> Self {
        let at = uaddr as u64;
        Self { at, start: copied(at, 0) }
    }

    #[inline(always)]
    pub fn family(&self) -> u16 {
        self.start.family
    }

    /// Host order.
    #[inline(always)]
    pub fn port(&self) -> u32 {
        u16::from_be(self.start.port).into()
    }

    /// The address of a `sockaddr_in`.
    #[inline(always)]
    pub fn v4(&self) -> Address {
        v4_mapped(self.start.address)
    }

    /// The address of a `sockaddr_in6`.
    #[inline(always)]
    pub fn v6(&self) -> Address {
        copied(self.at, size_of::<Start>())
    }
}
