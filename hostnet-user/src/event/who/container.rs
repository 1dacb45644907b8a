//! A container as its runtime describes it: plain data, fetched outside the
//! event's path and only ever copied from.
//!
//! `Config.Env` is not here on purpose: environment variables hold secrets.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::UserNames;

/// What the runtime says of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Full id: 64 lower-case hexadecimal digits.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// Image reference as the container was created from it, such as `nginx:1.27`.
    pub image: String,
    /// Image id, `sha256:…`.
    pub image_id: String,
    /// Labels, Compose and Kubernetes ones included.
    pub labels: BTreeMap<String, String>,
    /// How many more it has, or has longer than here.
    #[serde(default)]
    pub labels_cut: usize,
    /// `HostConfig.NetworkMode`: `host`, `bridge`, `container:<id>`, ….
    pub network_mode: String,
    /// `HostConfig.Privileged`.
    pub privileged: bool,
    /// `HostConfig.CapAdd`, then `HostConfig.CapDrop` with a leading `-`.
    pub capabilities: Vec<String>,
    /// `Config.User`, empty for the image's default.
    pub user: String,
    /// `HostConfig.RestartPolicy.Name`.
    pub restart_policy: String,
    /// RFC 3339 time of creation.
    pub created: String,
    /// `State.Pid`: the container's first process in the host's pid namespace, 0 when not running.
    pub pid: u32,
    /// Cgroup-v2 path of `pid` as /proc showed it at inspect time; empty when not running or gone.
    pub cgroup_path: String,
    /// Its addresses in networks of its own.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Inode of that process' mount namespace; 0 when it could not be read.
    #[serde(default)]
    pub mount_namespace: u32,
    /// What its own `/etc/passwd` calls its users, by the host's ids; a claim.
    #[serde(default, skip_serializing_if = "UserNames::is_empty")]
    pub users: UserNames,
    /// Podman's pod that it is in: the pod's name, or the first 12 digits of its id when
    /// Podman did not answer. Empty when it is in none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod: String,
    /// It does nothing but hold a pod's namespaces: Podman's infra container, or the
    /// pause container of a Kubernetes pod.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_infra: bool,
    /// `docker` or `podman`.
    pub runtime: String,
}

impl Container {
    /// Whether this is what an inspect said. An event or the list say less, and
    /// not when the container was created.
    #[must_use]
    pub fn is_inspected(&self) -> bool {
        !self.created.is_empty()
    }

    /// The Swarm service that it is a task of. A service's tasks come and go under names
    /// that end in random letters; the service's name stays.
    #[must_use]
    pub fn swarm_service(&self) -> Option<&str> {
        let name = self.labels.get("com.docker.swarm.service.name")?;
        (!name.is_empty()).then_some(name)
    }
}
