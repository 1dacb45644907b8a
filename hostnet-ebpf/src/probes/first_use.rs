//! Sockets beyond IP at their first send or receive, and connected UDP sockets at
//! their first send, for kernels that refuse the programs of `Set::Families`.
//!
//! `sock_send_length(struct sock *sk, int ret, int flags)` and
//! `sock_recv_length(struct sock *sk, int ret, int flags)`
//! (include/trace/events/sock.h, 6.3–7.3), called for every socket's sends and
//! receives: an IP socket's must cost nothing but the look at its family, and of a
//! send at its protocol.

use core::ffi::c_void;

use aya_ebpf::{
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use hostnet_abi::{FamilySocket, Hook, PacketBind, unix_operation};

use super::{connected_udp, packet::bound_to};
use crate::{
    netns,
    origin::Origin,
    owner::Owner,
    read::field,
    ring::emit,
    settings::offset,
    sock::{AF_INET, AF_INET6, AF_PACKET, AF_UNIX, SOCK_DGRAM, origin_in, socket_of},
    storage::{NOT_CLONED, SocketStorage},
    task::current_cgroup,
    unix_name::{Operation, emit_unix, own_name, peer_name},
    unix_peer::Peer,
};

/// What became of a socket's first use: [`TOLD`], or the cgroup of the host
/// process that used it last. A socket that is handed to a container is told then.
#[btf_map]
static USED: SocketStorage<u64, NOT_CLONED> = SocketStorage::new();

/// No cgroup has this id.
const TOLD: u64 = u64::MAX;

#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length(ctx: BtfTracePointContext) -> i32 {
    let sk: *const c_void = ctx.arg(0);
    let family = family_of(sk);
    if matches!(family, AF_INET | AF_INET6) {
        connected_udp::sent(Hook::SockSendLength, sk, family, ctx.arg(1));
    } else {
        used(Hook::SockSendLength, sk, family);
    }
    0
}

#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length(ctx: BtfTracePointContext) -> i32 {
    let sk: *const c_void = ctx.arg(0);
    let family = family_of(sk);
    if !matches!(family, AF_INET | AF_INET6) {
        used(Hook::SockRecvLength, sk, family);
    }
    0
}

#[inline(always)]
fn family_of(sk: *const c_void) -> u16 {
    // SAFETY: a BTF-typed socket and the kernel's offset.
    unsafe { field(sk, offset!(sock_family)) }
}

#[inline(always)]
fn used(hook: Hook, sk: *const c_void, family: u16) {
    if !netns::sock_is_host(sk) {
        return;
    }
    let cgroup = current_cgroup();
    let used = USED.get(sk);
    // SAFETY: a live value of the storage map, checked for null.
    if !used.is_null() && matches!(unsafe { *used }, by if by == TOLD || by == cgroup) {
        return;
    }
    let owner = Owner::of(cgroup);
    let is_told = owner.is_told();
    let mut by = if is_told { TOLD } else { cgroup };
    if used.is_null() {
        // Without memory for the mark the next use is told again.
        let _marked = USED.get_or_create(sk, &mut by);
    } else {
        // SAFETY: as above.
        unsafe { *used = by };
    }
    if !is_told {
        return;
    }
    let origin = origin_in(owner, hook, sk);
    match family {
        AF_UNIX => unix_used(origin, sk),
        AF_PACKET => {
            let (socket, interface) = bound_to(sk);
            emit(origin, FamilySocket { socket });
            emit(origin, PacketBind { socket, interface, errno: 0 });
        }
        _ => {
            emit(origin, FamilySocket { socket: socket_of(sk) });
        }
    }
}

/// A connection's ends are told apart by their names: the accepted one has its
/// listener's, the connecting one rarely has any. A pair has none and is private.
#[inline(always)]
fn unix_used(origin: Origin, sk: *const c_void) {
    let (own, peer) = (own_name(sk), peer_name(sk));
    let socket = socket_of(sk);
    let (operation, name) = if !peer.is_none() {
        (unix_operation::CONNECT, peer)
    } else if own.is_none() {
        return;
    } else if u32::from(socket.kind) == SOCK_DGRAM {
        (unix_operation::USE, own)
    } else {
        (unix_operation::ACCEPT, own)
    };
    let peer = if operation == unix_operation::USE { Peer::NONE } else { Peer::of(sk) };
    emit_unix::<true>(origin, Operation { socket, operation, errno: 0, backlog: 0, peer }, &name);
}
