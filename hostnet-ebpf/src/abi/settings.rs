//! What the agent tells the programs before they are loaded.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

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
}

impl Settings {
    /// What the object holds until the loader writes the real values.
    pub const UNSET: Self = Self { host_netns: 0, all: 0, host_mount_namespace: 0 };
}
