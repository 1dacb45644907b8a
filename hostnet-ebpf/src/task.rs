//! Who is acting: ids of the current task, or nobody.

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
    generated::{bpf_get_current_cgroup_id, bpf_get_current_task_btf},
};

use crate::{
    read::field,
    settings::{offset, setting},
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
        Self { cgroup, tgid_tid: bpf_get_current_pid_tgid(), gid_uid: current_gid_uid() }
    }
}

/// Cgroup-v2 id of the current task.
#[inline(always)]
pub fn current_cgroup() -> u64 {
    // SAFETY: the helper takes no argument and cannot fail.
    unsafe { bpf_get_current_cgroup_id() }
}

/// The current task as a BTF-typed pointer, where the kernel gives that to programs of
/// every type.
#[inline(always)]
fn current() -> Option<*const c_void> {
    let is_given: u32 = setting!(current_task);
    // SAFETY: the helper takes no argument and cannot fail.
    (is_given == 1).then(|| unsafe { bpf_get_current_task_btf() as *const c_void })
}

/// Address of the current task's cgroup-v2 `struct cgroup`; 0 when it is not known.
#[inline(always)]
pub fn current_cgroup_address() -> u64 {
    let Some(task) = current() else { return 0 };
    // SAFETY: a BTF-typed task and the kernel's offsets.
    unsafe {
        let set: *const c_void = field(task, offset!(task_cgroups));
        let cgroup: *const c_void = field(set, offset!(css_set_dfl_cgrp));
        cgroup as u64
    }
}

/// Real group and user id, as the helper gives them: it maps both to the first user
/// namespace, where a kernel id is its own number, in several times as many instructions.
#[inline(always)]
fn current_gid_uid() -> u64 {
    let Some(task) = current() else { return bpf_get_current_uid_gid() };
    // SAFETY: a BTF-typed task and the kernel's offsets.
    unsafe {
        let cred: *const c_void = field(task, offset!(task_cred));
        let (uid, gid): (u32, u32) =
            (field(cred, offset!(cred_uid)), field(cred, offset!(cred_gid)));
        u64::from(gid) << 32 | u64::from(uid)
    }
}
