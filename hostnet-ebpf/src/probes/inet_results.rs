//! How IP operations ended, where only the kernel function's own return shows
//! it: refused binds, connects that sent nothing, and who called accept.
//!
//! `inet_bind(struct socket *sock, struct sockaddr *uaddr, int addr_len)` and
//! `inet6_bind` (net/ipv4/af_inet.c, net/ipv6/af_inet6.c),
//! `inet_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags)`,
//! which serves both families, and
//! `inet_accept(struct socket *sock, struct socket *newsock, …)`, whose further
//! arguments changed in 6.10. Attached from 5.17, where `bpf_get_func_ret` came.

use aya_ebpf::{macros::fexit, programs::FExitContext};
use hostnet_abi::{AcceptTaken, BindRefused, ConnectOutcome, Hook, established};

use crate::{
    read::returned,
    ring::emit,
    sock::{ends_of, origin_of, sk_of, socket_of},
    sockaddr::SockAddr,
};

// include/uapi/asm-generic/errno.h
const EPERM: i32 = 1;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EALREADY: i32 = 114;
const EINPROGRESS: i32 = 115;
const EISCONN: i32 = 106;

#[fexit]
pub fn inet_bind(ctx: FExitContext) -> i32 {
    bind_returned(Hook::InetBind, &ctx);
    0
}

#[fexit]
pub fn inet6_bind(ctx: FExitContext) -> i32 {
    bind_returned(Hook::Inet6Bind, &ctx);
    0
}

#[inline(always)]
fn bind_returned(hook: Hook, ctx: &FExitContext) {
    let errno = -returned(ctx);
    if errno <= 0 {
        return;
    }
    let sk = sk_of(ctx.arg(0));
    if let Some(origin) = origin_of(hook, sk) {
        emit(origin, BindRefused { socket: socket_of(sk), errno: errno as u32 });
    }
}

/// What the connection's own state shows is left to `inet_sock_set_state`. One that
/// another cgroup program refused (EPERM) never had a peer: it is told by what was
/// asked for.
#[fexit]
pub fn inet_stream_connect(ctx: FExitContext) -> i32 {
    let errno = -returned(&ctx);
    if errno <= 0 || matches!(errno, EINPROGRESS | EALREADY | EISCONN | ECONNREFUSED | ETIMEDOUT) {
        return 0;
    }
    let sk = sk_of(ctx.arg(0));
    if let Some(origin) = origin_of(Hook::InetStreamConnect, sk) {
        let socket = socket_of(sk);
        let mut ends = ends_of(sk, socket.family);
        if errno == EPERM {
            let asked = SockAddr::read(ctx.arg(1), ctx.arg(2));
            let Some(remote) = asked.address_for(socket.family) else { return 0 };
            ends.remote = remote;
            ends.remote_port = asked.port() as u16;
        }
        emit(
            origin,
            ConnectOutcome {
                local: ends.local,
                remote: ends.remote,
                local_port: 0,
                remote_port: ends.remote_port,
                established: established::NO,
                errno: errno as u16,
                socket,
            },
        );
    }
    0
}

#[fexit]
pub fn inet_accept(ctx: FExitContext) -> i32 {
    if returned(&ctx) == 0 {
        let sk = sk_of(ctx.arg(1));
        if let Some(origin) = origin_of(Hook::InetAccept, sk) {
            emit(origin, AcceptTaken { socket: socket_of(sk) });
        }
    }
    0
}
