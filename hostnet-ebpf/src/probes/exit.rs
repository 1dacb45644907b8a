//! Exit of a whole process. One that has left the host's network namespace, as
//! every container's first process with a network of its own has, is told by its
//! parent being there: or its id would be taken for the next process that gets it.
//!
//! `sched_process_exit(struct task_struct *p, …)` (include/trace/events/sched.h;
//! called by `do_exit`, kernel/exit.c, after `signal->live` was decremented).

use core::ffi::c_void;

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use hostnet_abi::{Exit, Hook};

use super::fork::start_of;
use crate::{
    contained, netns, origin::Origin, read::field, ring::emit, settings::offset, task::Actor,
};

#[btf_tracepoint(function = "sched_process_exit")]
pub fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    let task: *const c_void = ctx.arg(0);
    // SAFETY: a BTF-typed task and the kernel's offsets.
    let (live, code, parent, leader): (i32, i32, *const c_void, *const c_void) = unsafe {
        let signal: *const c_void = field(task, offset!(task_signal));
        (
            field(signal, offset!(signal_live)),
            field(task, offset!(task_exit_code)),
            field(task, offset!(task_real_parent)),
            field(task, offset!(task_group_leader)),
        )
    };
    if live == 0 {
        let actor = Actor::current();
        let tgid = (actor.tgid_tid >> 32) as u32;
        let is_away = contained::is_away(contained::known(tgid));
        contained::ended(tgid);
        if is_away || netns::task_is_host(task) || netns::task_is_host(parent) {
            let exit = Exit { start_ns: start_of(leader), code: code as u32, padding: 0 };
            emit(Origin::of_task(Hook::SchedProcessExit, actor), exit);
        }
    }
    0
}
