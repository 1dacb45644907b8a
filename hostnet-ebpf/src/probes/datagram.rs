//! UDP with addresses: the first datagram per socket and peer, counts
//! for the rest, and the end of the socket.
//!
//! `udp_sendmsg`/`udpv6_sendmsg` run `BPF_CGROUP_UDP{4,6}_SENDMSG` when the
//! caller names an address; `udp_recvmsg`/`udpv6_recvmsg` run
//! `BPF_CGROUP_UDP{4,6}_RECVMSG` when the caller asks for the sender's (net/ipv4/udp.c,
//! net/ipv6/udp.c, 5.7–7.3; v4-mapped traffic of an IPv6 socket goes to the v4
//! send hook). `inet_release` runs `BPF_CGROUP_INET_SOCK_RELEASE` (5.9–7.3): a UDP
//! socket's end has no other hook.

use aya_ebpf::{
    EbpfContext as _,
    bindings::bpf_sock,
    macros::{cgroup_sock, cgroup_sock_addr},
    programs::{SockAddrContext, SockContext},
};
use hostnet_abi::{Address, Datagram, DatagramClose, FlowKey, Hook, counting, direction};

use super::connected_udp;
use crate::{
    budget,
    flows::{self, Noted},
    netns,
    origin::{CreatedIn, Origin},
    owner::Owner,
    read::copied,
    ring::{emit, emit_as, emit_if_new},
    settings::offset,
    sock::{
        Front, IPPROTO_UDP, IPPROTO_UDPLITE, address_of, cookie, sender4, sender6, sock_of_context,
        socket_of_context, socket_of_sock, source4, source6, user_address4, user_address6,
        user_port,
    },
    task::{Actor, current_cgroup},
};

/// `SOCK_BINDADDR_LOCK` and `SOCK_BINDPORT_LOCK` of `sk_userlocks`
/// (include/net/sock.h): only bind(2) to an address or a port sets them, and
/// only the end of the socket takes them away (`__inet_bind`, `udp_disconnect`).
const BIND_LOCKS: u8 = 4 | 8;

#[cgroup_sock_addr(sendmsg4)]
pub fn sendmsg4(ctx: SockAddrContext) -> i32 {
    if netns::context_is_host(ctx.as_ptr()) {
        let local = || sender4(ctx.sock_addr);
        exchanged(Hook::Sendmsg4, &ctx, user_address4(ctx.sock_addr), local, direction::SENT);
    }
    1
}

#[cgroup_sock_addr(sendmsg6)]
pub fn sendmsg6(ctx: SockAddrContext) -> i32 {
    if netns::context_is_host(ctx.as_ptr()) {
        let local = || sender6(ctx.sock_addr);
        exchanged(Hook::Sendmsg6, &ctx, user_address6(ctx.sock_addr), local, direction::SENT);
    }
    1
}

#[cgroup_sock_addr(recvmsg4)]
pub fn recvmsg4(ctx: SockAddrContext) -> i32 {
    if netns::context_is_host(ctx.as_ptr()) {
        let local = || source4(sock_of_context(ctx.sock_addr));
        exchanged(Hook::Recvmsg4, &ctx, user_address4(ctx.sock_addr), local, direction::RECEIVED);
    }
    1
}

#[cgroup_sock_addr(recvmsg6)]
pub fn recvmsg6(ctx: SockAddrContext) -> i32 {
    if netns::context_is_host(ctx.as_ptr()) {
        let local = || source6(sock_of_context(ctx.sock_addr));
        exchanged(Hook::Recvmsg6, &ctx, user_address6(ctx.sock_addr), local, direction::RECEIVED);
    }
    1
}

/// `local` is asked of the first datagram alone.
#[inline(always)]
fn exchanged(
    hook: Hook,
    ctx: &SockAddrContext,
    remote: Address,
    local: impl FnOnce() -> Address,
    direction: u16,
) {
    let owner = Owner::of(current_cgroup());
    if !owner.is_told() {
        return;
    }
    let sk = sock_of_context(ctx.sock_addr);
    if direction == direction::SENT {
        let is_v4 = hook as u16 == Hook::Sendmsg4 as u16;
        connected_udp::addressed(sk, remote, user_port(ctx.sock_addr), is_v4);
    }
    let key = FlowKey {
        cookie: cookie(ctx.as_ptr()),
        remote,
        remote_port: user_port(ctx.sock_addr).into(),
    };
    let actor = Actor::in_cgroup(owner.cgroup);
    let payer = || budget::payer(owner.cgroup, actor.tgid());
    let noted = flows::note(sk, &key, direction, payer);
    let counting = match &noted {
        Noted::Counted => return,
        Noted::New(entry) if entry.is_last => counting::LAST_APART,
        Noted::New(_) => counting::APART,
        Noted::NoRoom => counting::NOT_APART,
    };
    let origin =
        Origin { hook, actor, owner, created_in: CreatedIn::Socket(sk), cookie: key.cookie };
    let datagram = Datagram {
        remote,
        local: local(),
        remote_port: user_port(ctx.sock_addr),
        // SAFETY: the verifier knows `sk`; src_port is in host order.
        local_port: unsafe { (*sk).src_port } as u16,
        direction,
        counting,
        socket: socket_of_context(ctx.sock_addr),
    };
    match noted {
        Noted::New(entry) => {
            if !emit(origin, datagram) {
                flows::forget(&key, &entry);
            }
        }
        Noted::NoRoom | Noted::Counted => emit_if_new(origin, datagram),
    }
}

#[cgroup_sock(sock_release)]
pub fn sock_release(ctx: SockContext) -> i32 {
    let socket = socket_of_sock(ctx.sock);
    if socket.protocol != IPPROTO_UDP && socket.protocol != IPPROTO_UDPLITE {
        return 1;
    }
    if !netns::context_is_host(ctx.as_ptr()) {
        return 1;
    }
    let others = flows::ended(ctx.sock);
    let owner = Owner::of(current_cgroup());
    if !owner.is_told() && !was_bound(ctx.sock) {
        return 1;
    }
    let (local, local_port) = Front::of(ctx.sock).local_end(socket.family);
    // Without a port it has never sent, connected or been bound.
    if local_port == 0 {
        return 1;
    }
    let origin = Origin {
        hook: Hook::SockRelease,
        actor: Actor::in_cgroup(owner.cgroup),
        owner,
        created_in: CreatedIn::Socket(ctx.sock),
        cookie: cookie(ctx.as_ptr()),
    };
    let payload = DatagramClose {
        others_sent: others.sent,
        others_received: others.received,
        local,
        local_port: local_port.into(),
        socket,
        padding: 0,
    };
    emit_as(origin, payload, || was_bound(ctx.sock));
    1
}

/// Whether somebody chose the socket's address or port: a host process's socket
/// that others may send to is told of, its many that only ask are not.
#[inline(always)]
fn was_bound(sk: *const bpf_sock) -> bool {
    let byte: u8 = copied(address_of(sk), offset!(sock_user_locks));
    (byte >> offset!(sock_user_locks_bit)) & BIND_LOCKS != 0
}
