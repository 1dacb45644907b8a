//! Whose operations are told: everything, unless the agent has classed the
//! owner's cgroup as the host's own.
//!
//! Absent means "tell", so a container is watched from its first instruction
//! and a full map costs cycles, never events. A cgroup that a container's
//! process moves into is told whole from then on (contained.rs): its sockets are
//! told in contexts where nobody knows whose process made them, and the agent
//! sorts out the host's.

use aya_ebpf::{bindings::BPF_ANY, macros::map, maps::HashMap};
use hostnet_abi::cgroup_class::MIXED;

use crate::settings::setting;

const BPF_F_NO_PREALLOC: u32 = 1;

/// Cgroups whose tasks are host processes, filled by the agent, which never
/// overwrites what [`mix`] has written.
#[map]
static HOST_CGROUPS: HashMap<u64, u8> = HashMap::with_max_entries(1 << 16, BPF_F_NO_PREALLOC);

/// Whether operations of this cgroup's tasks are told in full.
#[inline(always)]
pub fn is_told(cgroup: u64) -> bool {
    let all: u32 = setting!(all);
    all == 1 || is_open(class(cgroup))
}

/// The cgroup's class (`hostnet_abi::cgroup_class`), when it has one.
#[inline(always)]
pub fn class(cgroup: u64) -> Option<u8> {
    // SAFETY: the reference does not outlive this expression.
    unsafe { HOST_CGROUPS.get(cgroup) }.copied()
}

/// Whether tasks of cgroups of this class are told.
#[inline(always)]
pub fn is_open(class: Option<u8>) -> bool {
    class.is_none_or(|class| class == MIXED)
}

/// Tells all of this cgroup's tasks from now on. Written even where nothing is
/// yet: the agent may be about to class the cgroup. Returns `false` when there
/// is no room; such a cgroup has no class and is told, until the agent gives it one.
#[inline(always)]
pub fn mix(cgroup: u64) -> bool {
    HOST_CGROUPS.insert(cgroup, MIXED, BPF_ANY.into()).is_ok()
}
