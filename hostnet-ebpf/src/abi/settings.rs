//! What the agent tells the programs before they are loaded.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::NAME_WORDS;

/// Frozen into the object's read-only data at load time.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Settings {
    /// Inode of the host's network namespace.
    pub host_netns: u32,
    /// 1: host processes are told in full, not only their listeners.
    pub all: u32,
    /// Inode of the host's mount namespace.
    pub host_mount_namespace: u32,
    /// 1: the kernel gives programs of every type the current task as a pointer to
    /// `struct task_struct`, of which fields are read without a helper.
    pub current_task: u32,
    /// What one record costs its owner's budget, nanoseconds: a second divided by
    /// the records that it may tell in one. 0 when there is no budget.
    pub cost_ns: u64,
    /// What an unused budget comes to.
    pub window_ns: u64,
    /// The part of it that is left to records that carry state.
    pub state_ns: u64,
    /// Random, or whoever knows them could choose names that are taken for one.
    pub name_keys: [u64; NAME_WORDS],
}

impl Settings {
    /// What the object holds until the loader writes the real values.
    pub const UNSET: Self = Self {
        host_netns: 0,
        all: 0,
        host_mount_namespace: 0,
        current_task: 0,
        cost_ns: 0,
        window_ns: 0,
        state_ns: 0,
        name_keys: [0; NAME_WORDS],
    };
}
