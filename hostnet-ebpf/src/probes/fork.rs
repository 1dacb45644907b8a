//! Fork: a child runs its parent's program until it execs.
//!
//! `sched_process_fork(struct task_struct *parent, struct task_struct *child)`
//! (include/trace/events/sched.h; called by `kernel_clone`, kernel/fork.c).

use core::ffi::c_void;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use hostnet_abi::{Fork, Hook};

use crate::{
    contained, netns,
    origin::Origin,
    read::{copied, field},
    ring::emit,
    settings::offset,
    task::Actor,
};

/// `struct upid { int nr; struct pid_namespace *ns; }` (include/linux/pid.h).
const SIZEOF_UPID: usize = 16;

#[btf_tracepoint(function = "sched_process_fork")]
pub fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    let child: *const c_void = ctx.arg(1);
    // SAFETY: a BTF-typed task and the kernel's offsets.
    let (pid, tgid): (u32, u32) =
        unsafe { (field(child, offset!(task_pid)), field(child, offset!(task_tgid))) };
    if pid != tgid {
        return 0;
    }
    let actor = Actor::current();
    let cgroup = contained::cgroup_of(child);
    let contained = contained::forked(child, tgid, (actor.tgid_tid >> 32) as u32, cgroup);
    // One that is away from its container may enter the host's network later.
    let is_away = contained && contained::is_away(contained::known(tgid));
    if is_away || netns::task_is_host(child) {
        let record = Fork {
            start_ns: start_of(child),
            cgroup,
            child: tgid,
            namespace_pid: namespace_pid(child),
            contained: contained.into(),
            padding: 0,
        };
        emit(Origin::of_task(Hook::SchedProcessFork, actor), record);
    }
    0
}

/// `task->start_boottime`, nanoseconds.
#[inline(always)]
pub fn start_of(task: *const c_void) -> u64 {
    // SAFETY: a BTF-typed task and the kernel's offset.
    unsafe { field(task, offset!(task_start_boottime)) }
}

/// The task's id in its own pid namespace: `pid->numbers[pid->level].nr`.
#[inline(always)]
pub fn namespace_pid(task: *const c_void) -> u32 {
    // SAFETY: a BTF-typed task and the kernel's offset.
    let pid: *const c_void = unsafe { field(task, offset!(task_thread_pid)) };
    let level: u32 = copied(pid as u64, offset!(pid_level));
    copied(pid as u64, offset!(pid_numbers) + level as usize * SIZEOF_UPID)
}
