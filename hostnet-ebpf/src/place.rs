//! Where a file is: the names from it up to the root of its mount namespace,
//! whatever root directory a process has chosen, as `prepend_path` (fs/d_path.c)
//! finds them. `bpf_d_path` is not for tracepoints.
//!
//! No lock is taken. A directory that is renamed at this very moment may be seen
//! by its old and its new name; the inode is the file's in any case.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use hostnet_abi::MAX_PATH;

use crate::{read::copied, settings::offset, tail::Tail};

/// Most steps on the way to the root: names and mounts.
const MOST_STEPS: usize = 40;

/// Longest name in a directory with its NUL: `NAME_MAX` + 1.
const LONGEST_NAME: usize = 256;

/// All names are in the tail.
pub const WHOLE: u64 = 0;
/// The names nearest to the root are missing.
pub const CUT: u64 = 1;
/// The way ends elsewhere than in the mount namespace it was to end in.
pub const OUTSIDE: u64 = 2;
/// There is one name, and it is in no directory.
pub const NO_DIRECTORY: u64 = 3;

/// A way up. All that changes on it is in memory: were it in registers, the
/// verifier would follow every combination of steps on its own.
#[repr(C)]
pub struct Way {
    /// `struct dentry *`
    dentry: u64,
    /// `struct mount *`
    mount: u64,
    /// What was read last.
    found: u64,
    /// How it ended.
    end: u64,
}

/// A `struct path`: a name, and the mount it is seen through.
#[derive(Clone, Copy)]
pub struct Place(u64);

impl Place {
    /// The `struct path` at this address.
    #[inline(always)]
    pub const fn at(path: u64) -> Self {
        Self(path)
    }

    /// Whether it has been removed from its directory, as `d_unlinked` has it.
    #[inline(always)]
    pub fn is_unlinked(self) -> bool {
        let dentry = self.dentry();
        let hashed: u64 = copied(dentry, offset!(dentry_hashed));
        let parent: u64 = copied(dentry, offset!(dentry_parent));
        hashed == 0 && parent != dentry
    }

    /// Number of the inode, and the `dev_t` of its file system.
    #[inline(always)]
    pub fn inode(self) -> (u64, u32) {
        let inode: u64 = copied(self.dentry(), offset!(dentry_inode));
        let file_system: u64 = copied(inode, offset!(inode_file_system));
        (copied(inode, offset!(inode_number)), copied(file_system, offset!(file_system_device)))
    }

    /// Appends the names from here to the root of `namespace`, a `struct
    /// mnt_namespace *`, each ended by NUL. Returns how the way ended.
    ///
    /// # Safety
    /// `way` must be the caller's alone.
    #[inline(always)]
    pub unsafe fn append_names(self, namespace: u64, way: *mut Way, tail: Tail) -> u64 {
        let begin = tail.length();
        // SAFETY: the caller's promise.
        unsafe {
            let vfsmount: u64 = copied(self.0, offset!(path_mnt));
            let mount = vfsmount.wrapping_sub(offset!(mount_vfsmount) as u64);
            (&raw mut (*way).mount).write_volatile(mount);
            (&raw mut (*way).dentry).write_volatile(self.dentry());
            (&raw mut (*way).end).write_volatile(CUT);
            for _ in 0..MOST_STEPS {
                if Way::step(way, begin, namespace, tail) {
                    break;
                }
            }
            // Mounted on its own, and nowhere, as runc mounts itself; or in no
            // directory at all: then its own name is all there is.
            if tail.length() == begin {
                Way::append_lone_name(way, self.dentry(), tail);
            }
            (&raw const (*way).end).read_volatile()
        }
    }

    #[inline(always)]
    fn dentry(self) -> u64 {
        copied(self.0, offset!(path_dentry))
    }
}

impl Way {
    /// One step; returns whether it was the last.
    #[inline(always)]
    unsafe fn step(way: *mut Self, begin: u64, namespace: u64, tail: Tail) -> bool {
        // SAFETY: the promise made to `append_names`.
        unsafe {
            let end = &raw mut (*way).end;
            if Self::mounts(way, offset!(mount_root)) == Self::dentry(way) {
                let above = Self::mounts(way, offset!(mount_parent));
                if above == Self::mount(way) {
                    let is_ours = Self::mounts(way, offset!(mount_namespace)) == namespace;
                    end.write_volatile(if is_ours { WHOLE } else { OUTSIDE });
                    return true;
                }
                let below = Self::mounts(way, offset!(mount_mountpoint));
                (&raw mut (*way).dentry).write_volatile(below);
                (&raw mut (*way).mount).write_volatile(above);
                return false;
            }
            let parent = Self::dentrys(way, offset!(dentry_parent));
            // Moved out of the directory that is mounted: no way leads to it.
            if parent == Self::dentry(way) {
                end.write_volatile(OUTSIDE);
                return true;
            }
            if tail.length() - begin > (MAX_PATH - LONGEST_NAME) as u64 {
                return true;
            }
            tail.append_string(Self::dentrys(way, offset!(dentry_name)), LONGEST_NAME);
            (&raw mut (*way).dentry).write_volatile(parent);
            false
        }
    }

    /// Where no name was found on the way that began at `dentry`.
    #[inline(always)]
    unsafe fn append_lone_name(way: *mut Self, dentry: u64, tail: Tail) {
        // SAFETY: the promise made to `append_names`.
        unsafe {
            if (&raw const (*way).end).read_volatile() != OUTSIDE {
                return;
            }
            let parent: u64 = copied(dentry, offset!(dentry_parent));
            let root = Self::mounts(way, offset!(mount_root));
            if parent == dentry && root != dentry {
                (&raw mut (*way).end).write_volatile(NO_DIRECTORY);
            }
            // A whole file system's root has no name.
            if parent != dentry || root != dentry {
                tail.append_string(copied(dentry, offset!(dentry_name)), LONGEST_NAME);
            }
        }
    }

    #[inline(always)]
    unsafe fn dentry(way: *const Self) -> u64 {
        // SAFETY: the promise made to `append_names`.
        unsafe { (&raw const (*way).dentry).read_volatile() }
    }

    #[inline(always)]
    unsafe fn mount(way: *const Self) -> u64 {
        // SAFETY: the promise made to `append_names`.
        unsafe { (&raw const (*way).mount).read_volatile() }
    }

    /// A pointer in the dentry that has been reached.
    #[inline(always)]
    unsafe fn dentrys(way: *mut Self, offset: usize) -> u64 {
        // SAFETY: the promise made to `append_names`.
        unsafe { Self::find(way, Self::dentry(way) + offset as u64) }
    }

    /// A pointer in the mount that has been reached.
    #[inline(always)]
    unsafe fn mounts(way: *mut Self, offset: usize) -> u64 {
        // SAFETY: the promise made to `append_names`.
        unsafe { Self::find(way, Self::mount(way) + offset as u64) }
    }

    #[inline(always)]
    unsafe fn find(way: *mut Self, from: u64) -> u64 {
        // SAFETY: the helper checks `from`, and writes zero when it cannot read it.
        unsafe {
            let found = &raw mut (*way).found;
            bpf_probe_read_kernel(found.cast(), size_of::<u64>() as u32, from as *const _);
            found.read_volatile()
        }
    }
}
