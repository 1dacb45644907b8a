//! Containers' processes, by id, from their first exec or fork in a container to
//! their end: wherever one of them, or a child of it, goes, it is still told.
//!
//! A process counts as contained when it is in a cgroup that is not known to be
//! the host's, and in namespaces of its own: a runtime that sets a container up
//! passes through its cgroup, too, and is the host's.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_ANY,
    macros::map,
    maps::{HashMap, PerCpuArray},
};
use hostnet_abi::{
    Contained,
    cgroup_class::{HOST, SERVICE},
};

use crate::{
    atomic::add_one,
    netns, owner,
    read::{copied, field},
    settings::{offset, setting},
};

const BPF_F_NO_PREALLOC: u32 = 1;

/// In place of the class of a cgroup of which nothing is known.
const NO_CLASS: u32 = u32::MAX;

/// Filled by the programs, and by the agent with what is older than itself.
#[map]
static CONTAINED: HashMap<u32, Contained> = HashMap::with_max_entries(1 << 16, BPF_F_NO_PREALLOC);

/// How many processes or cgroups found no room.
#[map]
static UNFOLLOWED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// What is known of a process.
#[inline(always)]
pub fn known(tgid: u32) -> Option<Contained> {
    // SAFETY: the reference does not outlive this expression.
    unsafe { CONTAINED.get(tgid) }.copied()
}

/// Whether a process is elsewhere than where it was first seen contained.
#[inline(always)]
pub fn is_away(known: Option<Contained>) -> bool {
    known.is_some_and(|known| known.home != known.now)
}

/// `child` was born to the process `parent`. Returns whether that is a container's.
#[inline(always)]
pub fn forked(child: *const c_void, tgid: u32, parent: u32, cgroup: u64) -> bool {
    let Some(parent) = known(parent) else {
        // A runtime's child is given its cgroup later, so the host's are not looked at.
        if owner::is_open(owner::class(cgroup)) && has_own_namespaces(child) {
            insert(tgid, Contained { home: cgroup, now: cgroup });
        }
        return false;
    };
    insert(tgid, Contained { home: parent.home, now: cgroup });
    if cgroup != parent.now && cgroup != parent.home {
        mix(cgroup);
    }
    true
}

/// A process runs a program now. Returns whether it was a container's before.
#[inline(always)]
pub fn executed(task: *const c_void, tgid: u32, cgroup: u64) -> bool {
    let was_known = known(tgid).is_some();
    let class = owner::class(cgroup).unwrap_or(NO_CLASS);
    let is_quiet = class == HOST || class == SERVICE;
    if !is_quiet && !was_known && has_own_namespaces(task) {
        insert(tgid, Contained { home: cgroup, now: cgroup });
    }
    // The agent may take a cgroup for the host's after a process with namespaces of
    // its own came to it, be it before this moment or after it.
    if (is_quiet || class == NO_CLASS)
        && netns::task_is_host(task)
        && (pid_level(task) > 0 || (class == HOST && has_own_mounts(task)))
    {
        if is_quiet && !was_known {
            insert(tgid, Contained { home: 0, now: cgroup });
        }
        mix(cgroup);
    }
    was_known
}

/// A process was moved to `cgroup`. Returns where it was before, when it is a container's.
#[inline(always)]
pub fn moved(task: *const c_void, tgid: u32, cgroup: u64) -> Option<u64> {
    let Some(before) = known(tgid) else {
        if owner::is_open(owner::class(cgroup)) && has_own_namespaces(task) {
            insert(tgid, Contained { home: cgroup, now: cgroup });
        }
        return None;
    };
    insert(tgid, Contained { home: before.home, now: cgroup });
    if cgroup != before.home {
        mix(cgroup);
    }
    Some(before.now)
}

/// A process ended.
#[inline(always)]
pub fn ended(tgid: u32) {
    // Not there when it was the host's.
    let _absent = CONTAINED.remove(tgid);
}

#[inline(always)]
fn insert(tgid: u32, entry: Contained) {
    if CONTAINED.insert(tgid, entry, BPF_ANY.into()).is_err() {
        count_unfollowed();
    }
}

#[inline(always)]
fn mix(cgroup: u64) {
    if !owner::mix(cgroup) {
        count_unfollowed();
    }
}

#[inline(always)]
fn count_unfollowed() {
    if let Some(count) = UNFOLLOWED.get_ptr_mut(0) {
        add_one(count);
    }
}

#[inline(always)]
fn has_own_namespaces(task: *const c_void) -> bool {
    has_own_mounts(task) || pid_level(task) > 0
}

/// Whether the mount namespace is another than the host's; one that has ended has none.
#[inline(always)]
fn has_own_mounts(task: *const c_void) -> bool {
    let inode = mount_namespace(task);
    inode != 0 && inode != setting!(host_mount_namespace)
}

/// `task->nsproxy->mnt_ns`
#[inline(always)]
pub fn mount_namespace_of(task: *const c_void) -> *const c_void {
    // SAFETY: a BTF-typed task and the kernel's offsets.
    unsafe {
        let nsproxy: *const c_void = field(task, offset!(task_nsproxy));
        field(nsproxy, offset!(nsproxy_mnt))
    }
}

/// `task->nsproxy->mnt_ns->ns.inum`
#[inline(always)]
pub fn mount_namespace(task: *const c_void) -> u32 {
    // SAFETY: a BTF-typed pointer and the kernel's offset.
    unsafe { field(mount_namespace_of(task), offset!(mnt_namespace_inum)) }
}

/// `task->thread_pid->level`: how deep its pid namespace is below the host's.
#[inline(always)]
pub fn pid_level(task: *const c_void) -> u32 {
    // SAFETY: a BTF-typed task and the kernel's offset.
    let pid: *const c_void = unsafe { field(task, offset!(task_thread_pid)) };
    copied(pid as u64, offset!(pid_level))
}

/// Cgroup-v2 id of any task: `task->cgroups->dfl_cgrp->kn->id`.
#[inline(always)]
pub fn cgroup_of(task: *const c_void) -> u64 {
    // SAFETY: a BTF-typed task and the kernel's offsets.
    unsafe {
        let set: *const c_void = field(task, offset!(task_cgroups));
        let cgroup: *const c_void = field(set, offset!(css_set_dfl_cgrp));
        let kn: *const c_void = field(cgroup, offset!(cgroup_kn));
        field(kn, offset!(kernfs_node_id))
    }
}
