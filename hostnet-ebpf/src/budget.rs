//! How much an owner may tell: so many records a second, and a burst. One that has
//! more to tell leaves the ring to the others; of its own acts those that are new
//! are still told, and each of the rest is counted.
//!
//! A budget is one number: the time until which it is spent. It is read, compared
//! and added to without a lock, so processors that act at the same moment may
//! each get in one record more than is due; the counts are exact all the same,
//! because whoever is refused counts itself. A budget of its own for each
//! processor would give a container that uses one of them only a part of its due.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray},
};
use hostnet_abi::{
    Act, CARRIES_STATE, Cgroup, LossKey, Suppressed, cgroup_class::MIXED, first_seen,
};

use crate::{contained, owner::Owner, ring::add_one, settings::setting, task::Actor};

const BPF_F_NO_PREALLOC: u32 = 1;
const BPF_NOEXIST: u64 = 1;

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

/// Acts that were counted instead of told.
#[map]
static SUPPRESSED: HashMap<LossKey, Suppressed> =
    HashMap::with_max_entries(1 << 14, BPF_F_NO_PREALLOC);

/// Those of owners that found no room there, by kind.
#[map]
static SUPPRESSED_UNOWNED: PerCpuArray<u64> = PerCpuArray::with_max_entries(64, 0);

/// Whether the owner may tell one more record at `now`; it is then paid for.
#[inline(always)]
pub fn admits(owner: Owner, actor: &Actor, now: u64, carries_state: bool) -> bool {
    if let Some(entry) = owner.entry() {
        // SAFETY: a live map value.
        let (payer, class) = unsafe { ((*entry).payer, (*entry).class) };
        if payer == 0 && class != MIXED {
            return pay(entry, now, carries_state);
        }
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
    let entry = Owner::of(cgroup).entry();
    // SAFETY: a live map value.
    if entry.is_none_or(|entry| unsafe { (*entry).class } == MIXED)
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
    crate::ring::add(slot, cost);
    true
}

/// Whether an act is told although its owner's budget is spent, because it may be and
/// none like it was lately. One that is not is counted here.
#[inline(never)]
pub fn is_first(act: &Act, now: u64, may_be: bool) -> bool {
    let key = LossKey { cgroup: act.cgroup, kind: act.kind };
    let mut counted = SUPPRESSED.get_ptr_mut(key);
    if counted.is_none() {
        let none = Suppressed { count: 0, window_ns: now, remembered: 0 };
        // Another processor may insert the same key first; then the second look finds it.
        let _raced = SUPPRESSED.insert(key, none, BPF_NOEXIST);
        counted = SUPPRESSED.get_ptr_mut(key);
    }
    let Some(counted) = counted else {
        if let Some(count) = SUPPRESSED_UNOWNED.get_ptr_mut((act.kind & !CARRIES_STATE) as u32) {
            add_one(count);
        }
        return false;
    };
    if may_be && remember(act, counted, now) {
        return true;
    }
    // SAFETY: a live map value; the projection stays inside it.
    add_one(unsafe { &raw mut (*counted).count });
    false
}

/// Notes an act; says whether it was new and there was room.
#[inline(always)]
fn remember(act: &Act, counted: *mut Suppressed, now: u64) -> bool {
    let seen = FIRST_SEEN.get_ptr_mut(act);
    // SAFETY: live map values here and below.
    if seen.is_some_and(|seen| now - unsafe { seen.read_volatile() } < first_seen::WINDOW_NS) {
        return false;
    }
    // SAFETY: as above.
    unsafe {
        if now - (*counted).window_ns >= first_seen::WINDOW_NS {
            (*counted).window_ns = now;
            (*counted).remembered = 0;
        }
        if (*counted).remembered >= first_seen::MOST {
            return false;
        }
        add_one(&raw mut (*counted).remembered);
    }
    match seen {
        Some(seen) => {
            // SAFETY: as above.
            unsafe { seen.write_volatile(now) };
            true
        }
        // Another processor may have been first with the same act.
        None => FIRST_SEEN.insert(act, now, BPF_NOEXIST).is_ok(),
    }
}
