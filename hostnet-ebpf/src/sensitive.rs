//! Where an entry is in the table of what detections depend on.

use aya_ebpf::{macros::map, maps::HashMap};
use hostnet_abi::sensitive::ENTRIES;

const BPF_F_RDONLY_PROG: u32 = 1 << 7;

/// The place of each entry, from 1.
#[map]
static SENSITIVE: HashMap<u64, u64> = HashMap::with_max_entries(ENTRIES as u32, BPF_F_RDONLY_PROG);

/// Its place in the table, from 1; 0 when it is not there.
#[inline(always)]
pub fn index_of(entry: u64) -> u64 {
    // SAFETY: no program writes the map, and the agent writes it before they run.
    unsafe { SENSITIVE.get(entry) }.copied().unwrap_or(0)
}
