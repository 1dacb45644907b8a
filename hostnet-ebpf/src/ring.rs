//! The one place that emits: reserve, fill, submit, and count what did not fit.
//!
//! Submitted without a wake-up, which is the dearest part of a ring buffer; the
//! agent polls and bounds the delay.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::{
    bindings::{BPF_RB_NO_WAKEUP, bpf_sock},
    helpers::generated::{bpf_ktime_get_boot_ns, bpf_ringbuf_output},
    macros::map,
    maps::{HashMap, PerCpuArray, RingBuf},
};
use hostnet_abi::{EventKind, Header, Hook, LossKey, Payload};

use crate::{sock::cgroup_at, task::Actor};

const BPF_F_NO_PREALLOC: u32 = 1;

/// The records. The agent sets the size.
#[map]
static RECORDS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// Records that did not fit, by owner and kind.
#[map]
static LOSSES: HashMap<LossKey, u64> = HashMap::with_max_entries(4096, BPF_F_NO_PREALLOC);

/// Losses of owners that found no room in `LOSSES`, by kind.
#[map]
static LOSSES_UNOWNED: PerCpuArray<u64> = PerCpuArray::with_max_entries(64, 0);

/// What a record says beside its payload.
#[derive(Clone, Copy)]
pub struct Origin {
    pub hook: Hook,
    pub actor: Actor,
    pub created_in: CreatedIn,
    pub cookie: u64,
}

/// The cgroup a record's socket was created in.
#[derive(Clone, Copy)]
pub enum CreatedIn {
    /// The record is not about a socket.
    None,
    /// This one.
    Cgroup(u64),
    /// To be read from the socket of a cgroup program, which has no BTF type.
    Socket(*const bpf_sock),
}

impl Origin {
    /// A record about a task or a cgroup, not a socket.
    #[inline(always)]
    pub const fn of_task(hook: Hook, actor: Actor) -> Self {
        Self { hook, actor, created_in: CreatedIn::None, cookie: 0 }
    }

    #[inline(always)]
    fn known_cgroup(self) -> u64 {
        if let CreatedIn::Cgroup(id) = self.created_in { id } else { 0 }
    }

    #[inline(always)]
    pub fn header(self, kind: EventKind, length: usize) -> Header {
        Header {
            // SAFETY: the helper takes no argument and cannot fail.
            boot_ns: unsafe { bpf_ktime_get_boot_ns() },
            task_cgroup: self.actor.cgroup,
            socket_cgroup: self.known_cgroup(),
            cookie: self.cookie,
            tgid: (self.actor.tgid_tid >> 32) as u32,
            tid: self.actor.tgid_tid as u32,
            uid: self.actor.gid_uid as u32,
            gid: (self.actor.gid_uid >> 32) as u32,
            kind: kind as u16,
            hook: self.hook as u16,
            length: length as u32,
        }
    }
}

/// Emits a record without a tail.
#[inline(always)]
pub fn emit<P: Payload>(origin: Origin, payload: P) {
    let length = size_of::<Header>() + size_of::<P>();
    let Some(mut entry) = RECORDS.reserve_bytes(length, 0) else {
        count_loss(&origin, P::KIND);
        return;
    };
    // SAFETY: the reservation is 8-aligned and exactly as long as the two parts.
    unsafe {
        let start = entry.as_mut_ptr();
        let header = start.cast::<Header>();
        header.write(origin.header(P::KIND, length));
        if let CreatedIn::Socket(sk) = origin.created_in {
            let slot = &raw mut (*header).socket_cgroup;
            // The verifier forbids arithmetic on this pointer; stored in the record and
            // read back it is a number, at no helper call's price.
            slot.cast::<*const bpf_sock>().write_volatile(sk);
            slot.write(cgroup_at(slot.read_volatile()));
        }
        start.add(size_of::<Header>()).cast::<P>().write(payload);
    }
    entry.submit(BPF_RB_NO_WAKEUP.into());
}

/// Emits a record whose payload `fill` writes where it is, field by field. It
/// must write every field that a reader looks at.
#[inline(always)]
pub fn emit_in_place<P: Payload>(origin: Origin, fill: impl FnOnce(*mut P)) {
    let length = size_of::<Header>() + size_of::<P>();
    let Some(mut entry) = RECORDS.reserve_bytes(length, 0) else {
        count_loss(&origin, P::KIND);
        return;
    };
    // SAFETY: the reservation is 8-aligned and exactly as long as the two parts.
    unsafe {
        let start = entry.as_mut_ptr();
        start.cast::<Header>().write(origin.header(P::KIND, length));
        fill(start.add(size_of::<Header>()).cast::<P>());
    }
    entry.submit(BPF_RB_NO_WAKEUP.into());
}

/// Emits a record that was put together in scratch memory of type `S`, as long
/// as its header says.
///
/// # Safety
/// `scratch` must begin with the record's header, and the bytes that the
/// header's length counts must be initialised.
#[inline(always)]
pub unsafe fn emit_scratch<S>(origin: &Origin, kind: EventKind, scratch: *const S) {
    // SAFETY: the caller vouches for the header. Read back from memory, because
    // the verifier of older kernels (6.1) lost track of how the length came about.
    let length = unsafe { (&raw const (*scratch.cast::<Header>()).length).read_volatile() };
    if length as usize > size_of::<S>() {
        return count_loss(origin, kind);
    }
    // SAFETY: the caller vouches for the bytes; the verifier checks the bounds.
    let status = unsafe {
        bpf_ringbuf_output(
            (&raw const RECORDS).cast_mut().cast(),
            scratch.cast_mut().cast(),
            length.into(),
            BPF_RB_NO_WAKEUP.into(),
        )
    };
    if status != 0 {
        count_loss(origin, kind);
    }
}

/// Not inlined: it runs only when the ring is full, and the common path stays short.
#[inline(never)]
fn count_loss(origin: &Origin, kind: EventKind) {
    let cgroup = if origin.actor.cgroup != 0 { origin.actor.cgroup } else { origin.known_cgroup() };
    let key = LossKey { cgroup, kind: kind as u64 };
    if let Some(count) = LOSSES.get_ptr_mut(key) {
        add_one(count);
        return;
    }
    // Another CPU may insert the same key first; then the second look finds it.
    let _raced = LOSSES.insert(key, 0, 1 /* BPF_NOEXIST */);
    if let Some(count) = LOSSES.get_ptr_mut(key) {
        add_one(count);
    } else if let Some(count) = LOSSES_UNOWNED.get_ptr_mut(kind as u32) {
        add_one(count);
    }
}

/// Adds one to a counter that other CPUs, or a program interrupting this one, also touch.
#[inline(always)]
pub fn add_one(counter: *mut u64) {
    // SAFETY: `counter` is a live, aligned map value, and every writer is atomic.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, 1) };
}
