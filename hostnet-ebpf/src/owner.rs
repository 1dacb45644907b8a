//! Whose operations are told: everything, unless the agent has classed the
//! owner's cgroup as the host's own.
//!
//! Absent means "tell", so a container is watched from its first instruction
//! and a full map costs cycles, never events. A cgroup that a container's
//! process moves into is told whole from then on (contained.rs): its sockets are
//! told in contexts where nobody knows whose process made them, and the agent
//! sorts out the host's.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::HashMap};
use hostnet_abi::{
    Cgroup,
    cgroup_class::{MIXED, OPEN},
};

use crate::settings::setting;

const BPF_F_NO_PREALLOC: u32 = 1;
const BPF_NOEXIST: u64 = 1;

/// What is known of cgroups: filled by the agent, which never overwrites what the
/// programs have written.
#[map]
static CGROUPS: HashMap<u64, Cgroup> = HashMap::with_max_entries(1 << 16, BPF_F_NO_PREALLOC);

/// The owner of an operation: a cgroup, and what is known of it.
#[derive(Clone, Copy)]
pub struct Owner {
    pub cgroup: u64,
    /// Null when nothing is.
    entry: *mut Cgroup,
}

impl Owner {
    /// In place of one that is not known: all of these share one budget.
    pub const NOBODY: Self = Self { cgroup: 0, entry: core::ptr::null_mut() };

    #[inline(always)]
    pub fn of(cgroup: u64) -> Self {
        Self { cgroup, entry: CGROUPS.get_ptr_mut(cgroup).unwrap_or(core::ptr::null_mut()) }
    }

    /// Whether operations of this cgroup's tasks are told in full.
    #[inline(always)]
    pub fn is_told(self) -> bool {
        let all: u32 = setting!(all);
        all == 1 || is_open(self.class())
    }

    /// What is known of it, while this program runs; `None` when nothing is.
    #[inline(always)]
    pub fn entry(self) -> Option<*mut Cgroup> {
        if self.entry.is_null() { None } else { Some(self.entry) }
    }

    /// Whether others may act in it, too.
    #[inline(always)]
    pub fn is_mixed(self) -> bool {
        self.class() == Some(MIXED)
    }

    /// Whether all that is done in it is paid from its own budget.
    #[inline(always)]
    pub fn pays_itself(self) -> bool {
        // SAFETY: a live map value, which outlives the program's run.
        self.entry().is_some_and(|entry| unsafe { (*entry).payer == 0 && (*entry).class != MIXED })
    }

    #[inline(always)]
    fn class(self) -> Option<u32> {
        // SAFETY: a live map value, which outlives the program's run.
        self.entry().map(|entry| unsafe { (*entry).class })
    }
}

/// The cgroup's class (`hostnet_abi::cgroup_class`), when it has one.
#[inline(always)]
pub fn class(cgroup: u64) -> Option<u32> {
    Owner::of(cgroup).class()
}

/// Whether tasks of cgroups of this class are told.
#[inline(always)]
pub fn is_open(class: Option<u32>) -> bool {
    class.is_none_or(|class| class == MIXED || class == OPEN)
}

/// Tells all of this cgroup's tasks from now on. Written even where nothing is
/// yet: the agent may be about to class the cgroup. Returns `false` when there
/// is no room; such a cgroup has no class and is told, until the agent gives it one.
#[inline(always)]
pub fn mix(cgroup: u64) -> bool {
    let mut entry = Cgroup { spent_ns: 0, payer: 0, class: MIXED, padding: 0 };
    if let Some(before) = CGROUPS.get_ptr_mut(cgroup) {
        // SAFETY: a live map value. What it spends meanwhile is given to it.
        unsafe {
            if (*before).class == MIXED {
                return true;
            }
            entry.spent_ns = (*before).spent_ns;
            entry.payer = (*before).payer;
        }
    }
    CGROUPS.insert(cgroup, entry, BPF_ANY.into()).is_ok()
}

/// A container's process has made this cgroup: what is done there is paid for by
/// the container, or each new cgroup would give it another budget.
#[inline(always)]
pub fn made(cgroup: u64, payer: u64) {
    let entry = Cgroup { spent_ns: 0, payer, class: OPEN, padding: 0 };
    // Without room for it a cgroup is told all the same (budget.rs, `payer`).
    let _full = CGROUPS.insert(cgroup, entry, BPF_NOEXIST);
}

/// A cgroup is gone.
#[inline(always)]
pub fn gone(cgroup: u64) {
    // Not there when nothing was known of it.
    let _absent = CGROUPS.remove(cgroup);
}
