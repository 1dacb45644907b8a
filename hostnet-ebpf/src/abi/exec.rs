//! A process began to run a program.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest file name carried, bytes.
pub const MAX_FILENAME: usize = 256;
/// Longest argument block carried, bytes.
pub const MAX_ARGUMENTS: usize = 1024;

/// Bits of [`Exec::truncated`].
pub mod truncated {
    /// The file name was longer than [`super::MAX_FILENAME`].
    pub const FILENAME: u16 = 1;
    /// The arguments were longer than [`super::MAX_ARGUMENTS`].
    pub const ARGUMENTS: u16 = 2;
}

/// `execve(2)` succeeded. The tail is the file name, then the arguments as
/// the process sees them, each ended by NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Exec {
    /// Start of the process, `CLOCK_BOOTTIME` nanoseconds.
    pub start_ns: u64,
    /// Process id of the parent.
    pub parent: u32,
    /// Process id in the process' own pid namespace.
    pub namespace_pid: u32,
    /// Mount namespace inode: the runtime's own set-up still has the host's.
    pub mount_namespace: u32,
    /// Bytes of file name in the tail.
    pub filename_length: u16,
    /// Bytes of arguments in the tail.
    pub arguments_length: u16,
    /// Bits of [`truncated`].
    pub truncated: u16,
    /// 1 when it was known to be a container's process before this exec.
    pub contained: u16,
    /// Depth of its pid namespace: 0 is the host's.
    pub pid_level: u32,
}
