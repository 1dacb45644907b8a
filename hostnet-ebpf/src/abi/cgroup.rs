//! Cgroups of the v2 hierarchy, and tasks moving between them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Repeats, Subject, repeat::of_number};

/// Longest cgroup path carried, bytes.
pub const MAX_CGROUP_PATH: usize = 1024;

/// A cgroup was made. The tail is its path from the hierarchy's root.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CgroupMkdir {
    /// The new cgroup's id (`kn->id`, the inode of its directory).
    pub id: u64,
    /// 1 when the path was longer than [`MAX_CGROUP_PATH`].
    pub truncated: u64,
}

impl Repeats for CgroupMkdir {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(self.id, 0)
    }
}

/// A cgroup was removed.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CgroupRmdir {
    /// The cgroup's id.
    pub id: u64,
}

impl Repeats for CgroupRmdir {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(self.id, 0)
    }
}

/// A process was moved to a cgroup.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CgroupAttach {
    /// The cgroup it is in now.
    pub id: u64,
    /// The cgroup it came from; 0 when it was no container's process before.
    pub from: u64,
    /// Start of the process, `CLOCK_BOOTTIME` nanoseconds.
    pub start_ns: u64,
    /// The process that was moved; the header's task did it.
    pub moved: u32,
    /// Explicit padding, zero.
    pub padding: u32,
}

impl Repeats for CgroupAttach {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(self.id, 0)
    }
}
