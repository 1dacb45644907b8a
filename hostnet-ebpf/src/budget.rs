//! How much an owner may tell: so many records a second, and a burst. One that has
//! more to tell leaves the ring to the others; of its own acts those that are new
//! are still told, up to a quota for each kind, those that detections depend on up to
//! another (abi/sensitive.rs), and each of the rest is counted.
//!
//! A budget is one number: the time until which it is spent. It is read, compared
//! and added to without a lock, so processors that act at the same moment may
//! each get in one record more than is due; the counts are exact all the same,
//! because whoever is refused counts itself. A budget of its own for each
//! processor would give a container that uses one of them only a part of its due.

use core::ptr::null_mut;

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray},
};
use hostnet_abi::{Act, CARRIES_STATE, Cgroup, LossKey, Suppressed, first_seen, sensitive};

use crate::{
    atomic::{add, add_one},
    contained,
    owner::Owner,
    sensitive::index_of,
    settings::setting,
    task::Actor,
};

const BPF_F_NO_PREALLOC: u32 = 1;
const BPF_NOEXIST: u64 = 1;
const EEXIST: i64 = 17;

/// Added to the clock, or in the first seconds after boot nothing were saved up yet.
const EPOCH_NS: u64 = 1 << 40;

/// Budgets of cgroups of which nothing is known: just made, or gone while a socket
/// of theirs was still there. They share only when their ids agree in the last bits.
#[map]
static UNKNOWN_CGROUPS: Array<Cgroup> = Array::with_max_entries(UNKNOWN as u32, 0);
const UNKNOWN: u64 = 4096;

/// Acts that were told although their owner's budget was spent. The agent removes
/// what is older than the window.
#[map]
static FIRST_SEEN: HashMap<Act, u64> =
    HashMap::with_max_entries(first_seen::ENTRIES, BPF_F_NO_PREALLOC);

/// Acts that were counted instead of told, and what is left of quotas.
#[map]
static SUPPRESSED: HashMap<LossKey, Suppressed> =
    HashMap::with_max_entries(1 << 14, BPF_F_NO_PREALLOC);

/// Acts of owners that are not there, by kind; from [`OF_NEW`] on those that were new.
#[map]
static SUPPRESSED_UNOWNED: PerCpuArray<u64> = PerCpuArray::with_max_entries(64, 0);
const OF_NEW: u32 = 32;

/// Quotas of owners that are not in `SUPPRESSED`. Several share one when their ids and
/// kinds agree in the last bits.
#[map]
static SHARED_QUOTAS: Array<Suppressed> = Array::with_max_entries(SHARED as u32, 0);
const SHARED: u64 = 1024;

/// Whether the owner may tell one more record at `now`; it is then paid for.
#[inline(always)]
pub fn admits(owner: Owner, actor: &Actor, now: u64, carries_state: bool) -> bool {
    if let Some(entry) = owner.entry()
        && owner.pays_itself()
    {
        return pay(entry, now, carries_state);
    }
    admits_elsewhere(owner.cgroup, actor.tgid(), now, carries_state)
}

/// Not inlined, because it is not the common path.
#[inline(never)]
fn admits_elsewhere(cgroup: u64, tgid: u32, now: u64, carries_state: bool) -> bool {
    let payer = Owner::of(payer(cgroup, tgid));
    match payer.entry() {
        Some(entry) => pay(entry, now, carries_state),
        None => match UNKNOWN_CGROUPS.get_ptr_mut((payer.cgroup & (UNKNOWN - 1)) as u32) {
            Some(entry) => pay(entry, now, carries_state),
            None => true,
        },
    }
}

/// The cgroup that pays for what is done in this one: the acting process' own
/// container, where others may be and where nothing is known of the cgroup.
#[inline(always)]
pub fn payer(cgroup: u64, tgid: u32) -> u64 {
    let mut payer = cgroup;
    let owner = Owner::of(cgroup);
    if (owner.entry().is_none() || owner.is_mixed())
        && let Some(known) = contained::known(tgid)
        && known.home != 0
    {
        payer = known.home;
    }
    let Some(entry) = Owner::of(payer).entry() else { return payer };
    // SAFETY: as above. Volatile, or the compiler compares what was not read where there
    // is no entry, which the verifier refuses.
    let other = unsafe { (&raw const (*entry).payer).read_volatile() };
    if other == 0 { payer } else { other }
}

#[inline(always)]
fn pay(entry: *mut Cgroup, now: u64, carries_state: bool) -> bool {
    let now = now + EPOCH_NS;
    let cost: u64 = setting!(cost_ns);
    // SAFETY: a live, aligned map value.
    let slot = unsafe { &raw mut (*entry).spent_ns };
    // SAFETY: as above; volatile, because other processors write it.
    let spent = unsafe { slot.read_volatile() };
    let earliest = now - setting!(window_ns, u64);
    if spent < earliest {
        // SAFETY: as above. Of several that write it here one counts.
        unsafe { slot.write_volatile(earliest + cost) };
        return true;
    }
    let kept: u64 = if carries_state { 0 } else { setting!(state_ns) };
    if spent > now - kept {
        return false;
    }
    add(slot, cost);
    true
}

/// Whether an act is told although its owner's budget is spent, because it may be and
/// none like it was lately. One that is not is counted here. `is_alive` says that its
/// owner is there, for it acts itself.
#[inline(never)]
pub fn is_first(act: &Act, now: u64, may_be: bool, is_alive: bool) -> bool {
    // Of cgroups that are gone there may be any number: they have no entries of their own.
    let is_known = is_alive || Owner::of(act.cgroup).entry().is_some();
    let own = if is_known { own_quota(act.cgroup, act.kind, now) } else { null_mut() };
    let mut is_new = false;
    if may_be {
        let seen = FIRST_SEEN.get_ptr_mut(act);
        // SAFETY: a live map value.
        is_new =
            seen.is_none_or(|seen| now - unsafe { seen.read_volatile() } >= first_seen::WINDOW_NS);
        if is_new {
            let quota = own_or_shared(own, act.cgroup, act.kind);
            let is_admitted =
                takes(quota, first_seen::MOST, now) || takes_sensitive(act, now, is_known);
            if is_admitted && remember(act, seen, now, is_known) {
                return true;
            }
            // Another processor that reports the same at this moment has made it a repeat.
            is_new = !is_admitted;
        }
    }
    if !own.is_null() {
        // SAFETY: a live map value; the projections stay inside it.
        unsafe {
            add_one(&raw mut (*own).count);
            if is_new {
                add_one(&raw mut (*own).new);
            }
        }
        return false;
    }
    let kind = (act.kind & !CARRIES_STATE) as u32;
    if let Some(count) = SUPPRESSED_UNOWNED.get_ptr_mut(kind) {
        add_one(count);
    }
    if is_new && let Some(count) = SUPPRESSED_UNOWNED.get_ptr_mut(kind + OF_NEW) {
        add_one(count);
    }
    false
}

/// Whether a detection depends on such acts, and there is room for this one in its quota.
#[inline(always)]
fn takes_sensitive(act: &Act, now: u64, is_known: bool) -> bool {
    let Some(kind) = act.sensitive_kind(index_of) else { return false };
    let own = if is_known { own_quota(act.cgroup, kind, now) } else { null_mut() };
    takes(own_or_shared(own, act.cgroup, kind), sensitive::MOST, now)
}

/// An owner's own counts and quota; null when the table is full. Not an `Option`: what is
/// undefined in one without a pointer, the verifier takes for read.
#[inline(always)]
fn own_quota(cgroup: u64, kind: u64, now: u64) -> *mut Suppressed {
    let key = LossKey { cgroup, kind };
    if let Some(own) = SUPPRESSED.get_ptr_mut(key) {
        return own;
    }
    let none = Suppressed { count: 0, new: 0, window_ns: now, reported: 0 };
    // Another processor may insert the same key first; then the second look finds it.
    let _raced = SUPPRESSED.insert(key, none, BPF_NOEXIST);
    SUPPRESSED.get_ptr_mut(key).unwrap_or(null_mut())
}

/// The owner's own quota, or the one that it shares when it has none.
#[inline(always)]
fn own_or_shared(own: *mut Suppressed, cgroup: u64, kind: u64) -> *mut Suppressed {
    if !own.is_null() {
        return own;
    }
    let index = ((cgroup << 5 ^ kind ^ kind >> 32) & (SHARED - 1)) as u32;
    SHARED_QUOTAS.get_ptr_mut(index).unwrap_or(null_mut())
}

/// Takes one of `most` acts in a window; says whether there was one left.
#[inline(always)]
fn takes(quota: *mut Suppressed, most: u64, now: u64) -> bool {
    if quota.is_null() {
        return false;
    }
    // SAFETY: a live map value.
    unsafe {
        if now - (*quota).window_ns >= first_seen::WINDOW_NS {
            (*quota).window_ns = now;
            (*quota).reported = 0;
        }
        if (*quota).reported >= most {
            return false;
        }
        add_one(&raw mut (*quota).reported);
    }
    true
}

/// Notes that an act is told; says whether no other processor has done so. Without room
/// for it, it is told all the same, and is new when it is done again: what an owner can
/// be made to tell twice comes out of its own quota.
#[inline(always)]
fn remember(act: &Act, seen: Option<*mut u64>, now: u64, is_known: bool) -> bool {
    if let Some(seen) = seen {
        // SAFETY: a live map value.
        unsafe { seen.write_volatile(now) };
        return true;
    }
    let kind = first_seen::ALL_KINDS;
    let own = if is_known { own_quota(act.cgroup, kind, now) } else { null_mut() };
    if !takes(own_or_shared(own, act.cgroup, kind), first_seen::SHARE, now) {
        return true;
    }
    !matches!(FIRST_SEEN.insert(act, now, BPF_NOEXIST), Err(error) if i64::from(error) == -EEXIST)
}
