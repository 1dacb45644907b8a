//! Who is at the other end of a unix socket, as the kernel keeps it.
//!
//! `unix_listen` notes its caller in the listener, and `unix_stream_connect`
//! copies that to the end that connects and notes its own caller in the other
//! (`init_peercred`, `copy_peercred`, net/unix/af_unix.c, 5.10–7.3). Nothing here
//! depends on names, so that what is told cannot be another listener's.

use core::ffi::c_void;

use crate::{
    read::{copied, field},
    settings::offset,
    sock::{SOCK_DGRAM, cgroup_at, socket_of},
};

/// `PIDTYPE_TGID` (enum pid_type, include/linux/pid_types.h).
const PIDTYPE_TGID: usize = 1;

/// The other end; zero is not known.
#[derive(Clone, Copy)]
pub struct Peer {
    pub cgroup: u64,
    pub tgid: u32,
}

impl Peer {
    pub const NONE: Self = Self { cgroup: 0, tgid: 0 };

    /// The other end of a BTF-typed unix socket.
    #[inline(always)]
    pub fn of(sk: *const c_void) -> Self {
        if u32::from(socket_of(sk).kind) == SOCK_DGRAM {
            let other: u64 = copied(sk as u64, offset!(unix_peer));
            return Self { cgroup: if other == 0 { 0 } else { cgroup_at(other) }, tgid: 0 };
        }
        // SAFETY: a BTF-typed socket and the kernel's offset.
        let pid: *const c_void = unsafe { field(sk, offset!(sock_peer_pid)) };
        Self::of_pid(pid as u64)
    }

    /// `pid_task(pid, PIDTYPE_TGID)`: none once the process has ended, when its
    /// number may be another's.
    #[inline(always)]
    fn of_pid(pid: u64) -> Self {
        if pid == 0 {
            return Self::NONE;
        }
        let link = PIDTYPE_TGID * size_of::<u64>();
        let first: u64 = copied(pid, offset!(pid_tasks) + link);
        if first == 0 {
            return Self::NONE;
        }
        // An hlist_node is two pointers.
        let task = first - (offset!(task_pid_links) + 2 * link) as u64;
        let cgroups: u64 = copied(task, offset!(task_cgroups));
        let cgroup: u64 = copied(cgroups, offset!(css_set_dfl_cgrp));
        let kn: u64 = copied(cgroup, offset!(cgroup_kn));
        Self { cgroup: copied(kn, offset!(kernfs_node_id)), tgid: copied(task, offset!(task_tgid)) }
    }
}
