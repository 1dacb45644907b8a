//! Reading `struct sock` in tracing programs, and its UAPI mirror in cgroup programs.

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::{
    bindings::{bpf_sock, bpf_sock_addr},
    helpers::generated::{bpf_get_socket_cookie, bpf_probe_read_kernel},
};
use hostnet_abi::{Address, Hook, Socket, v4_mapped};

use crate::{
    netns,
    origin::{CreatedIn, Origin},
    owner::Owner,
    read::{copied, field},
    settings::offset,
    task::{Actor, current_cgroup, current_cgroup_address},
};

// include/linux/socket.h
pub const AF_UNSPEC: u16 = 0;
pub const AF_UNIX: u16 = 1;
pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
pub const AF_PACKET: u16 = 17;
pub const SOCK_DGRAM: u32 = 2;
pub const SOCK_RAW: u32 = 3;
pub const IPPROTO_TCP: u16 = 6;
pub const IPPROTO_UDP: u32 = 17;
pub const IPPROTO_UDPLITE: u32 = 136;
const IPPROTO_MPTCP: u32 = 262;

/// Whether the other programs tell all that an IP socket of this protocol does.
#[inline(always)]
pub const fn is_usual(protocol: u32) -> bool {
    // 0 is the type's default: TCP or UDP.
    protocol == 0
        || protocol == IPPROTO_TCP as u32
        || matches!(protocol, IPPROTO_UDP | IPPROTO_UDPLITE | IPPROTO_MPTCP)
}

/// The socket's cookie, made on first use.
#[inline(always)]
pub fn cookie(ctx: *mut c_void) -> u64 {
    // SAFETY: `ctx` is a program context or a BTF-typed socket, as the helper wants.
    unsafe { bpf_get_socket_cookie(ctx) }
}

/// `sk->sk_cgrp_data.cgroup->kn->id` for a BTF-typed socket: the cgroup the
/// socket was created in (an accepted socket inherits its listener's).
#[inline(always)]
pub fn cgroup_of(sk: *const c_void) -> u64 {
    // SAFETY: BTF-typed pointers all the way, offsets of the running kernel.
    unsafe {
        let cgroup: *const c_void = field(sk, offset!(sock_cgroup));
        let kn: *const c_void = field(cgroup, offset!(cgroup_kn));
        field(kn, offset!(kernfs_node_id))
    }
}

/// The same for the socket at this address, by copies.
#[inline(always)]
pub fn cgroup_at(sk: u64) -> u64 {
    cgroup_id(copied(sk, offset!(sock_cgroup)))
}

/// The same with one copy where it is the cgroup that the current task is in, whose id is
/// `current`: while a task is in a cgroup, nothing else has its address.
#[inline(always)]
pub fn cgroup_at_mostly(sk: u64, current: u64) -> u64 {
    let cgroup: u64 = copied(sk, offset!(sock_cgroup));
    if cgroup != 0 && cgroup == current_cgroup_address() { current } else { cgroup_id(cgroup) }
}

/// The id of the `struct cgroup` at this address, by copies.
#[inline(always)]
fn cgroup_id(cgroup: u64) -> u64 {
    let kn: u64 = copied(cgroup, offset!(cgroup_kn));
    copied(kn, offset!(kernfs_node_id))
}

/// The socket's address as a number: the verifier forbids arithmetic on the
/// pointer itself, so it is stored and read back as bytes.
#[inline(always)]
pub fn address_of(sk: *const bpf_sock) -> u64 {
    let slot = sk;
    copied((&raw const slot) as u64, 0)
}

/// As much of a socket's beginning as is copied at once, in words: byte by byte the copy
/// would be moved about.
const FRONT: usize = 3;

/// How a `struct sock` begins, for a cgroup program that may not read it from its context:
/// a copy of several fields costs little more than that of one.
pub struct Front {
    words: [u64; FRONT],
    sk: *const bpf_sock,
}

impl Front {
    #[inline(always)]
    pub fn of(sk: *const bpf_sock) -> Self {
        let mut words = MaybeUninit::<[u64; FRONT]>::uninit();
        let size = size_of::<[u64; FRONT]>() as u32;
        // SAFETY: the helper checks the address, and writes zeros when it cannot read it.
        let words = unsafe {
            bpf_probe_read_kernel(words.as_mut_ptr().cast(), size, sk.cast());
            words.assume_init()
        };
        Self { words, sk }
    }

    /// The field at this offset, from the socket itself where it lies behind what was copied.
    #[inline(always)]
    pub fn field<T: Copy + Default>(&self, offset: usize) -> T {
        if offset + size_of::<T>() > size_of_val(&self.words) {
            return copied(address_of(self.sk), offset);
        }
        // SAFETY: inside the copy, which is aligned as the socket is. The read is volatile,
        // because the compiler does not know the offset and the verifier does.
        unsafe { self.words.as_ptr().byte_add(offset).cast::<T>().read_volatile() }
    }

    /// The local address and port.
    #[inline(always)]
    pub fn local_end(&self, family: u16) -> (Address, u16) {
        let address = if family == AF_INET {
            v4_mapped(self.field(offset!(sock_rcv_saddr)))
        } else {
            self.field(offset!(sock_v6_rcv_saddr))
        };
        (address, self.field(offset!(sock_num)))
    }
}

/// `sock->sk` of a BTF-typed `struct socket`.
#[inline(always)]
pub fn sk_of(socket: *const c_void) -> *const c_void {
    // SAFETY: a BTF-typed socket and the kernel's offset.
    unsafe { field(socket, offset!(socket_sk)) }
}

/// A record of the current task's about a BTF-typed socket; `None` when it is
/// not in the host's network namespace or its owner is not to be told.
#[inline(always)]
pub fn origin_of(hook: Hook, sk: *const c_void) -> Option<Origin> {
    if !netns::sock_is_host(sk) {
        return None;
    }
    let owner = Owner::of(current_cgroup());
    owner.is_told().then(|| origin_in(owner, hook, sk))
}

/// The same when all of that, and whose the current task is, is known.
#[inline(always)]
pub fn origin_in(owner: Owner, hook: Hook, sk: *const c_void) -> Origin {
    Origin {
        hook,
        actor: Actor::in_cgroup(owner.cgroup),
        owner,
        created_in: CreatedIn::Cgroup(cgroup_of(sk)),
        cookie: cookie(sk.cast_mut()),
    }
}

/// Local and remote end of a BTF-typed socket.
pub struct Ends {
    pub local: Address,
    pub remote: Address,
    pub remote_port: u16,
}

#[inline(always)]
pub fn socket_of(sk: *const c_void) -> Socket {
    // SAFETY: a BTF-typed socket and the kernel's offsets.
    unsafe {
        Socket {
            family: field::<_, u16>(sk, offset!(sock_family)),
            kind: field::<_, u16>(sk, offset!(sock_type)),
            protocol: field::<_, u16>(sk, offset!(sock_protocol)).into(),
        }
    }
}

#[inline(always)]
pub fn ends_of(sk: *const c_void, family: u16) -> Ends {
    // SAFETY: a BTF-typed socket and the kernel's offsets.
    unsafe {
        let remote_port = u16::from_be(field(sk, offset!(sock_dport)));
        if family == AF_INET {
            Ends {
                local: v4_mapped(field(sk, offset!(sock_rcv_saddr))),
                remote: v4_mapped(field(sk, offset!(sock_daddr))),
                remote_port,
            }
        } else {
            Ends {
                local: words(sk, offset!(sock_v6_rcv_saddr)),
                remote: words(sk, offset!(sock_v6_daddr)),
                remote_port,
            }
        }
    }
}

/// # Safety
/// As [`field`]: sixteen bytes of a BTF-typed struct, read a word at a time
/// because that is how the verifier knows `struct in6_addr`.
#[inline(always)]
unsafe fn words(sk: *const c_void, offset: usize) -> Address {
    // SAFETY: the caller's.
    unsafe {
        [field(sk, offset), field(sk, offset + 4), field(sk, offset + 8), field(sk, offset + 12)]
    }
}

/// What a `sock_addr` context says of its socket.
#[inline(always)]
pub fn socket_of_context(ctx: *mut bpf_sock_addr) -> Socket {
    // SAFETY: `ctx` is the program's own context; the verifier rewrites the loads.
    unsafe {
        Socket {
            family: (*ctx).family as u16,
            kind: (*ctx).type_ as u16,
            protocol: (*ctx).protocol,
        }
    }
}

/// What a `bpf_sock` says of itself.
#[inline(always)]
pub fn socket_of_sock(sk: *const bpf_sock) -> Socket {
    // SAFETY: `sk` is the program's own context; the verifier rewrites the loads.
    unsafe {
        Socket { family: (*sk).family as u16, kind: (*sk).type_ as u16, protocol: (*sk).protocol }
    }
}

/// The socket of a `sock_addr` context.
#[inline(always)]
pub fn sock_of_context(ctx: *mut bpf_sock_addr) -> *const bpf_sock {
    // SAFETY: `ctx` is the program's own context; the verifier knows the field as a socket.
    unsafe { (*ctx).__bindgen_anon_1.sk }
}

/// Whether the address in a `sock_addr` context is of the family that its program is for:
/// the kernel looks at that only afterwards.
#[inline(always)]
pub fn is_of_family(ctx: *mut bpf_sock_addr, family: u16) -> bool {
    // SAFETY: as above.
    unsafe { (*ctx).user_family == family.into() }
}

/// The requested or remote address of an IPv4 `sock_addr` context.
#[inline(always)]
pub fn user_address4(ctx: *mut bpf_sock_addr) -> Address {
    // SAFETY: as above; IPv6 programs may not touch this field.
    v4_mapped(unsafe { (*ctx).user_ip4 })
}

/// The requested or remote address of an IPv6 `sock_addr` context.
#[inline(always)]
pub fn user_address6(ctx: *mut bpf_sock_addr) -> Address {
    // SAFETY: as above; IPv4 programs may not touch this field. Word by word,
    // or the compiler merges the loads into a width the verifier refuses.
    unsafe {
        let words = (&raw const (*ctx).user_ip6).cast::<u32>();
        [
            core::ptr::read_volatile(words),
            core::ptr::read_volatile(words.add(1)),
            core::ptr::read_volatile(words.add(2)),
            core::ptr::read_volatile(words.add(3)),
        ]
    }
}

/// The requested or remote port of a `sock_addr` context, host order.
#[inline(always)]
pub fn user_port(ctx: *mut bpf_sock_addr) -> u16 {
    // SAFETY: as above. The field holds the port in network order in its low half.
    u16::from_be(unsafe { (*ctx).user_port } as u16)
}

/// The address that an IPv4 datagram is sent from: the socket's, or what the caller
/// chose for this one; unspecified when the kernel's routes are to choose.
#[inline(always)]
pub fn sender4(ctx: *mut bpf_sock_addr) -> Address {
    // SAFETY: as above; only the sendmsg programs may touch this field.
    v4_mapped(unsafe { (*ctx).msg_src_ip4 })
}

/// The same of an IPv6 datagram.
#[inline(always)]
pub fn sender6(ctx: *mut bpf_sock_addr) -> Address {
    // SAFETY: as above, word by word for the same reason.
    unsafe {
        let words = (&raw const (*ctx).msg_src_ip6).cast::<u32>();
        [
            core::ptr::read_volatile(words),
            core::ptr::read_volatile(words.add(1)),
            core::ptr::read_volatile(words.add(2)),
            core::ptr::read_volatile(words.add(3)),
        ]
    }
}

/// The local address of an IPv4 `bpf_sock`.
#[inline(always)]
pub fn source4(sk: *const bpf_sock) -> Address {
    // SAFETY: as above.
    v4_mapped(unsafe { (*sk).src_ip4 })
}

/// The local address of an IPv6 `bpf_sock`.
#[inline(always)]
pub fn source6(sk: *const bpf_sock) -> Address {
    // SAFETY: as above, word by word for the same reason.
    unsafe {
        let words = (&raw const (*sk).src_ip6).cast::<u32>();
        [
            core::ptr::read_volatile(words),
            core::ptr::read_volatile(words.add(1)),
            core::ptr::read_volatile(words.add(2)),
            core::ptr::read_volatile(words.add(3)),
        ]
    }
}

/// The remote address of an IPv4 `bpf_sock`, or of an IPv6 one whose peer is v4-mapped.
#[inline(always)]
pub fn destination4(sk: *const bpf_sock) -> Address {
    // SAFETY: as above.
    v4_mapped(unsafe { (*sk).dst_ip4 })
}

/// The remote address of an IPv6 `bpf_sock`.
#[inline(always)]
pub fn destination6(sk: *const bpf_sock) -> Address {
    // SAFETY: as above, word by word for the same reason.
    unsafe {
        let words = (&raw const (*sk).dst_ip6).cast::<u32>();
        [
            core::ptr::read_volatile(words),
            core::ptr::read_volatile(words.add(1)),
            core::ptr::read_volatile(words.add(2)),
            core::ptr::read_volatile(words.add(3)),
        ]
    }
}
