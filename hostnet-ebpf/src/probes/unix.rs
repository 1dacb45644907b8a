//! Unix sockets as they connect, bind, listen, accept and send to a name.
//!
//! `unix_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags)`,
//! `unix_dgram_connect`, `unix_bind(struct socket *sock, struct sockaddr *uaddr, int addr_len)`,
//! `unix_listen(struct socket *sock, int backlog)`,
//! `unix_accept(struct socket *sock, struct socket *newsock, …)` and
//! `unix_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)`
//! (net/unix/af_unix.c, 5.10–7.3). The address is the kernel's copy.

use core::ffi::c_void;

use aya_ebpf::{
    macros::{btf_map, fexit},
    programs::FExitContext,
};
use hostnet_abi::{Hook, unix_operation};

use crate::{
    read::{field, returned},
    settings::offset,
    sock::{SOCK_DGRAM, origin_of, sk_of, socket_of},
    storage::{NOT_CLONED, SocketStorage},
    unix_name::{Name, Operation, emit_unix, fingerprint, own_name, peer_name},
    unix_peer::Peer,
};

/// The name a socket sent to last: only another one is told. [`TO_PEER`] for the one that
/// connect(2) set, of which the first datagram is told.
#[btf_map]
static LAST_DESTINATION: SocketStorage<u64, NOT_CLONED> = SocketStorage::new();

/// The fingerprint of no name.
const TO_PEER: u64 = u64::MAX;

#[fexit]
pub fn unix_stream_connect(ctx: FExitContext) -> i32 {
    connected(Hook::UnixStreamConnect, &ctx);
    0
}

#[fexit]
pub fn unix_dgram_connect(ctx: FExitContext) -> i32 {
    let last = LAST_DESTINATION.get(sk_of(ctx.arg(0)));
    if !last.is_null() {
        // SAFETY: a live value of the storage map, checked for null.
        unsafe { *last = 0 };
    }
    connected(Hook::UnixDgramConnect, &ctx);
    0
}

#[inline(always)]
fn connected(hook: Hook, ctx: &FExitContext) {
    let name = Name::of_sockaddr(ctx.arg(1), ctx.arg(2));
    tell(hook, sk_of(ctx.arg(0)), unix_operation::CONNECT, name, returned(ctx), 0);
}

#[fexit]
pub fn unix_bind(ctx: FExitContext) -> i32 {
    let sk = sk_of(ctx.arg(0));
    let result = returned(&ctx);
    // An autobind has no name before the kernel has chosen it.
    let name = if result == 0 { own_name(sk) } else { Name::of_sockaddr(ctx.arg(1), ctx.arg(2)) };
    tell(Hook::UnixBind, sk, unix_operation::BIND, name, result, 0);
    0
}

#[fexit]
pub fn unix_listen(ctx: FExitContext) -> i32 {
    let sk = sk_of(ctx.arg(0));
    let backlog: i32 = ctx.arg(1);
    let (name, result) = (own_name(sk), returned(&ctx));
    tell(Hook::UnixListen, sk, unix_operation::LISTEN, name, result, backlog as u16);
    0
}

#[fexit]
pub fn unix_accept(ctx: FExitContext) -> i32 {
    if returned(&ctx) == 0 {
        let sk = sk_of(ctx.arg(1));
        tell(Hook::UnixAccept, sk, unix_operation::ACCEPT, own_name(sk), 0, 0);
    }
    0
}

#[fexit]
pub fn unix_dgram_sendmsg(ctx: FExitContext) -> i32 {
    let msg: *const c_void = ctx.arg(1);
    // SAFETY: a BTF-typed message and the kernel's offsets.
    let (address, length): (u64, i32) =
        unsafe { (field(msg, offset!(msghdr_name)), field(msg, offset!(msghdr_namelen))) };
    let sk = sk_of(ctx.arg(0));
    let result = returned(&ctx);
    let is_to_peer = address == 0 || length <= 0;
    // Connected sockets of packets in sequence come by here, too. What fails without an
    // address had no peer.
    if is_to_peer && (result < 0 || u32::from(kind_of(sk)) != SOCK_DGRAM) {
        return 0;
    }
    if origin_of(Hook::UnixDgramSendmsg, sk).is_none() {
        return 0;
    }
    let last = LAST_DESTINATION.get(sk);
    // SAFETY: a live value of the storage map, checked for null.
    if is_to_peer && !last.is_null() && unsafe { *last } == TO_PEER {
        return 0;
    }
    let name = if is_to_peer {
        peer_name(sk)
    } else {
        Name::of_sockaddr(address as *const c_void, length)
    };
    // One end of a pair: nobody else can have it.
    if is_to_peer && name.is_none() {
        return 0;
    }
    let mut hash = if is_to_peer { TO_PEER } else { fingerprint(&name) };
    // SAFETY: as above.
    unsafe {
        if last.is_null() {
            // Without memory for it every datagram is told.
            let _stored = LAST_DESTINATION.get_or_create(sk, &mut hash);
        } else if *last == hash {
            return 0;
        } else {
            *last = hash;
        }
    }
    tell(Hook::UnixDgramSendmsg, sk, unix_operation::SEND, name, result.min(0), 0);
    0
}

#[inline(always)]
fn kind_of(sk: *const c_void) -> u16 {
    // SAFETY: a BTF-typed socket and the kernel's offset.
    unsafe { field(sk, offset!(sock_type)) }
}

#[inline(always)]
fn tell(hook: Hook, sk: *const c_void, operation: u16, name: Name, result: i32, backlog: u16) {
    if let Some(origin) = origin_of(hook, sk) {
        let errno = if result < 0 { -result as u16 } else { 0 };
        let has_peer = errno == 0
            && (operation == unix_operation::CONNECT || operation == unix_operation::ACCEPT);
        let peer = if has_peer { Peer::of(sk) } else { Peer::NONE };
        let operation = Operation { socket: socket_of(sk), operation, errno, backlog, peer };
        if matches!(hook, Hook::UnixDgramSendmsg) {
            emit_unix::<false>(origin, operation, &name);
        } else {
            emit_unix::<true>(origin, operation, &name);
        }
    }
}
