//! What the agent notes for an agent after it. No program looks at it.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap},
};
use hostnet_abi::ToldKey;

const BPF_F_NO_PREALLOC: u32 = 1;

/// How much of each counter has been told.
#[map]
static TOLD: HashMap<ToldKey, u64> = HashMap::with_max_entries(1 << 15, BPF_F_NO_PREALLOC);

/// When records were last read, `CLOCK_BOOTTIME` nanoseconds.
#[map]
static PULSE: Array<u64> = Array::with_max_entries(1, 0);
