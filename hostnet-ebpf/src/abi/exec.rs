//! A process began to run a program.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Repeats, Subject, repeat::of_number};

/// Longest file name carried, bytes.
pub const MAX_FILENAME: usize = 256;
/// Longest argument block carried, bytes.
pub const MAX_ARGUMENTS: usize = 1024;
/// Longest path carried, bytes.
pub const MAX_PATH: usize = 1024;

/// Bits of [`Exec::flags`].
pub mod exec_flag {
    /// The file name was longer than [`super::MAX_FILENAME`].
    pub const FILENAME_CUT: u16 = 1;
    /// The arguments were longer than [`super::MAX_ARGUMENTS`].
    pub const ARGUMENTS_CUT: u16 = 2;
    /// The executable's path is longer than what is here of it, which is its end.
    pub const EXECUTABLE_CUT: u16 = 4;
    /// The same of the working directory's.
    pub const DIRECTORY_CUT: u16 = 8;
    /// The executable is not in the process' mount namespace.
    pub const EXECUTABLE_OUTSIDE: u16 = 16;
    /// The working directory is not in the process' mount namespace.
    pub const DIRECTORY_OUTSIDE: u16 = 32;
    /// The executable had been removed from its directory.
    pub const DELETED: u16 = 64;
    /// The executable never was in a directory; its name is all there is, and
    /// `memfd_create(2)` begins it with `memfd:`.
    pub const NO_DIRECTORY: u16 = 128;
}

/// `execve(2)` succeeded. The tail is the file name as exec was given it, the
/// arguments as the process sees them, and where the executable and the working
/// directory are. A path is the names on the way from the file up to the root of
/// its mount namespace. Every name and argument is ended by NUL. When the arguments are
/// cut, four more bytes say how many there were; without them that is not known.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Exec {
    /// Start of the process, `CLOCK_BOOTTIME` nanoseconds.
    pub start_ns: u64,
    /// Inode of the executable; of a script, of its interpreter.
    pub inode: u64,
    /// The file system's `dev_t`: major number in bits 20 and up, minor below.
    pub device: u32,
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
    /// Bytes of the executable's path in the tail.
    pub executable_length: u16,
    /// Bytes of the working directory's path in the tail.
    pub directory_length: u16,
    /// Bits of [`exec_flag`].
    pub flags: u16,
    /// 1 when it was known to be a container's process before this exec.
    pub contained: u16,
    /// Depth of its pid namespace: 0 is the host's.
    pub pid_level: u32,
}

impl Repeats for Exec {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(self.inode, self.device)
    }
}
