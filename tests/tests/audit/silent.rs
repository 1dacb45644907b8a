//! What does not answer: that part of an audit is missing, and the audit says which.

use std::{path::Path, process::Command};

use hostnet_tests::{Actor, cgroups::HostCgroup, hostnet, needs_root, program, skip};
use serde_json::Value;
use tempfile::TempDir;

use super::{Auditor, text};

/// A program with mounts of its own, on a file system in user space, in this cgroup;
/// `None` where there are no such file systems.
fn on_fuse(directory: &TempDir, cgroup: &HostCgroup) -> Option<Actor> {
    if !Path::new("/dev/fuse").exists() {
        skip("this machine has no file systems in user space");
        return None;
    }
    let mut command = cgroup.inside();
    command.arg(program("actor")).arg("on-fuse").arg(directory.path()).arg("repl");
    Some(Actor::started(command))
}

/// The way to a runtime's socket leads through a file system that answers nobody.
#[test]
fn a_runtime_behind_a_silent_file_system_is_said_to_be_silent() {
    needs_root!(no owners);
    let (directory, cgroup) = (TempDir::new().expect("one"), HostCgroup::new("socket"));
    let Some(mut frozen) = on_fuse(&directory, &cgroup) else { return };
    let pid = frozen.one("freeze")["pid"].clone();
    let socket = format!("unix:///proc/{pid}/root{}/docker.sock", directory.path().display());
    let auditor = Auditor::asking(&socket, "");
    let output = auditor.run(["--format", "json"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let audit: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let gaps = audit["gaps"].to_string();
    assert!(gaps.contains("does not answer") && gaps.contains("no answer within 1s"), "{gaps}");
    let mut doctor = Command::new(hostnet());
    let output = doctor.args(["doctor", "--docker", &socket]).output().expect("it can be started");
    let found = text(&output.stdout);
    assert!(found.contains("no answer within 3s"), "{found}");
}
