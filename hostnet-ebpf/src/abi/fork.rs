//! A process made another.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Repeats, Subject};

/// `fork(2)`; the header's task is the parent.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fork {
    /// Start of the child, `CLOCK_BOOTTIME` nanoseconds.
    pub start_ns: u64,
    /// The child's cgroup: `CLONE_INTO_CGROUP` makes it another than the parent's.
    pub cgroup: u64,
    /// The child's process id.
    pub child: u32,
    /// The child's process id in its own pid namespace.
    pub namespace_pid: u32,
    /// 1 when the parent is known to be a container's process, wherever it is now.
    pub contained: u32,
    /// Explicit padding, zero.
    pub padding: u32,
}

impl Repeats for Fork {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject::default()
    }
}
