//! The root of the cgroup-v2 hierarchy: where programs attach and ids come from.
//!
//! `/sys/fs/cgroup`, `/sys/fs/cgroup/unified` on hybrid hosts, or wherever else
//! it is mounted. A host that mounts it nowhere gets a private mount that no
//! other process sees (`fsopen`/`fsmount`, Linux 5.2) and that ends with us.

use std::{
    fs::File,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// An open v2 root.
pub struct CgroupRoot {
    directory: OwnedFd,
    path: PathBuf,
    private: bool,
}

impl CgroupRoot {
    /// Finds or mounts the v2 root.
    ///
    /// # Errors
    /// When it is mounted nowhere and may not be mounted.
    pub fn open() -> Result<Self> {
        if let Some(path) = mounted()? {
            let directory = File::open(&path)
                .with_context(|| format!("cannot open the cgroup v2 root {}", path.display()))?;
            return Ok(Self { directory: directory.into(), path, private: false });
        }
        let directory = std::thread::spawn(mount_privately)
            .join()
            .map_err(|_panic| anyhow!("the thread that mounts cgroup v2 ended badly"))?
            .context(
                "the root of the cgroup v2 hierarchy is mounted nowhere and cannot be mounted \
                 privately: mount it (mount -t cgroup2 none /sys/fs/cgroup/unified; in a container \
                 --cgroupns=host) or give the agent CAP_SYS_ADMIN",
            )?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        Ok(Self { directory, path, private: true })
    }

    /// The root as a directory that can be walked.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the host has it mounted nowhere.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// How the host has it, for `doctor`.
    #[must_use]
    pub fn description(&self) -> String {
        if self.private {
            return "cgroup v1 only; v2 mounted privately".to_owned();
        }
        let layout = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            "cgroup v2"
        } else {
            "hybrid cgroups"
        };
        format!("{layout}, v2 root at {}", self.path.display())
    }
}

impl AsFd for CgroupRoot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn mounted() -> Result<Option<PathBuf>> {
    let mounts =
        std::fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
    let found = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (path, kind) = (fields.nth(1)?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path)).filter(|path| is_root(path))
    });
    Ok(found)
}

/// Whether this is the first cgroup, whose id is 1. In a cgroup namespace, and
/// below a bind mount, what is mounted is only a part of the hierarchy.
fn is_root(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.ino() == 1)
}

/// Runs on a thread of its own, which enters the host's cgroup namespace: a
/// mount shows the hierarchy from the root of the namespace it was made in.
fn mount_privately() -> Result<OwnedFd> {
    if let Ok(host) = File::open("/proc/2/ns/cgroup") {
        move_into_link_name_space(host.as_fd(), Some(LinkNameSpaceType::ControlGroup))?;
    }
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOEXEC | MountAttrFlags::MOUNT_ATTR_NOSUID;
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    // Attaching wants a directory that is open for reading, which the mount's own fd is not.
    let path = format!("/proc/self/fd/{}", mount.as_raw_fd());
    let Ok(directory) = File::open(&path) else { bail!("cannot open the private mount") };
    if !is_root(Path::new(&path)) {
        bail!("the agent is in a cgroup namespace that it cannot leave");
    }
    Ok(directory.into())
}
