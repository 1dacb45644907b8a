//! Where and when the actor acts: its cgroup as the kernel numbers it, and the
//! clock that events are ordered by.

use std::{
    fs, io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::Path,
};

use rustix::time::{ClockId, clock_gettime};

/// `struct pidfd_info` (include/uapi/linux/pidfd.h) as 6.13 had it first.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    rest: [u32; 12],
}

const PIDFD_INFO_CGROUPID: u64 = 1 << 2;
const PIDFD_GET_INFO: libc::Ioctl = 0xc040_ff0b_u32 as libc::Ioctl;

/// `CLOCK_BOOTTIME` in nanoseconds.
pub fn boot_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Cgroup-v2 id of this process; `None` where a container cannot find it out.
pub fn cgroup_id() -> Option<u64> {
    by_pidfd().or_else(|_old_kernel| by_mount()).ok()
}

fn by_pidfd() -> io::Result<u64> {
    // SAFETY: opens a descriptor for this very process.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, std::process::id(), 0) };
    let raw = crate::sockets::outcome(raw)? as i32;
    // SAFETY: just opened, and owned by nobody else.
    let pidfd = unsafe { OwnedFd::from_raw_fd(raw) };
    let mut info = PidfdInfo { mask: PIDFD_INFO_CGROUPID, ..PidfdInfo::default() };
    // SAFETY: the request says the size of the structure it fills.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
    crate::sockets::outcome(result.into())?;
    if info.mask & PIDFD_INFO_CGROUPID == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(info.cgroup)
}

/// The inode of the cgroup's directory is its id.
fn by_mount() -> io::Result<u64> {
    let table = fs::read_to_string("/proc/self/cgroup")?;
    let path = table.lines().find_map(|line| line.strip_prefix("0::/"));
    let path = path.ok_or(io::ErrorKind::NotFound)?;
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let directory = Path::new(root).join(path);
        if directory.join("cgroup.procs").exists() && Path::new(root).join("cgroup.procs").exists()
        {
            return Ok(fs::metadata(directory)?.ino());
        }
    }
    Err(io::ErrorKind::NotFound.into())
}
