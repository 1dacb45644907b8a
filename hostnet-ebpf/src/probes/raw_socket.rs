//! Raw IP sockets and those of protocols beside TCP and UDP (SCTP, ping, L2TP):
//! opening one is the only moment every kernel shows.
//!
//! `inet_create(struct net *net, struct socket *sock, int protocol, int kern)`
//! and `inet6_create` (net/ipv4/af_inet.c, net/ipv6/af_inet6.c, 5.7–7.3) run
//! `BPF_CGROUP_INET_SOCK_CREATE`.

use aya_ebpf::{EbpfContext as _, macros::cgroup_sock, programs::SockContext};
use hostnet_abi::{FamilySocket, Hook, RawSocket};

use crate::{
    netns,
    origin::{CreatedIn, Origin},
    owner::Owner,
    ring::emit,
    sock::{SOCK_RAW, cookie, is_usual, socket_of_sock},
    task::{Actor, current_cgroup},
};

#[cgroup_sock(sock_create)]
pub fn sock_create(ctx: SockContext) -> i32 {
    // SAFETY: the program's own context; the verifier rewrites the loads.
    let (kind, protocol) = unsafe { ((*ctx.sock).type_, (*ctx.sock).protocol) };
    let is_raw = kind == SOCK_RAW;
    if (!is_raw && is_usual(protocol)) || !netns::context_is_host(ctx.as_ptr()) {
        return 1;
    }
    let owner = Owner::of(current_cgroup());
    if owner.is_told() {
        let origin = Origin {
            hook: Hook::SockCreate,
            actor: Actor::in_cgroup(owner.cgroup),
            owner,
            created_in: CreatedIn::Socket(ctx.sock),
            cookie: cookie(ctx.as_ptr()),
        };
        let socket = socket_of_sock(ctx.sock);
        if is_raw {
            emit(origin, RawSocket { socket });
        } else {
            emit(origin, FamilySocket { socket });
        }
    }
    1
}
