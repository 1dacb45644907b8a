//! A process made another.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `fork(2)`; the header's task is the parent.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fork {
    /// Start of the child, `CLOCK_BOOTTIME` nanoseconds.
    pub start_ns: u64,
    /// The child's process id.
    pub child: u32,
    /// The child's process id in its own pid namespace.
    pub namespace_pid: u32,
}
