//! Where an entry is in the table of what detections depend on.

use core::mem::offset_of;

use hostnet_abi::{Settings, sensitive::ENTRIES};

use crate::settings::setting_at;

/// Its place in the table, from 1; 0 when it is not there. Not inlined: it is asked only
/// when a budget and a quota are used up.
#[inline(never)]
pub fn index_of(entry: u64) -> u64 {
    let mut at = 0;
    while at < ENTRIES {
        if setting_at::<u64>(offset_of!(Settings, sensitive) + at * size_of::<u64>()) == entry {
            return at as u64 + 1;
        }
        at += 1;
    }
    0
}
