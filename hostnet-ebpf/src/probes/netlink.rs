//! Netlink: changes that a process asks the kernel for, and groups it joins.
//!
//! `netlink_unicast(struct sock *ssk, struct sk_buff *skb, u32 portid, int nonblock)`
//! (net/netlink/af_netlink.c, 5.10–7.3) gets every message to the kernel in the
//! kernel's own copy; it consumes the buffer, so it is looked at on entry.
//! `netlink_bind(struct socket *sock, struct sockaddr *addr, int addr_len)` is there too.

use core::ffi::c_void;

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use hostnet_abi::{Hook, NetlinkBind, NetlinkRequest};

use crate::{
    origin::Origin,
    read::{copied, field, returned},
    ring::emit,
    settings::offset,
    sock::{origin_of, sk_of, socket_of},
};

/// Messages looked at in one buffer; of a batch that holds more it is told that
/// it does, for what is behind sixteen questions may be anything.
const MOST_MESSAGES: u32 = 16;
/// Bytes of a `struct nlmsghdr`.
const HEADER: u32 = 16;

#[fentry]
pub fn netlink_unicast(ctx: FEntryContext) -> i32 {
    let portid: u32 = ctx.arg(2);
    // Port 0 is the kernel; everything else is user space to user space, or an answer.
    if portid != 0 {
        return 0;
    }
    let sk: *const c_void = ctx.arg(0);
    let Some(origin) = origin_of(Hook::NetlinkUnicast, sk) else { return 0 };
    let socket = socket_of(sk);
    let skb: *const c_void = ctx.arg(1);
    // SAFETY: a BTF-typed buffer and the kernel's offsets.
    let (data, length): (u64, u32) =
        unsafe { (field(skb, offset!(skb_data)), field(skb, offset!(skb_len))) };
    let mut at = 0_u32;
    for _ in 0..MOST_MESSAGES {
        if at + HEADER > length {
            return 0;
        }
        // struct nlmsghdr: length, type and flags.
        let size: u32 = copied(data + u64::from(at), 0);
        let type_and_flags: u32 = copied(data + u64::from(at), 4);
        if size < HEADER || size > length - at {
            return 0;
        }
        let (message, flags) = (type_and_flags as u16, (type_and_flags >> 16) as u16);
        // Read anew: what the comparisons below tell the verifier of one that goes on to the
        // next round, it would follow through all rounds apart, for each protocol.
        let protocol = socket_of(sk).protocol;
        // Questions are not told.
        if NetlinkRequest::may_change(protocol, message, flags) {
            tell(&origin, &NetlinkRequest { socket, message, flags, unread: 0 });
        }
        at += (size + 3) & !3;
    }
    if at + HEADER <= length {
        let type_and_flags: u32 = copied(data + u64::from(at), 4);
        let (message, flags) = (type_and_flags as u16, (type_and_flags >> 16) as u16);
        tell(&origin, &NetlinkRequest { socket, message, flags, unread: length - at });
    }
    0
}

/// Not inlined, or the verifier would follow every way through it in every round.
#[inline(never)]
fn tell(origin: &Origin, request: &NetlinkRequest) {
    emit(*origin, *request);
}

#[fexit]
pub fn netlink_bind(ctx: FExitContext) -> i32 {
    // struct sockaddr_nl: family, padding, port, groups.
    let groups: u32 = copied(ctx.arg::<*const c_void>(1) as u64, 8);
    if groups == 0 || returned(&ctx) != 0 {
        return 0;
    }
    let sk = sk_of(ctx.arg(0));
    if let Some(origin) = origin_of(Hook::NetlinkBind, sk) {
        emit(origin, NetlinkBind { socket: socket_of(sk), groups });
    }
    0
}
