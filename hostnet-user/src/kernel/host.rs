//! Facts about the host that the programs and the events need, read once.
//!
//! The host's namespaces are those of the kernel's own threads. Process 1 would
//! be the obvious one to ask, but it may hold a capability the agent lacks, and
//! then it may not be looked at (ptrace access rules).

use std::{
    fs::File,
    os::{fd::AsFd, unix::fs::MetadataExt},
};

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};

/// `kthreadd`, the kernel's own process, always has this id and the first namespaces.
const KTHREADD: u32 = 2;

/// The host's namespaces.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Inode of the first network namespace.
    pub network_namespace: u32,
    /// Inode of the first mount namespace.
    pub mount_namespace: u32,
    /// Inode of the first pid namespace.
    pub pid_namespace: u32,
    /// Inode of the agent's own mount namespace.
    pub own_mount_namespace: u32,
}

impl Host {
    /// Reads the namespaces of the kernel's own threads.
    ///
    /// # Errors
    /// When they cannot be seen: not root, or another pid namespace. In another
    /// cgroup namespace the paths that /proc shows of cgroups are not the host's.
    pub fn read() -> Result<Self> {
        let comm = std::fs::read_to_string(format!("/proc/{KTHREADD}/comm")).unwrap_or_default();
        if comm.trim_end() != "kthreadd" {
            bail!(
                "not in the host's pid namespace: in a container the agent needs --pid=host, \
                 and /proc must not be mounted with hidepid"
            );
        }
        let of = |process: &str, namespace: &str| inode(&format!("/proc/{process}/ns/{namespace}"));
        let kthreadd = KTHREADD.to_string();
        let host = Self {
            network_namespace: of(&kthreadd, "net")?,
            mount_namespace: of(&kthreadd, "mnt")?,
            pid_namespace: of(&kthreadd, "pid")?,
            own_mount_namespace: of("self", "mnt")?,
        };
        // Absent from a kernel without cgroup namespaces.
        if of("self", "cgroup").ok() != of(&kthreadd, "cgroup").ok() {
            bail!(
                "in a cgroup namespace of its own, where cgroups have other paths than on the \
                 host and containers cannot be told apart: start the agent without unshare -C, in \
                 a container with --cgroupns=host"
            );
        }
        Ok(host)
    }

    /// Whether the agent has mounts of its own: it may run in a container.
    #[must_use]
    pub const fn is_agent_apart(&self) -> bool {
        self.own_mount_namespace != self.mount_namespace
    }
}

fn inode(path: &str) -> Result<u32> {
    let metadata = std::fs::metadata(path)
        .with_context(|| format!("cannot read {path} (CAP_SYS_PTRACE is needed)"))?;
    u32::try_from(metadata.ino()).with_context(|| format!("{path} has an inode beyond 32 bits"))
}

/// Does something in the first network namespace. From another one it is done on
/// a thread of its own, which ends afterwards, because it has to enter the first.
///
/// # Errors
/// That of `what`, or that the namespace cannot be entered.
pub fn in_network_namespace<T: Send + 'static>(
    host: u32,
    what: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let own = std::fs::metadata("/proc/thread-self/ns/net").map(|metadata| metadata.ino());
    if own.is_ok_and(|own| own == u64::from(host)) {
        return what();
    }
    std::thread::spawn(move || {
        let path = format!("/proc/{KTHREADD}/ns/net");
        let target = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        rustix::thread::move_into_link_name_space(
            target.as_fd(),
            Some(rustix::thread::LinkNameSpaceType::Network),
        )
        .context(
            "cannot enter the host's network namespace: give the agent CAP_SYS_ADMIN, or start it \
             there (in a container with --network=host)",
        )?;
        what()
    })
    .join()
    .map_err(|_panic| {
        anyhow::anyhow!("the thread that entered the host's network namespace ended badly")
    })?
}

/// `CLOCK_BOOTTIME`, nanoseconds: the clock of every record.
#[must_use]
pub fn boot_clock() -> u64 {
    read_clock(ClockId::Boottime)
}

/// `CLOCK_BOOTTIME` and `CLOCK_REALTIME` (nanoseconds since 1970) at one moment, as far as
/// it can be had: a thread that is interrupted between two readings reads again, or the
/// times of all events would be off by as much.
#[must_use]
pub fn both_clocks() -> (u64, u64) {
    let read = || {
        let before = boot_clock();
        let wall_ns = read_clock(ClockId::Realtime);
        let apart = boot_clock().saturating_sub(before);
        (apart, before + apart / 2, wall_ns)
    };
    let mut best = read();
    for _ in 1..CLOCK_READINGS {
        if best.0 <= CLOSE_NS {
            break;
        }
        best = best.min(read());
    }
    (best.1, best.2)
}

/// Readings of both clocks that are this far apart are of one moment.
const CLOSE_NS: u64 = 10_000;

/// Most readings of both clocks for one answer.
const CLOCK_READINGS: u32 = 4;

fn read_clock(id: ClockId) -> u64 {
    let now = clock_gettime(id);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
