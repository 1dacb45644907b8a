//! Whether a datagram left a UDP socket that connect(2) gave a peer: its first send
//! to that peer.
//!
//! `udp_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)` (net/ipv4/udp.c) and
//! `udpv6_sendmsg` (net/ipv6/udp.c, both 5.10–7.3), which UDP-Lite sends by, too.
//! Where fexit is refused, `sock_send_length` stands in (first_use.rs); it does not
//! show the message, so `cgroup/sendmsg` notes that the caller named an address. Such
//! a datagram is told by datagram.rs.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::bpf_sock,
    macros::{btf_map, fexit},
    programs::FExitContext,
};
use hostnet_abi::{Address, Datagram, Hook, counting, direction};

use crate::{
    netns,
    owner::Owner,
    read::{field, returned},
    ring::emit,
    settings::offset,
    sock::{
        IPPROTO_UDP, IPPROTO_UDPLITE, destination4, destination6, ends_of, origin_in, socket_of,
    },
    sockaddr::SockAddr,
    storage::{NOT_CLONED, SocketStorage},
    task::current_cgroup,
};

/// What is known of a connected socket's sends.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sends {
    /// The peer of the last send that was told: another one is told again.
    remote: Address,
    /// Its port, host order; 0 for none.
    remote_port: u32,
    /// 1 while a send is on its way that names an address of its own.
    is_addressed: u32,
}

#[btf_map]
static SENDS: SocketStorage<Sends, NOT_CLONED> = SocketStorage::new();

#[fexit]
pub fn udp_sendmsg(ctx: FExitContext) -> i32 {
    returned_from(Hook::UdpSendmsg, &ctx);
    0
}

#[fexit]
pub fn udpv6_sendmsg(ctx: FExitContext) -> i32 {
    returned_from(Hook::Udpv6Sendmsg, &ctx);
    0
}

#[inline(always)]
fn returned_from(hook: Hook, ctx: &FExitContext) {
    let sk: *const c_void = ctx.arg(0);
    // SAFETY: a BTF-typed socket and the kernel's offsets.
    let (family, peer_port): (u16, u16) =
        unsafe { (field(sk, offset!(sock_family)), field(sk, offset!(sock_dport))) };
    if peer_port == 0 {
        return;
    }
    let message: *const c_void = ctx.arg(1);
    // SAFETY: a BTF-typed message and the kernel's offsets.
    let (address, length): (u64, i32) =
        unsafe { (field(message, offset!(msghdr_name)), field(message, offset!(msghdr_namelen))) };
    if address != 0 {
        // `udpv6_sendmsg` names the peer's address itself where that is v4-mapped.
        let asked = SockAddr::read(address as *const c_void, length);
        let ends = ends_of(sk, family);
        if asked.address_for(family) != Some(ends.remote) || asked.port() != ends.remote_port.into()
        {
            return;
        }
    }
    sent(hook, sk, family, returned(ctx));
}

/// A socket is about to get a peer, or another one: its next send is told, even should it
/// be the same peer.
#[inline(always)]
pub fn connecting(sk: *const c_void) {
    let sends = SENDS.get(sk);
    if !sends.is_null() {
        // SAFETY: a live value of the storage map, checked for null.
        unsafe { (*sends).remote_port = 0 };
    }
}

/// A send names an address: should the socket be connected to another, the send says
/// nothing of its peer. The kernel itself names the peer's where that is v4-mapped.
#[inline(always)]
pub fn addressed(sk: *const bpf_sock, remote: Address, remote_port: u16, is_v4: bool) {
    // SAFETY: the verifier knows `sk`.
    let peer_port = unsafe { (*sk).dst_port };
    if peer_port == 0 {
        return;
    }
    if u16::from_be(peer_port) == remote_port {
        let peer = if is_v4 { destination4(sk) } else { destination6(sk) };
        if peer == remote {
            return;
        }
    }
    let mut sends = Sends { remote: [0; 4], remote_port: 0, is_addressed: 1 };
    let known = SENDS.get_or_create(sk.cast(), &mut sends);
    if !known.is_null() {
        // SAFETY: a live value of the storage map, checked for null.
        unsafe { (*known).is_addressed = 1 };
    }
}

/// A send of any IP socket has returned: for most this must cost next to nothing.
#[inline(always)]
pub fn sent(hook: Hook, sk: *const c_void, family: u16, result: i32) {
    // SAFETY: a BTF-typed socket and the kernel's offsets.
    let (protocol, peer_port): (u16, u16) =
        unsafe { (field(sk, offset!(sock_protocol)), field(sk, offset!(sock_dport))) };
    if !matches!(protocol.into(), IPPROTO_UDP | IPPROTO_UDPLITE) || peer_port == 0 {
        return;
    }
    if !netns::sock_is_host(sk) {
        return;
    }
    let owner = Owner::of(current_cgroup());
    if !owner.is_told() {
        return;
    }
    let ends = ends_of(sk, family);
    let remote_port = ends.remote_port;
    let sends = SENDS.get(sk);
    if !sends.is_null() {
        // SAFETY: a live value of the storage map, checked for null.
        let known = unsafe { &mut *sends };
        if hook as u16 == Hook::SockSendLength as u16 && known.is_addressed == 1 {
            known.is_addressed = 0;
            return;
        }
        if known.remote_port == remote_port.into() && known.remote == ends.remote {
            return;
        }
    }
    if result < 0 {
        return;
    }
    // SAFETY: a BTF-typed socket and the kernel's offset.
    let local_port: u16 = unsafe { field(sk, offset!(sock_num)) };
    let datagram = Datagram {
        remote: ends.remote,
        local: ends.local,
        remote_port,
        local_port,
        direction: direction::SENT,
        counting: counting::NOT_APART,
        socket: socket_of(sk),
    };
    // One that found no room is told with the next send.
    if emit(origin_in(owner, hook, sk), datagram) {
        let mut told =
            Sends { remote: ends.remote, remote_port: remote_port.into(), is_addressed: 0 };
        if sends.is_null() {
            // Without memory for the mark the next send is told again.
            let _marked = SENDS.get_or_create(sk, &mut told);
        } else {
            // SAFETY: as above.
            unsafe { *sends = told };
        }
    }
}
