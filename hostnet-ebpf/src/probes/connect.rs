//! Connect: the attempt, with the kernel's copy of the address.
//!
//! `tcp_v4_pre_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)`,
//! `udp_pre_connect`, `ping_v4_pre_connect` and their IPv6 twins (net/ipv4,
//! net/ipv6, 5.7–7.3) run `BPF_CGROUP_INET{4,6}_CONNECT`, also for io_uring, TCP
//! Fast Open and MPTCP subflows. How it ends is told by `inet_sock_set_state`.
//!
//! Getting to a cgroup program takes the kernel more than twice as long as fentry
//! (docs/cost, "elsewhere"), so where that is allowed (set `connect`) these stand in:
//! `tcp_v4_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)` and
//! `tcp_v6_connect` (net/ipv4/tcp_ipv4.c, net/ipv6/tcp_ipv6.c, 5.10–7.3), which
//! every TCP connect ends in, and
//! `inet_dgram_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags)`
//! (net/ipv4/af_inet.c, 5.10–7.3) for all that is not a stream, UDP-Lite too. The
//! address is the kernel's copy, of which only as much is read as the caller gave, and
//! none of another family, which the kernel refuses: for TCP the one that cgroup programs of others,
//! if any, have left there.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    bindings::bpf_sock,
    macros::{cgroup_sock_addr, fentry},
    programs::{FEntryContext, SockAddrContext},
};
use hostnet_abi::{Address, Connect, Hook};

use super::connected_udp;
use crate::{
    netns,
    origin::{CreatedIn, Origin},
    owner::Owner,
    payer,
    ring::emit,
    sock::{
        AF_INET, AF_INET6, IPPROTO_UDP, IPPROTO_UDPLITE, cookie, is_of_family, origin_of, sk_of,
        socket_of, socket_of_context, user_address4, user_address6, user_port,
    },
    sockaddr::SockAddr,
    task::{Actor, current_cgroup},
};

#[cgroup_sock_addr(connect4)]
pub fn connect4(ctx: SockAddrContext) -> i32 {
    if is_of_family(ctx.sock_addr, AF_INET) && netns::context_is_host(ctx.as_ptr()) {
        attempted(Hook::Connect4, &ctx, user_address4(ctx.sock_addr));
    }
    1
}

#[cgroup_sock_addr(connect6)]
pub fn connect6(ctx: SockAddrContext) -> i32 {
    if is_of_family(ctx.sock_addr, AF_INET6) && netns::context_is_host(ctx.as_ptr()) {
        attempted(Hook::Connect6, &ctx, user_address6(ctx.sock_addr));
    }
    1
}

#[inline(always)]
fn attempted(hook: Hook, ctx: &SockAddrContext, address: Address) {
    let owner = Owner::of(current_cgroup());
    if !owner.is_told() {
        return;
    }
    // SAFETY: the verifier knows the field as a socket pointer.
    let sk: *const bpf_sock = unsafe { (*ctx.sock_addr).__bindgen_anon_1.sk };
    let socket = socket_of_context(ctx.sock_addr);
    if matches!(socket.protocol, IPPROTO_UDP | IPPROTO_UDPLITE) {
        connected_udp::connecting(sk.cast());
    }
    let actor = Actor::in_cgroup(owner.cgroup);
    payer::note(owner, actor.tgid(), sk.cast());
    let origin = Origin {
        hook,
        actor,
        owner,
        created_in: CreatedIn::Socket(sk),
        cookie: cookie(ctx.as_ptr()),
    };
    emit(origin, Connect { address, port: user_port(ctx.sock_addr).into(), socket });
}

#[fentry]
pub fn tcp_v4_connect(ctx: FEntryContext) -> i32 {
    let sk: *const c_void = ctx.arg(0);
    let Some(origin) = origin_of(Hook::TcpV4Connect, sk) else { return 0 };
    payer::note(origin.owner, origin.actor.tgid(), sk);
    let socket = socket_of(sk);
    let asked = SockAddr::read(ctx.arg(1), ctx.arg(2));
    // A v4-mapped connect was told where it came through tcp_v6_connect.
    if socket.family == AF_INET
        && let Some(address) = asked.v4()
    {
        emit(origin, Connect { address, port: asked.port(), socket });
    }
    0
}

#[fentry]
pub fn tcp_v6_connect(ctx: FEntryContext) -> i32 {
    let sk: *const c_void = ctx.arg(0);
    let Some(origin) = origin_of(Hook::TcpV6Connect, sk) else { return 0 };
    payer::note(origin.owner, origin.actor.tgid(), sk);
    let asked = SockAddr::read(ctx.arg(1), ctx.arg(2));
    if let Some(address) = asked.v6() {
        emit(origin, Connect { address, port: asked.port(), socket: socket_of(sk) });
    }
    0
}

#[fentry]
pub fn inet_dgram_connect(ctx: FEntryContext) -> i32 {
    let sk = sk_of(ctx.arg(0));
    let Some(origin) = origin_of(Hook::InetDgramConnect, sk) else { return 0 };
    let asked = SockAddr::read(ctx.arg(1), ctx.arg(2));
    // Anything else is refused, or takes the peer away (AF_UNSPEC).
    let socket = socket_of(sk);
    let Some(address) = asked.address_for(socket.family) else { return 0 };
    connected_udp::connecting(sk);
    emit(origin, Connect { address, port: asked.port(), socket });
    0
}
