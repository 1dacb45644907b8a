//! The one place that emits: ask the owner's budget, reserve, fill, submit, and
//! count what did not fit.
//!
//! What an owner tells within its budget goes to one ring, the new acts of one
//! that is beyond it to another, where they find room whatever fills the first.
//! Submitted without a wake-up, which is the dearest part of a ring buffer; the
//! agent polls and bounds the delay.

use aya_ebpf::{
    bindings::{BPF_RB_NO_WAKEUP, bpf_sock},
    helpers::generated::{bpf_ktime_get_boot_ns, bpf_ringbuf_output},
    macros::map,
    maps::{HashMap, PerCpuArray, RingBuf},
};
use hostnet_abi::{Act, CARRIES_STATE, EventKind, Header, LossKey, Payload, Repeats, Subject};

use crate::{
    atomic::add_one,
    budget,
    origin::{CreatedIn, Origin},
    owner::Owner,
    sock::cgroup_at_mostly,
};

const BPF_F_NO_PREALLOC: u32 = 1;

/// The records. The agent sets the size.
#[map]
static RECORDS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// First acts of owners whose budget is spent. The agent sets the size.
#[map]
static RESERVED: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Records that did not fit, by owner and kind.
#[map]
static LOSSES: HashMap<LossKey, u64> = HashMap::with_max_entries(4096, BPF_F_NO_PREALLOC);

/// Losses of owners that found no room in `LOSSES`, by kind.
#[map]
static LOSSES_UNOWNED: PerCpuArray<u64> = PerCpuArray::with_max_entries(64, 0);

/// `CLOCK_BOOTTIME`, nanoseconds.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes no argument and cannot fail.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// The ring that a record goes to; `None` when it is only counted.
#[inline(always)]
fn ring_for(
    origin: &Origin,
    kind: EventKind,
    now: u64,
    carries_state: impl FnOnce() -> bool,
    subject: impl FnOnce() -> Option<Subject>,
) -> Option<&'static RingBuf> {
    if budget::admits(origin.owner, &origin.actor, now, false) {
        return Some(&RECORDS);
    }
    let carries_state = carries_state();
    if carries_state && budget::admits(origin.owner, &origin.actor, now, true) {
        return Some(&RECORDS);
    }
    reserved_for(origin, kind, now, carries_state, subject())
}

/// The ring for what is new of an owner; `None` when it is not, and only counted.
#[inline(always)]
fn reserved_for(
    origin: &Origin,
    kind: EventKind,
    now: u64,
    carries_state: bool,
    subject: Option<Subject>,
) -> Option<&'static RingBuf> {
    let may_be_first = subject.is_some();
    let Subject { address, port, detail } = subject.unwrap_or_default();
    let tgid = origin.actor.tgid();
    let cgroup = budget::payer(origin.owner.cgroup, tgid);
    let kind = kind as u64 | if carries_state { CARRIES_STATE } else { 0 };
    let act = Act { cgroup, kind, address, port, detail };
    budget::is_first(&act, now, may_be_first, tgid != 0).then_some(&RESERVED)
}

/// Emits a record without a tail; says whether it was told.
#[inline(always)]
pub fn emit<P: Payload + Repeats>(origin: Origin, payload: P) -> bool {
    emit_as(origin, payload, || payload.carries_state())
}

/// The same where it takes a look to know whether it carries state.
#[inline(always)]
pub fn emit_as<P: Payload + Repeats>(
    origin: Origin,
    payload: P,
    carries_state: impl FnOnce() -> bool,
) -> bool {
    let now = now();
    let subject = || P::IS_TOLD_ALONE.then(|| payload.subject());
    let Some(ring) = ring_for(&origin, P::KIND, now, carries_state, subject) else {
        return false;
    };
    put(ring, origin, payload, now)
}

/// The same of what is told as though its owner's budget were spent, because nothing but
/// that budget's memory says whether it was told before.
#[inline(always)]
pub fn emit_if_new<P: Payload + Repeats>(origin: Origin, payload: P) {
    let now = now();
    if let Some(ring) = reserved_for(&origin, P::KIND, now, false, Some(payload.subject())) {
        put(ring, origin, payload, now);
    }
}

#[inline(always)]
fn put<P: Payload>(ring: &RingBuf, origin: Origin, payload: P, now: u64) -> bool {
    let length = size_of::<Header>() + size_of::<P>();
    let Some(mut entry) = ring.reserve_bytes(length, 0) else {
        count_loss(&origin, P::KIND);
        return false;
    };
    // SAFETY: the reservation is 8-aligned and exactly as long as the two parts.
    unsafe {
        let start = entry.as_mut_ptr();
        let header = start.cast::<Header>();
        header.write(origin.header(P::KIND, length, now));
        if let CreatedIn::Socket(sk) = origin.created_in {
            let slot = &raw mut (*header).socket_cgroup;
            // The verifier forbids arithmetic on this pointer; stored in the record and
            // read back it is a number, at no helper call's price.
            slot.cast::<*const bpf_sock>().write_volatile(sk);
            slot.write(cgroup_at_mostly(slot.read_volatile(), origin.actor.cgroup));
        }
        start.add(size_of::<Header>()).cast::<P>().write(payload);
    }
    entry.submit(BPF_RB_NO_WAKEUP.into());
    true
}

/// Emits a record whose payload `fill` writes where it is, field by field. It
/// must write every field that a reader looks at.
#[inline(always)]
pub fn emit_in_place<P: Payload>(
    origin: Origin,
    subject: impl FnOnce() -> Subject,
    fill: impl FnOnce(*mut P),
) {
    let (length, now) = (size_of::<Header>() + size_of::<P>(), now());
    let subject = || Some(subject());
    let Some(ring) = ring_for(&origin, P::KIND, now, || false, subject) else { return };
    let Some(mut entry) = ring.reserve_bytes(length, 0) else {
        count_loss(&origin, P::KIND);
        return;
    };
    // SAFETY: the reservation is 8-aligned and exactly as long as the two parts.
    unsafe {
        let start = entry.as_mut_ptr();
        start.cast::<Header>().write(origin.header(P::KIND, length, now));
        fill(start.add(size_of::<Header>()).cast::<P>());
    }
    entry.submit(BPF_RB_NO_WAKEUP.into());
}

/// Emits a record that was put together in scratch memory of type `S`, as long
/// as its header says, with the payload at `payload`.
///
/// # Safety
/// `scratch` must begin with the record's header, and the bytes that the
/// header's length counts must be initialised; `payload` must be valid.
#[inline(always)]
pub unsafe fn emit_scratch<P: Payload + Repeats, S>(
    origin: &Origin,
    scratch: *const S,
    payload: *const P,
) {
    // SAFETY: the caller vouches for the header.
    let now = unsafe { (&raw const (*scratch.cast::<Header>()).boot_ns).read() };
    // SAFETY: the caller vouches for the payload, here and below.
    let carries_state = || unsafe { (*payload).carries_state() };
    // SAFETY: as above.
    let subject = || unsafe { Some((*payload).subject()) };
    let Some(ring) = ring_for(origin, P::KIND, now, carries_state, subject) else { return };
    // SAFETY: the caller vouches for the header. Read back from memory at the last moment,
    // because the verifier of older kernels (6.1) forgets bounds over a call.
    let length = unsafe { (&raw const (*scratch.cast::<Header>()).length).read_volatile() };
    if length as usize > size_of::<S>() {
        return count_loss(origin, P::KIND);
    }
    // SAFETY: the caller vouches for the bytes; the verifier checks the bounds.
    let status = unsafe {
        bpf_ringbuf_output(
            (&raw const *ring).cast_mut().cast(),
            scratch.cast_mut().cast(),
            length.into(),
            BPF_RB_NO_WAKEUP.into(),
        )
    };
    if status != 0 {
        count_loss(origin, P::KIND);
    }
}

/// Not inlined: it runs only when the ring is full, and the common path stays short.
/// Counted is who pays: cgroups that a container makes do not fill the table, nor do those
/// that are gone.
#[inline(never)]
fn count_loss(origin: &Origin, kind: EventKind) {
    let tgid = origin.actor.tgid();
    let cgroup = budget::payer(origin.owner.cgroup, tgid);
    let key = LossKey { cgroup, kind: kind as u64 };
    if let Some(count) = LOSSES.get_ptr_mut(key) {
        add_one(count);
        return;
    }
    if tgid != 0 || Owner::of(cgroup).entry().is_some() {
        // Another CPU may insert the same key first; then the second look finds it.
        let _raced = LOSSES.insert(key, 0, 1 /* BPF_NOEXIST */);
    }
    if let Some(count) = LOSSES.get_ptr_mut(key) {
        add_one(count);
    } else if let Some(count) = LOSSES_UNOWNED.get_ptr_mut(kind as u32) {
        add_one(count);
    }
}
