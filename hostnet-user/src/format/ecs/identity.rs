//! Which host and which run: the same in every event.

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
