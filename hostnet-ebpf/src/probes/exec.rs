//! Exec: what runs, from where, with which arguments, whose child.
//!
//! `sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`
//! (include/trace/events/sched.h; called by `exec_binprm`, fs/exec.c). The new
//! address space is in place, so the arguments are read from its own memory,
//! which the kernel has just written and the program has not run in yet.

use core::ffi::c_void;

use aya_ebpf::{
    macros::{btf_tracepoint, map},
    maps::PerCpuArray,
    programs::BtfTracePointContext,
};
use hostnet_abi::{EventKind, Exec, Header, Hook, MAX_ARGUMENTS, MAX_FILENAME, exec_flag as flag};

use super::fork::{namespace_pid, start_of};
use crate::{
    contained::{self, mount_namespace, pid_level},
    netns,
    origin::Origin,
    place::{self, Place, Way},
    read::field,
    ring::{emit_scratch, now},
    settings::offset,
    tail::{Bytes, Tail},
    task::Actor,
};

/// A record being put together.
#[repr(C)]
struct Scratch {
    tail_length: u64,
    way: Way,
    flags: u16,
    record: Record,
}

#[repr(C)]
struct Record {
    header: Header,
    exec: Exec,
    tail: Bytes,
}

/// Flags in memory, for the reason that [`Way`] is.
#[derive(Clone, Copy)]
struct Flags(*mut u16);

impl Flags {
    /// # Safety
    /// `flags` must be valid, and nobody else's, as long as they are used.
    #[inline(always)]
    unsafe fn new(flags: *mut u16) -> Self {
        // SAFETY: the caller's promise.
        unsafe { flags.write_volatile(0) };
        Self(flags)
    }

    #[inline(always)]
    fn get(self) -> u16 {
        // SAFETY: the promise made to `new`.
        unsafe { self.0.read_volatile() }
    }

    #[inline(always)]
    fn set(self, flag: u16) {
        // SAFETY: the promise made to `new`.
        unsafe { self.0.write_volatile(self.get() | flag) };
    }
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
        // SAFETY: this CPU's own slot, and only this program's. The kernel does not run a
        // tracepoint's program on a CPU that is in it already (`bpf_prog.active`, from 6.1);
        // before, it runs them without preemption, and no interrupt does an exec.
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
        let tail = Tail::new(&raw mut (*scratch).tail_length, &raw mut (*scratch).record.tail);
        let way = &raw mut (*scratch).way;
        let flags = Flags::new(&raw mut (*scratch).flags);

        let filename_length =
            tail.append_string(field(bprm, offset!(linux_binprm_filename)), MAX_FILENAME);
        if filename_length >= MAX_FILENAME as u64 {
            flags.set(flag::FILENAME_CUT);
        }

        let mm: *const c_void = field(task, offset!(task_mm));
        let start: u64 = field(mm, offset!(mm_arg_start));
        let end: u64 = field(mm, offset!(mm_arg_end));
        let length = end.wrapping_sub(start);
        if !tail.append_user(start, length) || length > MAX_ARGUMENTS as u64 {
            flags.set(flag::ARGUMENTS_CUT);
        }
        let with_arguments = tail.length();

        let nsproxy: *const c_void = field(task, offset!(task_nsproxy));
        let mnt: *const c_void = field(nsproxy, offset!(nsproxy_mnt));
        let file: u64 = field(bprm, offset!(linux_binprm_file));
        let executable = Place::at(file + offset!(file_path) as u64);
        match executable.append_names(mnt as u64, way, tail) {
            place::CUT => flags.set(flag::EXECUTABLE_CUT),
            place::OUTSIDE => flags.set(flag::EXECUTABLE_OUTSIDE),
            place::NO_DIRECTORY => flags.set(flag::NO_DIRECTORY),
            _ => {}
        }
        if executable.is_unlinked() {
            flags.set(flag::DELETED);
        }
        let (inode, device) = executable.inode();
        let with_executable = tail.length();

        let fs: u64 = field(task, offset!(task_fs));
        let directory = Place::at(fs + offset!(fs_pwd) as u64);
        match directory.append_names(mnt as u64, way, tail) {
            place::CUT => flags.set(flag::DIRECTORY_CUT),
            place::OUTSIDE | place::NO_DIRECTORY => flags.set(flag::DIRECTORY_OUTSIDE),
            _ => {}
        }
        let with_directory = tail.length();
        if flags.get() & flag::ARGUMENTS_CUT != 0 {
            tail.append_word(bprm as u64 + offset!(linux_binprm_argc) as u64);
        }

        let parent: *const c_void = field(task, offset!(task_real_parent));
        let record = &raw mut (*scratch).record;
        (&raw mut (*record).exec).write(Exec {
            start_ns: start_of(task),
            inode,
            device,
            parent: field(parent, offset!(task_tgid)),
            namespace_pid: namespace_pid(task),
            mount_namespace: mount_namespace(task),
            filename_length: filename_length as u16,
            arguments_length: (with_arguments - filename_length) as u16,
            executable_length: (with_executable - with_arguments) as u16,
            directory_length: (with_directory - with_executable) as u16,
            flags: flags.get(),
            contained: contained.into(),
            pid_level: pid_level(task),
        });
        let length = size_of::<Header>() as u64 + size_of::<Exec>() as u64 + tail.length();
        let origin = Origin::of_task(Hook::SchedProcessExec, actor);
        let header = origin.header(EventKind::Exec, length as usize, now());
        (&raw mut (*record).header).write(header);
        emit_scratch(&origin, record.cast_const(), &raw const (*record).exec);
    }
}
