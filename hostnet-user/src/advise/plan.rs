//! What a container on a bridge network is started with, whatever starts it: ports, networks,
//! capabilities, and what its network and its service are called.

use super::{act::Needs, observed::Observed, publish::Port, service::Manager};
use crate::text::shell::{ShellWord, docker_name};

/// The value of `--add-host` by which a container finds its host.
pub const HOST_GATEWAY: &str = "host.docker.internal:host-gateway";

/// What both forms say.
pub struct Plan {
    /// Values of `-p`.
    pub publish: Vec<String>,
    /// First and last port and transport of each.
    pub ranges: Vec<(u16, u16, String)>,
    /// Networks to be in.
    pub networks: Vec<String>,
    /// Whether the host has to be found by name.
    pub host_gateway: bool,
    /// Capabilities to add.
    pub add: Vec<&'static str>,
}

impl Plan {
    /// What was seen of a container needs this.
    pub fn of(observed: &Observed, ports: &[Port], needs: &[Needs]) -> Self {
        let published = || ports.iter().filter(|port| !port.publish.values().is_empty());
        let networks = needs.iter().any(|need| matches!(need, Needs::NetworkWith(_)));
        let drops_net_raw = observed.container.as_ref().is_some_and(|container| {
            let is_drop = |word: &String| {
                let word = word.to_ascii_uppercase();
                matches!(word.as_str(), "-ALL" | "-CAP_ALL" | "-NET_RAW" | "-CAP_NET_RAW")
            };
            container.capabilities.iter().any(is_drop)
        });
        let add = needs.iter().filter_map(|need| match need {
            // Without a drop it is one of the runtime's defaults.
            Needs::Capability(name) if drops_net_raw => Some(*name),
            Needs::Capability(_) | Needs::HostGateway | Needs::NetworkWith(_) => None,
        });
        Self {
            publish: published().flat_map(|port| port.publish.values()).cloned().collect(),
            ranges: published().map(|port| (port.port, port.to, port.transport.clone())).collect(),
            networks: if networks { vec![network(observed)] } else { Vec::new() },
            // Swarm resolves no `host-gateway`: a condition says what to do.
            host_gateway: needs.contains(&Needs::HostGateway)
                && !matches!(observed.manager(), Manager::Swarm { .. }),
            add: add.collect(),
        }
    }

    /// Options of the command that starts it.
    pub fn options(&self, manager: &Manager) -> Vec<ShellWord> {
        let mut arguments = Vec::new();
        let mut option = |name: &str, value: &str| {
            arguments.extend([name, value].map(ShellWord::new));
        };
        self.networks.iter().for_each(|name| option("--network", name));
        if let Manager::Swarm { .. } = manager {
            self.each_port(|port, transport| {
                let value =
                    format!("published={port},target={port},protocol={transport},mode=host");
                option("--publish", &value);
            });
        } else {
            self.publish.iter().for_each(|value| option("-p", value));
        }
        if self.host_gateway {
            option("--add-host", HOST_GATEWAY);
        }
        self.add.iter().for_each(|name| option("--cap-add", name));
        arguments
    }

    /// Ports in a stack file. Only at the node that a task is on: by its routing mesh,
    /// Swarm would publish it at every node.
    pub fn stack_ports(&self) -> Vec<String> {
        let mut ports = Vec::new();
        self.each_port(|port, transport| {
            ports.push(format!(
                "{{target: {port}, published: {port}, protocol: {transport}, mode: host}}"
            ));
        });
        ports
    }

    fn each_port(&self, mut with: impl FnMut(u16, &str)) {
        for (first, last, transport) in &self.ranges {
            (*first..=*last).for_each(|port| with(port, transport));
        }
    }
}

/// What the service is called in its file.
pub fn service(observed: &Observed) -> String {
    match observed.manager() {
        Manager::Compose { service, .. } => service,
        Manager::Swarm { service, stack } => {
            let of_stack = stack.and_then(|stack| service.strip_prefix(&stack)?.strip_prefix('_'));
            of_stack.map(str::to_owned).unwrap_or(service)
        }
        Manager::Docker | Manager::Podman | Manager::Pod { .. } => observed.label(),
    }
}

/// What the network is called that it and others are in; `NETWORK` where its own name would
/// not do.
pub fn network(observed: &Observed) -> String {
    docker_name(&format!("{}-net", service(observed)), "NETWORK").to_owned()
}
