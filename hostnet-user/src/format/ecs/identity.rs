//! Which host and which run: read once, the same in every event.

use std::fs;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The host and the agent's run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Host name.
    pub host_name: String,
    /// `/etc/machine-id`.
    pub host_id: String,
    /// Id of this boot.
    pub boot_id: String,
    /// Kernel release.
    pub kernel: String,
    /// Machine architecture.
    pub architecture: String,
    /// `NAME` and `VERSION_ID` of os-release.
    pub os: (String, String),
    /// Inode of the host's network namespace.
    pub network_namespace: u32,
    /// Id of this run.
    pub run: Uuid,
}

impl Identity {
    /// Reads what the host says of itself; what it does not say is empty.
    #[must_use]
    pub fn read(network_namespace: u32, run: Uuid) -> Self {
        let uname = rustix::system::uname();
        let lossy = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        Self {
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
