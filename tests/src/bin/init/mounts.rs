//! File systems: what every Linux system has, and one of three cgroup layouts.

use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::mount::{MountFlags, mount, mount_move};

const KERNEL: [(&str, &str, &str); 7] = [
    ("devtmpfs", "/dev", ""),
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("tmpfs", "/tmp", "mode=1777"),
    ("tmpfs", "/run", "mode=755"),
    ("devpts", "/dev/pts", "ptmxmode=666"),
    ("tmpfs", "/dev/shm", "mode=1777"),
];

/// Not every kernel has these, and not every program needs them.
const TRACING: [(&str, &str); 2] = [("tracefs", "/sys/kernel/tracing"), ("bpf", "/sys/fs/bpf")];

/// Hierarchies of cgroup v1. Not `cpuset`, in which a new cgroup takes no
/// process until it has been given processors.
const V1: [&str; 4] = ["memory", "pids", "devices", "freezer"];

pub fn kernel_file_systems() -> io::Result<()> {
    for (kind, path, options) in KERNEL {
        fs::create_dir_all(path)?;
        attach(kind, path, options)?;
    }
    for (kind, path) in TRACING {
        if Path::new(path).is_dir() {
            let _ = attach(kind, path, "");
        }
    }
    Ok(())
}

/// `v2`, `hybrid` (v1 with the v2 hierarchy beside it, without controllers) or
/// `v1`, where v2 is mounted nowhere.
pub fn cgroups(layout: &str) -> Result<(), String> {
    let root = "/sys/fs/cgroup";
    let layout_error = |error: io::Error| format!("cgroup {layout}: {error}");
    match layout {
        "v2" => attach("cgroup2", root, "").map_err(layout_error),
        "hybrid" => {
            v1(root).map_err(layout_error)?;
            let unified = format!("{root}/unified");
            fs::create_dir(&unified)
                .and_then(|()| attach("cgroup2", &unified, ""))
                .map_err(layout_error)
        }
        "v1" => v1(root).map_err(layout_error),
        other => Err(format!("no such cgroup layout: {other}")),
    }
}

fn v1(root: &str) -> io::Result<()> {
    attach("tmpfs", root, "mode=755")?;
    for controller in V1 {
        let path = format!("{root}/{controller}");
        fs::create_dir(&path)?;
        // From 6.12 on Debian builds some of them without their v1 half.
        if attach("cgroup", &path, controller).is_err() {
            fs::remove_dir(&path)?;
        }
    }
    let named = format!("{root}/systemd");
    fs::create_dir(&named)?;
    attach("cgroup", &named, "none,name=systemd")
}

/// An empty directory over what is there.
pub fn hide(path: &str) -> Result<(), String> {
    attach("tmpfs", path, "").map_err(|error| format!("{path}: {error}"))
}

/// Goes on with the file system of a disk; what is mounted already comes along.
pub fn change_root(disk: &str) -> Result<(), String> {
    let change = || -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !Path::new(disk).exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        let new = "/root";
        fs::create_dir_all(new)?;
        mount(disk, new, "ext4", MountFlags::empty(), None)?;
        for path in ["/dev", "/proc", "/sys", "/tmp", "/run"] {
            let target = format!("{new}{path}");
            fs::create_dir_all(&target)?;
            mount_move(path, &target)?;
        }
        rustix::process::chdir(new)?;
        mount_move(".", "/")?;
        rustix::process::chroot(".")?;
        rustix::process::chdir("/")?;
        Ok(())
    };
    change().map_err(|error| format!("root file system on {disk}: {error}"))
}

fn attach(kind: &str, path: &str, options: &str) -> io::Result<()> {
    let options = std::ffi::CString::new(options)?;
    Ok(mount(kind, path, kind, MountFlags::empty(), options.as_c_str())?)
}
