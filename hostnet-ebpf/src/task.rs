//! Who is acting: ids of the current task, or nobody.

use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid, bpf_get_current_uid_gid, generated::bpf_get_current_cgroup_id,
};

/// The task a record blames.
#[derive(Clone, Copy)]
pub struct Actor {
    pub cgroup: u64,
    pub tgid_tid: u64,
    pub gid_uid: u64,
}

impl Actor {
    /// Nobody: the kernel runs the hook in whatever context is at hand.
    pub const NONE: Self = Self { cgroup: 0, tgid_tid: 0, gid_uid: 0 };

    /// Its process, 0 for nobody.
    #[inline(always)]
    pub const fn tgid(&self) -> u32 {
        (self.tgid_tid >> 32) as u32
    }

    /// The current task, in a hook that runs in the caller's context.
    #[inline(always)]
    pub fn current() -> Self {
        Self::in_cgroup(current_cgroup())
    }

    /// The current task, when its cgroup is already known.
    #[inline(always)]
    pub fn in_cgroup(cgroup: u64) -> Self {
        Self { cgroup, tgid_tid: bpf_get_current_pid_tgid(), gid_uid: bpf_get_current_uid_gid() }
    }
}

/// Cgroup-v2 id of the current task.
#[inline(always)]
pub fn current_cgroup() -> u64 {
    // SAFETY: the helper takes no argument and cannot fail.
    unsafe { bpf_get_current_cgroup_id() }
}
