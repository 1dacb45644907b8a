//! Our own rules in Sigma: what the built-in detections find of one event, for a SIEM
//! that gets the stream. `hostnet rules list` shows them; the agent judges by its
//! own detections instead, which know more.

use super::{Rule, Rules, parse};

/// Each rule's file name and text.
pub const PACK: &[(&str, &str)] = &[
    ("cgroup_migration.yml", include_str!("../../../rules/cgroup_migration.yml")),
    ("cloud_metadata.yml", include_str!("../../../rules/cloud_metadata.yml")),
    ("container_runtime_socket.yml", include_str!("../../../rules/container_runtime_socket.yml")),
    ("containerd_shim_socket.yml", include_str!("../../../rules/containerd_shim_socket.yml")),
    ("docker_api_port.yml", include_str!("../../../rules/docker_api_port.yml")),
    ("etcd_port.yml", include_str!("../../../rules/etcd_port.yml")),
    ("host_abstract_socket.yml", include_str!("../../../rules/host_abstract_socket.yml")),
    ("kubelet_port.yml", include_str!("../../../rules/kubelet_port.yml")),
    (
        "kubernetes_api_server_port.yml",
        include_str!("../../../rules/kubernetes_api_server_port.yml"),
    ),
    ("name_spoof.yml", include_str!("../../../rules/name_spoof.yml")),
    ("netlink_change.yml", include_str!("../../../rules/netlink_change.yml")),
    ("packet_socket.yml", include_str!("../../../rules/packet_socket.yml")),
    ("port_shared.yml", include_str!("../../../rules/port_shared.yml")),
    ("privileged_port.yml", include_str!("../../../rules/privileged_port.yml")),
    ("raw_socket.yml", include_str!("../../../rules/raw_socket.yml")),
    ("undeclared_join.yml", include_str!("../../../rules/undeclared_join.yml")),
    ("wildcard_listener.yml", include_str!("../../../rules/wildcard_listener.yml")),
];

impl Rules {
    /// Our own rules.
    #[must_use]
    pub fn pack() -> Self {
        // Each is tested to be good.
        let rule = |(file, text): &(&str, &str)| parse::rule(file, text).ok();
        let rules: Vec<Rule> = PACK.iter().filter_map(rule).collect();
        Self::of(rules)
    }
}
