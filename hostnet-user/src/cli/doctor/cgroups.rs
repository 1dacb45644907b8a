//! The cgroup hierarchy: where programs attach, and whether it tells containers apart.

use std::{fs, os::unix::fs::MetadataExt};

use super::{Args, Check};
use crate::{
    attribute::cgroups::{claim::Runtime, path},
    kernel::CgroupRoot,
    sources::procfs,
};

/// Inode of the first cgroup of the hierarchy, which is its id.
const FIRST: u64 = 1;

/// For containers that cgroup v2 does not know.
const REMEDY: &str = "boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 at \
                      /sys/fs/cgroup/unified before the runtime starts (with runc 1.0 or later)";

pub fn layout(_: &Args) -> Check {
    const NAME: &str = "cgroups";
    let root = match CgroupRoot::open() {
        Ok(root) => root,
        Err(error) => {
            return Check::fail(
                NAME,
                format!("{error:#}"),
                "mount -t cgroup2 none /sys/fs/cgroup/unified (make the directory first)",
            );
        }
    };
    let layout = root.description();
    if fs::metadata(root.path()).is_ok_and(|metadata| metadata.ino() != FIRST) {
        return Check::fail(
            NAME,
            format!(
                "{layout}, which is not the host's root but a part of it: programs attached \
                 there see only the processes in it"
            ),
            "in a container add --cgroupns=host and mount the host's /sys/fs/cgroup",
        );
    }
    let unplaced = unplaced_processes();
    if unplaced > 0 {
        return Check::warn(
            NAME,
            format!(
                "{layout}; cgroup v2 does not show the container of {unplaced} {}, so that their \
                 sockets are taken for the host's",
                if unplaced == 1 { "process" } else { "processes" }
            ),
            REMEDY,
        );
    }
    if root.is_private() {
        return Check::warn(
            NAME,
            format!(
                "{layout}; a runtime that knows only cgroup v1 leaves its containers where they \
                 cannot be told from host processes"
            ),
            REMEDY,
        );
    }
    let paths: Vec<String> =
        procfs::cgroups(root.path()).into_iter().map(|(_, path)| path).collect();
    let finding = match driver(paths.iter().map(String::as_str)) {
        Some(driver) => format!("{layout}; Docker's cgroup driver is {driver}"),
        None => layout,
    };
    Check::ok(NAME, finding)
}

/// Docker's cgroup driver, as the cgroups of its running containers show it.
fn driver<'a>(mut paths: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    paths.find_map(|path| {
        let claim = path::owner(path)?;
        let is_scope = || path.contains(&format!("/docker-{}.scope", claim.id));
        (claim.runtime == Runtime::Docker).then(|| if is_scope() { "systemd" } else { "cgroupfs" })
    })
}

/// Processes that are in a container on a v1 hierarchy but not on the v2 one.
fn unplaced_processes() -> usize {
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("cgroup")).ok())
        .filter(|text| is_unplaced(text))
        .count()
}

/// Whether only a v1 line of this /proc/PID/cgroup names a container.
fn is_unplaced(text: &str) -> bool {
    let named = |path: &str| path::owner(path).is_some_and(|claim| !claim.is_guess);
    let in_v2 = text.lines().find_map(|line| line.strip_prefix("0::")).is_some_and(named);
    !in_v2 && path::from_proc_cgroup(text).is_some_and(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

    #[test]
    fn the_driver_shows_in_the_paths() {
        let of = |paths: &[String]| driver(paths.iter().map(String::as_str));
        let systemd = format!("/system.slice/docker-{ID}.scope");
        let cgroupfs = format!("/docker/{ID}");
        let host = || "/system.slice/ssh.service".to_owned();
        assert_eq!(of(&[host(), systemd]), Some("systemd"));
        assert_eq!(of(&[host(), cgroupfs]), Some("cgroupfs"));
        assert_eq!(of(&[host()]), None);
    }

    #[test]
    fn a_container_on_the_old_hierarchies_alone() {
        assert!(is_unplaced(&format!("8:pids:/docker/{ID}\n0::/\n")));
        assert!(is_unplaced(&format!("8:pids:/docker/{ID}\n")));
        assert!(!is_unplaced(&format!("8:pids:/docker/{ID}\n0::/docker/{ID}\n")));
        assert!(!is_unplaced(&format!("8:pids:/\n0::/system.slice/docker-{ID}.scope\n")));
        assert!(!is_unplaced("8:pids:/\n1:name=systemd:/user.slice\n0::/\n"));
    }
}
