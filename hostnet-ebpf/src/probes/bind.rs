//! Bind: asked before the kernel decides, and done once it gave the address.
//!
//! `__inet_bind(struct sock *sk, struct sockaddr *uaddr, int addr_len, u32 flags)`
//! and `__inet6_bind` (net/ipv4/af_inet.c, net/ipv6/af_inet6.c, 5.7–7.3) run
//! `BPF_CGROUP_INET{4,6}_POST_BIND` after `get_port()` succeeded;
//! `inet_bind_sk`/`inet6_bind_sk` run `BPF_CGROUP_INET{4,6}_BIND` before. A bind
//! that was asked and is not followed by a bind done has failed.

use aya_ebpf::{
    EbpfContext as _,
    bindings::bpf_sock,
    macros::{cgroup_sock, cgroup_sock_addr},
    programs::{SockAddrContext, SockContext},
};
use hostnet_abi::{Address, Bind, BindAsked, Hook};

use crate::{
    netns,
    origin::{CreatedIn, Origin},
    owner::Owner,
    ring::emit,
    settings::offset,
    sock::{
        AF_INET, AF_INET6, AF_UNSPEC, Front, cookie, is_of_family, socket_of_context,
        socket_of_sock, source4, source6, user_address4, user_address6, user_port,
    },
    task::Actor,
};

#[cgroup_sock_addr(bind4)]
pub fn bind4(ctx: SockAddrContext) -> i32 {
    // Of no family with no address is as good as IPv4 (`__inet_bind`).
    let is_ours = is_of_family(ctx.sock_addr, AF_INET) || is_of_family(ctx.sock_addr, AF_UNSPEC);
    if is_ours && netns::context_is_host(ctx.as_ptr()) {
        asked(Hook::Bind4, &ctx, user_address4(ctx.sock_addr));
    }
    1
}

#[cgroup_sock_addr(bind6)]
pub fn bind6(ctx: SockAddrContext) -> i32 {
    if is_of_family(ctx.sock_addr, AF_INET6) && netns::context_is_host(ctx.as_ptr()) {
        asked(Hook::Bind6, &ctx, user_address6(ctx.sock_addr));
    }
    1
}

#[cgroup_sock(post_bind4)]
pub fn post_bind4(ctx: SockContext) -> i32 {
    if netns::context_is_host(ctx.as_ptr()) {
        done(Hook::PostBind4, &ctx, source4(ctx.sock));
    }
    1
}

#[cgroup_sock(post_bind6)]
pub fn post_bind6(ctx: SockContext) -> i32 {
    if netns::context_is_host(ctx.as_ptr()) {
        done(Hook::PostBind6, &ctx, source6(ctx.sock));
    }
    1
}

/// Host processes' binds are told too: they name the other end of a connection.
#[inline(always)]
fn asked(hook: Hook, ctx: &SockAddrContext, address: Address) {
    // SAFETY: the verifier knows the field as a socket pointer.
    let sk: *const bpf_sock = unsafe { (*ctx.sock_addr).__bindgen_anon_1.sk };
    let actor = Actor::current();
    let origin = Origin {
        hook,
        actor,
        owner: Owner::of(actor.cgroup),
        created_in: CreatedIn::Socket(sk),
        cookie: cookie(ctx.as_ptr()),
    };
    emit(
        origin,
        BindAsked {
            address,
            port: user_port(ctx.sock_addr).into(),
            socket: socket_of_context(ctx.sock_addr),
        },
    );
}

#[inline(always)]
fn done(hook: Hook, ctx: &SockContext, address: Address) {
    let actor = Actor::current();
    let origin = Origin {
        hook,
        actor,
        owner: Owner::of(actor.cgroup),
        created_in: CreatedIn::Socket(ctx.sock),
        cookie: cookie(ctx.as_ptr()),
    };
    let front = Front::of(ctx.sock);
    let bits: u8 = front.field(offset!(sock_reuse_bits));
    emit(
        origin,
        Bind {
            address,
            // SAFETY: the program's own context; src_port is in host order here.
            port: unsafe { (*ctx.sock).src_port },
            socket: socket_of_sock(ctx.sock),
            reuse: bits.into(),
            interface: front.field(offset!(sock_bound_dev_if)),
        },
    );
}
