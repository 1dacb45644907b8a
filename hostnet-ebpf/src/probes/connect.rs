//! Connect: the attempt, with the kernel's copy of the address.
//!
//! `tcp_v4_pre_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)`,
//! `udp_pre_connect`, `ping_v4_pre_connect` and their IPv6 twins (net/ipv4,
//! net/ipv6, 5.7–7.3) run `BPF_CGROUP_INET{4,6}_CONNECT`, also for io_uring, TCP
//! Fast Open and MPTCP subflows. How it ends is told by `inet_sock_set_state`.

use aya_ebpf::{
    EbpfContext as _, bindings::bpf_sock, macros::cgroup_sock_addr, programs::SockAddrContext,
};
use hostnet_abi::{Address, Connect, Hook};

use crate::{
    netns, owner,
    ring::{CreatedIn, Origin, emit},
    sock::{cookie, socket_of_context, user_address4, user_address6, user_port},
    task::{Actor, current_cgroup},
};

#[cgroup_sock_addr(connect4)]
pub fn connect4(ctx: SockAddrContext) -> i32 {
    if netns::context_is_host(ctx.as_ptr()) {
        attempted(Hook::Connect4, &ctx, user_address4(ctx.sock_addr));
    }
    1
}

#[cgroup_sock_addr(connect6)]
pub fn connect6(ctx: SockAddrContext) -> i32 {
    if netns::context_is_host(ctx.as_ptr()) {
        attempted(Hook::Connect6, &ctx, user_address6(ctx.sock_addr));
    }
    1
}

#[inline(always)]
fn attempted(hook: Hook, ctx: &SockAddrContext, address: Address) {
    let cgroup = current_cgroup();
    if !owner::is_told(cgroup) {
        return;
    }
    // SAFETY: the verifier knows the field as a socket pointer.
    let sk: *const bpf_sock = unsafe { (*ctx.sock_addr).__bindgen_anon_1.sk };
    let origin = Origin {
        hook,
        actor: Actor::in_cgroup(cgroup),
        created_in: CreatedIn::Socket(sk),
        cookie: cookie(ctx.as_ptr()),
    };
    emit(
        origin,
        Connect {
            address,
            port: user_port(ctx.sock_addr).into(),
            socket: socket_of_context(ctx.sock_addr),
        },
    );
}
