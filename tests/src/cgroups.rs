//! The cgroup-v2 hierarchy as the host sees it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where its root is mounted.
pub fn root() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let found = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (path, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    });
    found.expect("a test of cgroups needs cgroup v2: say needs_root!")
}

/// The path of a process' cgroup from that root.
pub fn path_of(pid: u32) -> String {
    let table = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("the process runs");
    let path = table.lines().find_map(|line| line.strip_prefix("0::"));
    path.expect("cgroup v2 has a line of its own").to_owned()
}

/// A cgroup of the host's that holds no process yet; removed when dropped.
pub struct HostCgroup {
    /// Its path from the root.
    pub path: String,
}

impl HostCgroup {
    /// One at the top of the hierarchy.
    pub fn new(name: &str) -> Self {
        let path = format!("/hostnet-test-{name}-{}", std::process::id());
        let cgroup = Self { path };
        fs::create_dir(cgroup.directory()).expect("root may make a cgroup");
        cgroup
    }

    /// What begins a command whose program, the first argument, runs in it.
    pub fn inside(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 0 >\"$0\"/cgroup.procs && exec \"$@\""]).arg(self.directory());
        command
    }

    /// Its directory.
    pub fn directory(&self) -> PathBuf {
        directory(&root(), &self.path)
    }
}

impl Drop for HostCgroup {
    fn drop(&mut self) {
        // Its last process may be about to end.
        let _ = fs::remove_dir(self.directory());
    }
}

/// The directory of a cgroup where the root is at `root`.
pub fn directory(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}
