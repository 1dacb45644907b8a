//! Cgroups come, go, and processes move between them.
//!
//! `cgroup_mkdir(struct cgroup *cgrp, const char *path)`,
//! `cgroup_rmdir(struct cgroup *cgrp, const char *path)` and
//! `cgroup_attach_task(struct cgroup *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup)`
//! (include/trace/events/cgroup.h, 4.15–7.3). They fire once per hierarchy; only
//! the default one (`root->hierarchy_id == 0`) has the ids the helpers return. The
//! last is called at the end of `cgroup_attach_task` (kernel/cgroup/cgroup.c).

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel_str,
    macros::{btf_tracepoint, map},
    maps::PerCpuArray,
    programs::BtfTracePointContext,
};
use hostnet_abi::{
    CgroupAttach, CgroupMkdir, CgroupRmdir, EventKind, Header, Hook, MAX_CGROUP_PATH,
};

use super::fork::start_of;
use crate::{
    budget, contained,
    origin::Origin,
    owner,
    read::field,
    ring::{emit, emit_scratch, now},
    settings::offset,
    task::Actor,
};

#[repr(C)]
struct Scratch {
    header: Header,
    mkdir: CgroupMkdir,
    tail: [u8; MAX_CGROUP_PATH],
}

#[map]
static MKDIR_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    if let Some(id) = default_hierarchy_id(ctx.arg(0))
        && let Some(scratch) = MKDIR_SCRATCH.get_ptr_mut(0)
    {
        // SAFETY: this CPU's own slot, and only this program's. The kernel does not run a
        // tracepoint's program on a CPU that is in it already (`bpf_prog.active`, from 6.1);
        // before, it runs them without preemption, and no interrupt does mkdir.
        unsafe { made(id, ctx.arg(1), scratch) };
    }
    0
}

/// # Safety
/// `path` is the tracepoint's argument, `scratch` is exclusive.
#[inline(always)]
unsafe fn made(id: u64, path: u64, scratch: *mut Scratch) {
    // SAFETY: the caller's promise; the helper bounds the copy.
    unsafe {
        let tail = (&raw mut (*scratch).tail).cast::<u8>();
        let written =
            bpf_probe_read_kernel_str(tail.cast(), MAX_CGROUP_PATH as u32, path as *const c_void);
        let mut path_length = if written > 0 { written as u64 } else { 0 };
        let truncated = u64::from(path_length >= MAX_CGROUP_PATH as u64);
        if path_length > MAX_CGROUP_PATH as u64 {
            path_length = MAX_CGROUP_PATH as u64;
        }
        (&raw mut (*scratch).mkdir).write(CgroupMkdir { id, truncated });
        let origin = Origin::of_task(Hook::CgroupMkdir, Actor::current());
        if let Some(maker) = contained::known(origin.actor.tgid())
            && maker.home != 0
        {
            owner::made(id, budget::payer(maker.home, 0));
        }
        let length = size_of::<Header>() as u64 + size_of::<CgroupMkdir>() as u64 + path_length;
        let header = origin.header(EventKind::CgroupMkdir, length as usize, now());
        (&raw mut (*scratch).header).write(header);
        emit_scratch(&origin, scratch.cast_const(), &raw const (*scratch).mkdir);
    }
}

#[btf_tracepoint(function = "cgroup_rmdir")]
pub fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    if let Some(id) = default_hierarchy_id(ctx.arg(0)) {
        let origin = Origin::of_task(Hook::CgroupRmdir, Actor::current());
        emit(origin, CgroupRmdir { id });
        owner::gone(id);
    }
    0
}

#[btf_tracepoint(function = "cgroup_attach_task")]
pub fn cgroup_attach_task(ctx: BtfTracePointContext) -> i32 {
    let task: *const c_void = ctx.arg(2);
    if let Some(id) = default_hierarchy_id(ctx.arg(0)) {
        // SAFETY: a BTF-typed task and the kernel's offset.
        let moved: u32 = unsafe { field(task, offset!(task_tgid)) };
        // The task is in its new cgroup already; only our own notes say where it was.
        let from = contained::moved(task, moved, id).unwrap_or(0);
        let origin = Origin::of_task(Hook::CgroupAttachTask, Actor::current());
        emit(origin, CgroupAttach { id, from, start_ns: start_of(task), moved, padding: 0 });
    }
    0
}

/// `cgrp->kn->id` when `cgrp` is of the default (v2) hierarchy.
#[inline(always)]
fn default_hierarchy_id(cgroup: *const c_void) -> Option<u64> {
    // SAFETY: a BTF-typed cgroup and the kernel's offsets.
    unsafe {
        let root: *const c_void = field(cgroup, offset!(cgroup_root));
        if field::<_, i32>(root, offset!(cgroup_root_hierarchy_id)) != 0 {
            return None;
        }
        let kn: *const c_void = field(cgroup, offset!(cgroup_kn));
        Some(field(kn, offset!(kernfs_node_id)))
    }
}
