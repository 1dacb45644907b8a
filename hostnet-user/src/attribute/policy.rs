//! What the stage is told of its run once: what the programs see of it, and which mounts
//! are the host's. Plain data.

use serde::{Deserialize, Serialize};

/// What does not change during a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Tell host processes, too.
    pub all: bool,
    /// No cgroup v2 is in use: containers are in the root cgroup like everybody else.
    pub v1_only: bool,
    /// Refused binds are seen, so one without an answer was not refused.
    #[serde(default)]
    pub sees_refusals: bool,
    /// The process that calls accept(2) is seen, so accepted connections wait for it.
    #[serde(default)]
    pub sees_acceptor: bool,
    /// TCP listeners are seen as they come and go.
    #[serde(default)]
    pub sees_listeners: bool,
    /// Whether a datagram leaves a connected UDP socket is seen.
    #[serde(default)]
    pub sees_first_sends: bool,
    /// Of a connection within this host the end that accepts is seen, whoever that is.
    #[serde(default)]
    pub sees_accepts_within_host: bool,
    /// The end of UDP sockets is seen.
    #[serde(default)]
    pub sees_datagram_ends: bool,
    /// Inode of the host's mount namespace: a process in a container's cgroup
    /// that still has it is the runtime setting the container up.
    pub host_mount_namespace: u32,
    /// Inode of the agent's own mount namespace, which counts as the host's, too.
    #[serde(default)]
    pub own_mount_namespace: u32,
    /// The agent's own process.
    #[serde(default)]
    pub own_pid: u32,
    /// Random per run; event ids are derived from it.
    pub seed: u64,
}
