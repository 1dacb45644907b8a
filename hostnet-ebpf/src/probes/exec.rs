//! Exec: what runs, with which arguments, whose child.
//!
//! `sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`
//! (include/trace/events/sched.h; called by `exec_binprm`, fs/exec.c). The new
//! address space is in place, so the arguments are read from its own memory,
//! which the kernel has just written.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user},
    macros::{btf_tracepoint, map},
    maps::PerCpuArray,
    programs::BtfTracePointContext,
};
use hostnet_abi::{EventKind, Exec, Header, Hook, MAX_ARGUMENTS, MAX_FILENAME, truncated};

use super::fork::{namespace_pid, start_of};
use crate::{
    contained::{self, mount_namespace, pid_level},
    netns,
    read::field,
    ring::{Origin, emit_scratch},
    settings::offset,
    task::Actor,
};

/// A record being put together. The arguments follow the file name directly,
/// so the longest record fits and the verifier can bound every write.
#[repr(C)]
struct Scratch {
    header: Header,
    exec: Exec,
    tail: [u8; MAX_FILENAME + MAX_ARGUMENTS],
}

#[map]
static EXEC_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[btf_tracepoint(function = "sched_process_exec")]
pub fn sched_process_exec(ctx: BtfTracePointContext) -> i32 {
    let task: *const c_void = ctx.arg(0);
    let bprm: *const c_void = ctx.arg(2);
    let actor = Actor::current();
    let contained = contained::executed(task, (actor.tgid_tid >> 32) as u32, actor.cgroup);
    if netns::task_is_host(task)
        && let Some(scratch) = EXEC_SCRATCH.get_ptr_mut(0)
    {
        // SAFETY: this CPU's own slot; a tracepoint program does not preempt itself.
        unsafe { executed(task, bprm, actor, contained, scratch) };
    }
    0
}

/// # Safety
/// `task` and `bprm` are BTF-typed, `scratch` is exclusive.
#[inline(always)]
unsafe fn executed(
    task: *const c_void,
    bprm: *const c_void,
    actor: Actor,
    contained: bool,
    scratch: *mut Scratch,
) {
    // SAFETY: the caller's promise; the verifier checks each access.
    unsafe {
        let tail = (&raw mut (*scratch).tail).cast::<u8>();
        let mut cut = 0;

        let filename: u64 = field(bprm, offset!(linux_binprm_filename));
        let written =
            bpf_probe_read_kernel_str(tail.cast(), MAX_FILENAME as u32, filename as *const c_void);
        // Read back from memory, because the verifier of older kernels (6.1) lost track
        // of the sign of what the helper returned.
        let slot = &raw mut (*scratch).exec.filename_length;
        slot.write_volatile(if written > 0 { written as u16 } else { 0 });
        let mut filename_length = u64::from(slot.read_volatile());
        if filename_length >= MAX_FILENAME as u64 {
            filename_length = MAX_FILENAME as u64;
            cut |= truncated::FILENAME;
        }

        let mm: *const c_void = field(task, offset!(task_mm));
        let start: u64 = field(mm, offset!(mm_arg_start));
        let end: u64 = field(mm, offset!(mm_arg_end));
        let mut arguments_length = end.wrapping_sub(start);
        if arguments_length > MAX_ARGUMENTS as u64 {
            arguments_length = MAX_ARGUMENTS as u64;
            cut |= truncated::ARGUMENTS;
        }
        let status = bpf_probe_read_user(
            tail.add(filename_length as usize).cast(),
            arguments_length as u32,
            start as *const c_void,
        );
        if status != 0 {
            arguments_length = 0;
            cut |= truncated::ARGUMENTS;
        }

        let parent: *const c_void = field(task, offset!(task_real_parent));
        (&raw mut (*scratch).exec).write(Exec {
            start_ns: start_of(task),
            parent: field(parent, offset!(task_tgid)),
            namespace_pid: namespace_pid(task),
            mount_namespace: mount_namespace(task),
            filename_length: filename_length as u16,
            arguments_length: arguments_length as u16,
            truncated: cut,
            contained: contained.into(),
            pid_level: pid_level(task),
        });
        let length = size_of::<Header>() as u64
            + size_of::<Exec>() as u64
            + filename_length
            + arguments_length;
        let origin = Origin::of_task(Hook::SchedProcessExec, actor);
        (&raw mut (*scratch).header).write(origin.header(EventKind::Exec, length as usize));
        emit_scratch(&origin, EventKind::Exec, scratch);
    }
}
