//! A machine whose first process is systemd: it mounts the cgroups, and makes those of
//! containers when their runtime asks. This program is its only service.

use std::{fs, os::unix::process::CommandExt as _, path::Path, process::Command};

use crate::plan::Plan;

/// Where the plan is once the first root is left behind.
const PLAN: &str = "/run/plan.json";

const UNITS: &str = "/run/systemd/system";

/// Nothing of what a system usually begins with is here. This program is on the disk by
/// the name that the kernel knows it by, too.
const SERVICE: &str = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/init\n\
                       StandardOutput=null\nStandardError=null\n";
const TARGET: &str =
    "[Unit]\nDefaultDependencies=no\nWants=hostnet-vm.service\nAfter=hostnet-vm.service\n";

/// Becomes `first`, which is systemd; returns why not.
pub fn becomes(first: &str, plan: &Plan) -> String {
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(UNITS)?;
        fs::write(PLAN, serde_json::to_vec(plan)?)?;
        fs::write(Path::new(UNITS).join("hostnet-vm.service"), SERVICE)?;
        fs::write(Path::new(UNITS).join("default.target"), TARGET)
    };
    if let Err(error) = write() {
        return format!("{UNITS}: {error}");
    }
    format!("{first}: {}", Command::new(first).exec())
}

/// What is to be done, as the first process left it.
pub fn plan() -> Result<Plan, String> {
    // Who is left behind by a program is ours to bury.
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).map_err(|error| error.to_string())?;
    Plan::read(Path::new(PLAN))
}
