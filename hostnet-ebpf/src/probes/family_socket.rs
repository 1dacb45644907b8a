//! Sockets of other families than IP and unix, when they are opened.
//!
//! `security_socket_post_create(struct socket *sock, int family, int type, int protocol, int kern)`
//! (security/security.c, 5.10–7.3, CONFIG_SECURITY_NETWORK) is called by
//! `__sock_create` once the family has made the socket, also for io_uring.

use aya_ebpf::{macros::fexit, programs::FExitContext};
use hostnet_abi::{FamilySocket, Hook, Socket};

use crate::{
    read::returned,
    ring::emit,
    sock::{AF_INET, AF_INET6, AF_PACKET, AF_UNIX, origin_of, sk_of},
};

#[fexit]
pub fn socket_post_create(ctx: FExitContext) -> i32 {
    let (family, kind, protocol, kern): (i32, i32, i32, i32) =
        (ctx.arg(1), ctx.arg(2), ctx.arg(3), ctx.arg(4));
    // Unix sockets are told when they are connected or bound, IP ones by `cgroup/sock_create`.
    if kern != 0 || returned(&ctx) != 0 || matches!(family as u16, AF_UNIX | AF_INET | AF_INET6) {
        return 0;
    }
    let sk = sk_of(ctx.arg(0));
    if let Some(origin) = origin_of(Hook::SocketPostCreate, sk) {
        let protocol = if family as u16 == AF_PACKET {
            u16::from_be(protocol as u16).into()
        } else {
            protocol as u32
        };
        emit(
            origin,
            FamilySocket { socket: Socket { family: family as u16, kind: kind as u16, protocol } },
        );
    }
    0
}
