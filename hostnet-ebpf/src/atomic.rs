//! Numbers that other processors, or a program that interrupts this one, also touch.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

/// Adds one to such a number.
#[inline(always)]
pub fn add_one(counter: *mut u64) {
    add(counter, 1);
}

/// Adds to it.
#[inline(always)]
pub fn add(to: *mut u64, what: u64) {
    // SAFETY: a live, aligned map value, and whoever adds is atomic.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(to, what) };
}
