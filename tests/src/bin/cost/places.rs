//! Where an operation is done: by a watched container in the host's network
//! namespace, by a host process, and by a container in a network of its own.

use std::{fs, process::Command};

use hostnet_tests::loopback;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Names of the places.
pub const PLACES: [&str; 3] = ["watched", "host", "elsewhere"];

/// First argument of the process that measures operations.
pub const MEASURE: &str = "measure";

/// First argument of the process that measures what programs have of them.
pub const PARTS: &str = "parts";

const CGROUPS: &str = "/sys/fs/cgroup";

/// Measures `what` in a process of its own, in `place`.
pub fn measure_in(what: &str, way: &str, place: &str) {
    let status = Command::new("/proc/self/exe")
        .args([what, way, place])
        .status()
        .expect("it can be started again");
    assert!(status.success(), "measuring in {place}: {status}");
}

/// Moves this process there.
pub fn enter(place: &str) {
    let id = match place {
        "watched" => "a".repeat(64),
        "elsewhere" => "b".repeat(64),
        _ => return,
    };
    let cgroup = format!("{CGROUPS}/docker/{id}");
    fs::create_dir_all(&cgroup).expect("a cgroup");
    let pid = std::process::id().to_string();
    fs::write(format!("{cgroup}/cgroup.procs"), pid).expect("moved");
    if place == "elsewhere" {
        // SAFETY: this process has one thread and shares no descriptors.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("a network namespace");
        loopback::up().expect("loopback");
    }
}
