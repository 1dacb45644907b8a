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
    contained::{self, mount_namespace, mount_namespace_of, pid_level},
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

/// Where a record is put together.
#[derive(Clone, Copy)]
struct Draft {
    tail: Tail,
    way: *mut Way,
    flags: Flags,
    record: *mut Record,
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
        let draft = unsafe { Draft::new(scratch) };
        executed(task, bprm, actor, contained, draft);
    }
    0
}

/// The parts of the tail in their order, then what a record of them says.
#[inline(always)]
fn executed(task: *const c_void, bprm: *const c_void, actor: Actor, contained: bool, draft: Draft) {
    let tail = draft.tail;
    let filename_length = tail.section(|| draft.append_filename(bprm));
    let arguments_length = tail.section(|| draft.append_arguments(task));
    let namespace = mount_namespace_of(task) as u64;
    let executable = executable_of(bprm);
    let executable_length = tail.section(|| draft.append_executable(executable, namespace));
    let (inode, device) = executable.inode();
    let directory_length = tail.section(|| draft.append_directory(task, namespace));
    if draft.flags.get() & flag::ARGUMENTS_CUT != 0 {
        tail.append_word(bprm as u64 + offset!(linux_binprm_argc) as u64);
    }
    let exec = Exec {
        start_ns: start_of(task),
        inode,
        device,
        parent: parent_of(task),
        namespace_pid: namespace_pid(task),
        mount_namespace: mount_namespace(task),
        filename_length,
        arguments_length,
        executable_length,
        directory_length,
        flags: draft.flags.get(),
        contained: contained.into(),
        pid_level: pid_level(task),
    };
    draft.emit(Origin::of_task(Hook::SchedProcessExec, actor), exec);
}

impl Draft {
    /// # Safety
    /// `scratch` must be valid, and nobody else's, as long as the draft is used.
    #[inline(always)]
    unsafe fn new(scratch: *mut Scratch) -> Self {
        // SAFETY: the caller's promise; the projections stay inside it.
        unsafe {
            Self {
                tail: Tail::new(&raw mut (*scratch).tail_length, &raw mut (*scratch).record.tail),
                way: &raw mut (*scratch).way,
                flags: Flags::new(&raw mut (*scratch).flags),
                record: &raw mut (*scratch).record,
            }
        }
    }

    /// `bprm->filename`, as exec was given it.
    #[inline(always)]
    fn append_filename(self, bprm: *const c_void) {
        // SAFETY: a BTF-typed pointer and the kernel's offset.
        let filename = unsafe { field(bprm, offset!(linux_binprm_filename)) };
        if self.tail.append_string(filename, MAX_FILENAME) >= MAX_FILENAME as u64 {
            self.flags.set(flag::FILENAME_CUT);
        }
    }

    /// From `task->mm->arg_start` to `arg_end`.
    #[inline(always)]
    fn append_arguments(self, task: *const c_void) {
        // SAFETY: BTF-typed pointers and the kernel's offsets.
        let (start, end): (u64, u64) = unsafe {
            let mm: *const c_void = field(task, offset!(task_mm));
            (field(mm, offset!(mm_arg_start)), field(mm, offset!(mm_arg_end)))
        };
        let length = end.wrapping_sub(start);
        if !self.tail.append_user(start, length) || length > MAX_ARGUMENTS as u64 {
            self.flags.set(flag::ARGUMENTS_CUT);
        }
    }

    #[inline(always)]
    fn append_executable(self, executable: Place, namespace: u64) {
        match self.append_place(executable, namespace) {
            place::CUT => self.flags.set(flag::EXECUTABLE_CUT),
            place::OUTSIDE => self.flags.set(flag::EXECUTABLE_OUTSIDE),
            place::NO_DIRECTORY => self.flags.set(flag::NO_DIRECTORY),
            _ => {}
        }
        if executable.is_unlinked() {
            self.flags.set(flag::DELETED);
        }
    }

    /// `task->fs->pwd`.
    #[inline(always)]
    fn append_directory(self, task: *const c_void, namespace: u64) {
        // SAFETY: a BTF-typed task and the kernel's offset.
        let fs: u64 = unsafe { field(task, offset!(task_fs)) };
        match self.append_place(Place::at(fs + offset!(fs_pwd) as u64), namespace) {
            place::CUT => self.flags.set(flag::DIRECTORY_CUT),
            place::OUTSIDE | place::NO_DIRECTORY => self.flags.set(flag::DIRECTORY_OUTSIDE),
            _ => {}
        }
    }

    /// Where a file is; returns how the way there ended.
    #[inline(always)]
    fn append_place(self, place: Place, namespace: u64) -> u64 {
        // SAFETY: the promise made to `new`.
        unsafe { place.append_names(namespace, self.way, self.tail) }
    }

    /// Emits the record, whose tail is there.
    #[inline(always)]
    fn emit(self, origin: Origin, exec: Exec) {
        let length = size_of::<Header>() as u64 + size_of::<Exec>() as u64 + self.tail.length();
        let header = origin.header(EventKind::Exec, length as usize, now());
        // SAFETY: the promise made to `new`; the tail is initialised as far as it is long.
        unsafe {
            (&raw mut (*self.record).exec).write(exec);
            (&raw mut (*self.record).header).write(header);
            emit_scratch(&origin, self.record.cast_const(), &raw const (*self.record).exec);
        }
    }
}

/// `bprm->file->f_path`
#[inline(always)]
fn executable_of(bprm: *const c_void) -> Place {
    // SAFETY: a BTF-typed pointer and the kernel's offset.
    let file: u64 = unsafe { field(bprm, offset!(linux_binprm_file)) };
    Place::at(file + offset!(file_path) as u64)
}

/// `task->real_parent->tgid`
#[inline(always)]
fn parent_of(task: *const c_void) -> u32 {
    // SAFETY: BTF-typed pointers and the kernel's offsets.
    unsafe {
        let parent: *const c_void = field(task, offset!(task_real_parent));
        field(parent, offset!(task_tgid))
    }
}
