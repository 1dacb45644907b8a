//! Multicast groups joined, by the kernel's own copy of what was asked for.
//!
//! Every way to join ends in one of four functions (5.10–7.3):
//! `ip_mc_join_group(struct sock *sk, struct ip_mreqn *imr)` (net/ipv4/igmp.c;
//! `IP_ADD_MEMBERSHIP`, `MCAST_JOIN_GROUP`) and
//! `ipv6_sock_mc_join(struct sock *sk, int ifindex, const struct in6_addr *addr)`
//! (net/ipv6/mcast.c; `IPV6_ADD_MEMBERSHIP`, `MCAST_JOIN_GROUP`) for any source;
//! `ip_mc_source(int add, int omode, struct sock *sk, struct ip_mreq_source *mreqs, int ifindex)`
//! and `ip6_mc_source(int add, int omode, struct sock *sk, struct group_source_req *pgsr)`
//! for one (`IP_ADD_SOURCE_MEMBERSHIP`, `MCAST_JOIN_SOURCE_GROUP`), which also block,
//! unblock and leave.

use core::ffi::c_void;

use aya_ebpf::{macros::fexit, programs::FExitContext};
use hostnet_abi::{Address, Hook, MulticastJoin, v4_mapped};

use crate::{
    read::{copied, field, returned},
    ring::emit,
    settings::offset,
    sock::{ends_of, origin_of, socket_of},
};

/// include/uapi/linux/in.h
const MCAST_INCLUDE: i32 = 1;

/// Any source.
const ANY: Address = [0; 4];

#[fexit]
pub fn ip_mc_join_group(ctx: FExitContext) -> i32 {
    // struct ip_mreqn: group, address, interface, which the kernel has filled in.
    let asked = ctx.arg::<*const c_void>(1) as u64;
    if returned(&ctx) == 0 {
        let interface: i32 = copied(asked, 8);
        joined(Hook::IpMcJoinGroup, ctx.arg(0), v4_mapped(copied(asked, 0)), ANY, interface);
    }
    0
}

#[fexit]
pub fn ipv6_sock_mc_join(ctx: FExitContext) -> i32 {
    let asked = ctx.arg::<*const c_void>(2) as u64;
    if returned(&ctx) == 0 {
        joined(Hook::Ipv6SockMcJoin, ctx.arg(0), copied(asked, 0), ANY, ctx.arg(1));
    }
    0
}

#[fexit]
pub fn ip_mc_source(ctx: FExitContext) -> i32 {
    // struct ip_mreq_source: group, interface's address, source.
    let asked = ctx.arg::<*const c_void>(3) as u64;
    if adds_a_source(&ctx) {
        let (group, source) = (v4_mapped(copied(asked, 0)), v4_mapped(copied(asked, 8)));
        joined(Hook::IpMcSource, ctx.arg(2), group, source, ctx.arg(4));
    }
    0
}

#[fexit]
pub fn ip6_mc_source(ctx: FExitContext) -> i32 {
    // struct group_source_req: interface, and two sockaddr_storage of 128 bytes at 8
    // and 136, with struct sockaddr_in6 in them: the address is 8 bytes behind.
    let asked = ctx.arg::<*const c_void>(3) as u64;
    if adds_a_source(&ctx) {
        let interface: i32 = copied(asked, 0);
        let (group, source) = (copied(asked, 8 + 8), copied(asked, 136 + 8));
        joined(Hook::Ip6McSource, ctx.arg(2), group, source, interface);
    }
    0
}

/// Whether a source was added to those that the socket hears.
#[inline(always)]
fn adds_a_source(ctx: &FExitContext) -> bool {
    let (add, mode): (i32, i32) = (ctx.arg(0), ctx.arg(1));
    add == 1 && mode == MCAST_INCLUDE && returned(ctx) == 0
}

#[inline(always)]
fn joined(hook: Hook, sk: *const c_void, group: Address, source: Address, interface: i32) {
    let Some(origin) = origin_of(hook, sk) else { return };
    let socket = socket_of(sk);
    let local = ends_of(sk, socket.family).local;
    // SAFETY: a BTF-typed socket and the kernel's offset.
    let port: u16 = unsafe { field(sk, offset!(sock_num)) };
    let (local_port, interface) = (port.into(), interface as u32);
    emit(origin, MulticastJoin { group, source, local, local_port, interface, socket });
}
