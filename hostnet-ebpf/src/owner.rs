//! Whose operations are told: everything, unless the agent has classed the
//! owner's cgroup as the host's own.
//!
//! Absent means "tell", so a container is watched from its first instruction
//! and a full map costs cycles, never events.

use aya_ebpf::{macros::map, maps::HashMap};

use crate::settings::setting;

const BPF_F_NO_PREALLOC: u32 = 1;

/// Cgroups whose tasks are host processes, filled by the agent.
#[map]
static HOST_CGROUPS: HashMap<u64, u8> = HashMap::with_max_entries(1 << 16, BPF_F_NO_PREALLOC);

/// Whether operations of this cgroup's tasks are told in full.
#[inline(always)]
pub fn is_told(cgroup: u64) -> bool {
    let all: u32 = setting!(all);
    // SAFETY: the reference does not outlive this expression.
    all == 1 || unsafe { HOST_CGROUPS.get(cgroup) }.is_none()
}
