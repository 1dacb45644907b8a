//! Names of unix sockets: where they are, and the one way to emit them.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str};
use hostnet_abi::{
    MAX_SUN_PATH, NAME_WORDS, Socket, Subject, Unix, name_hash, sensitive::path_end,
};

use crate::{
    origin::Origin,
    read::copied,
    ring::emit_in_place,
    settings::{name_key, offset},
    unix_peer::Peer,
};

/// Bytes of `sun_family`, which come before the name.
const SUN_FAMILY: u64 = 2;

/// Where a name is in kernel memory, and how long it is.
#[derive(Clone, Copy)]
pub struct Name {
    address: u64,
    length: u32,
}

/// What a record says beside the name.
#[derive(Clone, Copy)]
pub struct Operation {
    pub socket: Socket,
    pub operation: u16,
    pub errno: u16,
    pub backlog: u16,
    pub peer: Peer,
}

impl Name {
    const NONE: Self = Self { address: 0, length: 0 };

    /// The name in the kernel's copy of a `sockaddr_un` of `length` bytes.
    #[inline(always)]
    pub fn of_sockaddr(sockaddr: *const c_void, length: i32) -> Self {
        if length <= SUN_FAMILY as i32 {
            return Self::NONE;
        }
        Self { address: sockaddr as u64 + SUN_FAMILY, length: length as u32 - SUN_FAMILY as u32 }
    }

    pub const fn is_none(&self) -> bool {
        self.length == 0
    }
}

/// `unix_sk(sk)->addr->name`.
#[inline(always)]
pub fn own_name(sk: *const c_void) -> Name {
    name_at(sk as u64)
}

/// The name of `unix_sk(sk)->peer`.
#[inline(always)]
pub fn peer_name(sk: *const c_void) -> Name {
    let peer: u64 = copied(sk as u64, offset!(unix_peer));
    if peer == 0 { Name::NONE } else { name_at(peer) }
}

#[inline(always)]
fn name_at(sk: u64) -> Name {
    let address: u64 = copied(sk, offset!(unix_addr));
    if address == 0 {
        return Name::NONE;
    }
    let length: i32 = copied(address, offset!(unix_address_len));
    Name::of_sockaddr((address + offset!(unix_address_name) as u64) as *const c_void, length)
}

/// A number that tells names apart; different names may share one.
#[inline(always)]
pub fn fingerprint(name: &Name) -> u64 {
    let mut words = [0_u64; NAME_WORDS];
    let mut length = name.length;
    if length > MAX_SUN_PATH as u32 {
        length = MAX_SUN_PATH as u32;
    }
    // SAFETY: the buffer is at least as long; what cannot be read stays zero.
    unsafe {
        bpf_probe_read_kernel(words.as_mut_ptr().cast(), length, name.address as *const c_void)
    };
    name_hash(&words, length, name_key)
}

/// What a path, which ends at the first NUL, ends with; 0 of one that is shorter than a
/// word, and of an abstract name. Not inlined: it is asked only of what is beyond a budget,
/// and the copy has a stack of its own, for which there is little room. Not a loop over the
/// bytes either: verifiers before Linux 6.18 take minutes for one.
#[inline(never)]
fn end_of_path(address: u64, length: u32) -> u32 {
    const PART: usize = 16;
    const WORD: u64 = size_of::<u64>() as u64;
    let mut part = [0_u8; PART];
    let mut path = 0;
    for _ in 0..MAX_SUN_PATH.div_ceil(PART - 1) {
        let source = (address + path) as *const c_void;
        // SAFETY: the buffer is as long; the helper checks the address.
        let read =
            unsafe { bpf_probe_read_kernel_str(part.as_mut_ptr().cast(), PART as u32, source) };
        if read <= 1 {
            break;
        }
        path += read as u64 - 1;
        if read < PART as i64 {
            break;
        }
    }
    if path < WORD || path > u64::from(length) {
        return 0;
    }
    path_end(copied(address, (path - WORD) as usize))
}

/// Emits an operation with a name. The name is read into the reserved record
/// itself: a copy elsewhere would have to be cleared first. `HAS_END`: what a path ends with
/// is looked at; the stacks of the program that sends datagrams have no room for it, and
/// runtimes listen for streams.
#[inline(always)]
pub fn emit_unix<const HAS_END: bool>(origin: Origin, operation: Operation, name: &Name) {
    let subject = || {
        let hash = fingerprint(name);
        let detail = u32::from(operation.operation) << 16 | u32::from(operation.errno);
        let port = if HAS_END { end_of_path(name.address, name.length) } else { 0 };
        Subject { address: [hash as u32, (hash >> 32) as u32, 0, 0], port, detail }
    };
    emit_in_place::<Unix>(origin, subject, |payload| {
        let mut length = name.length;
        if length > MAX_SUN_PATH as u32 {
            length = MAX_SUN_PATH as u32;
        }
        // SAFETY: `payload` is the record's reserved memory, as long as the struct.
        unsafe {
            let target = (&raw mut (*payload).name).cast();
            if length > 0
                && bpf_probe_read_kernel(target, length, name.address as *const c_void) != 0
            {
                length = 0;
            }
            (&raw mut (*payload).peer_cgroup).write(operation.peer.cgroup);
            (&raw mut (*payload).peer_tgid).write(operation.peer.tgid);
            (&raw mut (*payload).socket).write(operation.socket);
            (&raw mut (*payload).operation).write(operation.operation);
            (&raw mut (*payload).errno).write(operation.errno);
            (&raw mut (*payload).backlog).write(operation.backlog);
            (&raw mut (*payload).name_length).write(length as u16);
        }
    });
}
