//! What the host says of itself, read once at start.

use std::{ffi::CStr, fs};

use uuid::Uuid;

use crate::format::ecs::Identity;

/// Reads which host this is; what it does not say is empty.
pub fn identity(network_namespace: u32, run: Uuid) -> Identity {
    let uname = rustix::system::uname();
    let lossy = |text: &CStr| text.to_string_lossy().into_owned();
    Identity {
        host_name: lossy(uname.nodename()),
        host_id: first_line("/etc/machine-id"),
        boot_id: first_line("/proc/sys/kernel/random/boot_id"),
        kernel: lossy(uname.release()),
        architecture: lossy(uname.machine()),
        os: os_release(),
        network_namespace,
        run,
    }
}

fn first_line(path: &str) -> String {
    fs::read_to_string(path)
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_default()
}

fn os_release() -> (String, String) {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    (value("NAME"), value("VERSION_ID"))
}
