//! The canary's memberships: groups of the loopback interface alone, of which no packet
//! tells anybody.

use std::{
    io,
    mem::size_of,
    net::{Ipv4Addr, Ipv6Addr, UdpSocket},
    os::fd::AsRawFd,
};

use anyhow::{Context, Result};

/// Index of the loopback interface in every network namespace.
const LOOPBACK: u32 = 1;
/// All hosts of the link: every interface is a member anyway (RFC 1112, RFC 4291).
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 1);
/// include/uapi/linux/in.h
const MCAST_JOIN_SOURCE_GROUP: libc::c_int = 46;

/// Joins a group for any source, and on another socket for one.
pub fn ipv4() -> Result<()> {
    let lo = Ipv4Addr::LOCALHOST;
    let any = UdpSocket::bind((lo, 0)).context("cannot bind a UDP socket")?;
    any.join_multicast_v4(&ALL_HOSTS, &lo).context("cannot join a multicast group")?;
    let one = UdpSocket::bind((lo, 0)).context("cannot bind a UDP socket")?;
    let ip = |ip: Ipv4Addr| libc::in_addr { s_addr: u32::from(ip).to_be() };
    let asked = libc::ip_mreq_source {
        imr_multiaddr: ip(ALL_HOSTS),
        imr_interface: ip(lo),
        imr_sourceaddr: ip(lo),
    };
    set(&one, (libc::IPPROTO_IP, libc::IP_ADD_SOURCE_MEMBERSHIP), &asked)
        .context("cannot join a multicast group for one source")
}

/// `struct group_source_req` (include/uapi/linux/in.h).
#[repr(C)]
struct GroupAndSource {
    interface: u32,
    padding: u32,
    group: libc::sockaddr_storage,
    source: libc::sockaddr_storage,
}

/// The same of IPv6.
pub fn ipv6() -> Result<()> {
    let lo = Ipv6Addr::LOCALHOST;
    let any = UdpSocket::bind((lo, 0)).context("cannot bind a UDP socket")?;
    any.join_multicast_v6(&ALL_NODES, LOOPBACK).context("cannot join a multicast group")?;
    let one = UdpSocket::bind((lo, 0)).context("cannot bind a UDP socket")?;
    let asked = GroupAndSource {
        interface: LOOPBACK,
        padding: 0,
        group: storage(ALL_NODES),
        source: storage(lo),
    };
    set(&one, (libc::IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP), &asked)
        .context("cannot join a multicast group for one source")
}

fn storage(ip: Ipv6Addr) -> libc::sockaddr_storage {
    // SAFETY: all-zero bytes are a valid address of no family.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let address = (&raw mut storage).cast::<libc::sockaddr_in6>();
    // SAFETY: the storage is larger than, and aligned for, an address of every family.
    unsafe {
        (*address).sin6_family = libc::AF_INET6 as libc::sa_family_t;
        (*address).sin6_addr.s6_addr = ip.octets();
    }
    storage
}

fn set<T>(socket: &UdpSocket, (level, name): (i32, i32), value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: the option is read from `value`, whose length is given.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
