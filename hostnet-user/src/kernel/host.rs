//! Facts about the host that the programs and the events need, read once.
//!
//! The host's namespaces are those of the kernel's own threads. Process 1 would
//! be the obvious one to ask, but it may hold a capability the agent lacks, and
//! then it may not be looked at (ptrace access rules).

use std::{
    fs::File,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    os::unix::fs::MetadataExt,
};

use anyhow::{Context, Result, bail};

/// `kthreadd`, the kernel's own process, always has this id and the first namespaces.
const KTHREADD: u32 = 2;

/// The host's namespaces.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Inode of the first network namespace.
    pub network_namespace: u32,
    /// Inode of the first mount namespace.
    pub mount_namespace: u32,
    /// `SO_NETNS_COOKIE` of that network namespace.
    pub network_cookie: u64,
}

impl Host {
    /// Reads the namespaces of the kernel's own threads.
    ///
    /// # Errors
    /// When they cannot be seen (not root, or another pid namespace), or the
    /// host's network namespace cannot be entered.
    pub fn read() -> Result<Self> {
        let comm = std::fs::read_to_string(format!("/proc/{KTHREADD}/comm")).unwrap_or_default();
        if comm.trim_end() != "kthreadd" {
            bail!(
                "not in the host's pid namespace: in a container the agent needs --pid=host, \
                 and /proc must not be mounted with hidepid"
            );
        }
        let network_namespace = inode("net")?;
        Ok(Self {
            network_namespace,
            mount_namespace: inode("mnt")?,
            network_cookie: network_cookie(network_namespace)?,
        })
    }
}

fn inode(namespace: &str) -> Result<u32> {
    let path = format!("/proc/{KTHREADD}/ns/{namespace}");
    let metadata = std::fs::metadata(&path)
        .with_context(|| format!("cannot read {path} (CAP_SYS_PTRACE is needed)"))?;
    u32::try_from(metadata.ino()).with_context(|| format!("{path} has an inode beyond 32 bits"))
}

/// The cookie of the first network namespace. From another one it is asked on a
/// thread of its own, which ends afterwards, because it has to enter the first.
fn network_cookie(host: u32) -> Result<u64> {
    let own = std::fs::metadata("/proc/thread-self/ns/net").map(|metadata| metadata.ino());
    if own.is_ok_and(|own| own == u64::from(host)) {
        return cookie_of_this_thread();
    }
    std::thread::spawn(|| {
        let path = format!("/proc/{KTHREADD}/ns/net");
        let target = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        rustix::thread::move_into_link_name_space(
            std::os::fd::AsFd::as_fd(&target),
            Some(rustix::thread::LinkNameSpaceType::Network),
        )
        .context(
            "cannot enter the host's network namespace: give the agent CAP_SYS_ADMIN, or start it \
             there (in a container with --network=host)",
        )?;
        cookie_of_this_thread()
    })
    .join()
    .map_err(|_panic| {
        anyhow::anyhow!("the thread that reads the network namespace's cookie ended badly")
    })?
}

fn cookie_of_this_thread() -> Result<u64> {
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: a new descriptor that nobody else owns, checked below.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if raw < 0 {
        return Err(std::io::Error::last_os_error()).context("cannot open a socket");
    }
    // SAFETY: `raw` is open and ours.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: the option writes eight bytes into `cookie` and the length says so.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if status != 0 {
        return Err(std::io::Error::last_os_error())
            .context("cannot read SO_NETNS_COOKIE (Linux 5.14)");
    }
    Ok(cookie)
}

/// `CLOCK_BOOTTIME`, nanoseconds: the clock of every record.
#[must_use]
pub fn boot_clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
