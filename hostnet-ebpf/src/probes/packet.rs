//! Packet sockets: bound to what, and the filters that sockets carry.
//!
//! `packet_bind(struct socket *sock, struct sockaddr *uaddr, int addr_len)`
//! (net/packet/af_packet.c, 5.10–7.3) and
//! `sk_attach_filter(struct sock_fprog *fprog, struct sock *sk)`
//! (net/core/filter.c, 5.10–7.3), which serves `SO_ATTACH_FILTER` of every family.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel,
    macros::{fexit, map},
    maps::PerCpuArray,
    programs::FExitContext,
};
use hostnet_abi::{EventKind, Header, Hook, MAX_FILTER, PacketBind, Socket, SocketFilter};

use crate::{
    read::{copied, field, returned},
    ring::{emit, emit_scratch, now},
    settings::offset,
    sock::{AF_PACKET, origin_of, sk_of, socket_of},
};

/// Bytes of a `struct sock_filter`.
const INSTRUCTION: u64 = 8;

#[repr(C)]
struct Scratch {
    header: Header,
    filter: SocketFilter,
    tail: [u8; MAX_FILTER],
}

#[map]
static FILTER_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[fexit]
pub fn packet_bind(ctx: FExitContext) -> i32 {
    let sk = sk_of(ctx.arg(0));
    if let Some(origin) = origin_of(Hook::PacketBind, sk) {
        let (socket, interface) = bound_to(sk);
        emit(origin, PacketBind { socket, interface, errno: -returned(&ctx) as u32 });
    }
    0
}

/// `packet_sock.num` and `.ifindex` of a packet socket.
#[inline(always)]
pub fn bound_to(sk: *const c_void) -> (Socket, u32) {
    let protocol = u16::from_be(copied(sk as u64, offset!(packet_num)));
    let interface: i32 = copied(sk as u64, offset!(packet_ifindex));
    (Socket { protocol: protocol.into(), ..packet_socket(sk) }, interface as u32)
}

#[inline(always)]
fn packet_socket(sk: *const c_void) -> Socket {
    Socket { family: AF_PACKET, ..socket_of(sk) }
}

#[fexit]
pub fn sk_attach_filter(ctx: FExitContext) -> i32 {
    if returned(&ctx) != 0 {
        return 0;
    }
    let sk: *const c_void = ctx.arg(1);
    if let Some(origin) = origin_of(Hook::SkAttachFilter, sk)
        && let Some(scratch) = FILTER_SCRATCH.get_ptr_mut(0)
    {
        // SAFETY: a BTF-typed socket and the kernel's offsets; this program's own
        // slot, and the kernel does not run a program again on a CPU that is in it.
        unsafe {
            let filter: u64 = field(sk, offset!(sock_filter));
            let program: u64 = copied(filter, offset!(filter_prog));
            let original: u64 = copied(program, offset!(prog_orig));
            let instructions: u16 = copied(original, offset!(fprog_len));
            let source: u64 = copied(original, offset!(fprog_filter));
            let mut size = u64::from(instructions) * INSTRUCTION;
            if size > MAX_FILTER as u64 {
                size = MAX_FILTER as u64;
            }
            let tail = (&raw mut (*scratch).tail).cast::<c_void>();
            if bpf_probe_read_kernel(tail, size as u32, source as *const c_void) != 0 {
                size = 0;
            }
            let (socket, instructions) = (socket_of(sk), instructions.into());
            (&raw mut (*scratch).filter).write(SocketFilter { socket, instructions, padding: 0 });
            let length = size_of::<Header>() as u64 + size_of::<SocketFilter>() as u64 + size;
            let kind = EventKind::SocketFilter;
            (&raw mut (*scratch).header).write(origin.header(kind, length as usize, now()));
            emit_scratch(&origin, scratch.cast_const(), &raw const (*scratch).filter);
        }
    }
    0
}
